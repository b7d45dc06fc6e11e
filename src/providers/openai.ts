// OpenAI's API (platform.openai.com, Responses and Chat Completions) with an API key, and servers that speak it.

import type { Access, Account } from "../core/account.ts";
import type { Candidate } from "../core/exchange.ts";
import { goDurationMs, type LimitWindow, retryAfterMs, usedShare } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Draft, FailedAnswer, Provider } from "../core/ports.ts";
import { USER_AGENT } from "../core/version.ts";
import {
  bodyResetMs,
  commonOutcome,
  endpoint,
  limited,
  modelMissing,
  next,
  NO_MODEL,
  OVERLOADED,
  prepare,
  QUOTA,
  says,
  textWaitMs,
  told,
} from "./common.ts";

const COUNTERS = ["requests", "tokens"] as const;

export const openai: Provider = {
  name: "openai",

  prepare(candidate: Candidate, draft: Draft) {
    const request = prepare(candidate, draft);
    request.headers.set("authorization", `Bearer ${draft.access.secret}`);
    return request;
  },

  models(account: Account, access: Access) {
    const headers = new Headers({ "user-agent": USER_AGENT, authorization: `Bearer ${access.secret}` });
    return { url: endpoint(account, "models"), headers };
  },

  outcome(answer: FailedAnswer, nowMs: number): Outcome {
    const { status, error, headers } = answer;
    // First, because its message repeats the name the client asked for, which must not be taken for upstream's words.
    if ((status === 404 || status === 400 || status === 403) && says(error, NO_MODEL)) return modelMissing();
    const fault = told(answer, nowMs);
    const wait = retryAfterMs(headers, nowMs) ?? bodyResetMs(error?.raw, nowMs);
    if ((status === 429 || status === 402 || status === 403) && says(error, QUOTA)) {
      return next(fault, { on: "quota", forMs: wait });
    }
    if ((status === 429 || status >= 500) && says(error, OVERLOADED)) return next(fault, { on: "account" });
    if (status === 429)
      return limited(fault, "account", wait ?? counterResetMs(headers) ?? textWaitMs(error?.message));
    return commonOutcome(answer, nowMs);
  },

  limits(headers: Headers, nowMs: number): readonly LimitWindow[] {
    const windows: LimitWindow[] = [];
    for (const name of COUNTERS) {
      const used = usedShare(
        headers.get(`x-ratelimit-limit-${name}`),
        headers.get(`x-ratelimit-remaining-${name}`),
      );
      if (used === undefined) continue;
      const reset = goDurationMs(headers.get(`x-ratelimit-reset-${name}`) ?? "");
      const resetAt = reset === undefined ? undefined : nowMs + reset;
      windows.push({ name, used, resetAt, source: "header", seenAt: nowMs });
    }
    return windows;
  },
};

/** The reset of whichever counter is used up. */
function counterResetMs(headers: Headers): number | undefined {
  let longest: number | undefined;
  for (const name of COUNTERS) {
    if (headers.get(`x-ratelimit-remaining-${name}`) !== "0") continue;
    const ms = goDurationMs(headers.get(`x-ratelimit-reset-${name}`) ?? "");
    if (ms !== undefined && (longest === undefined || ms > longest)) longest = ms;
  }
  return longest;
}
