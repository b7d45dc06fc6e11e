// OpenAI's API (platform.openai.com, Responses and Chat Completions) with an API key, and servers that speak it.

import type { Account } from "../core/account.ts";
import type { Ask, Candidate } from "../core/exchange.ts";
import { numberAt, type JsonObject } from "../core/json.ts";
import { goDurationMs, type LimitWindow, retryAfterMs } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { FailedAnswer, Provider } from "../core/ports.ts";
import { USER_AGENT } from "../core/version.ts";
import { commonOutcome, endpoint, limited, modelMissing, next, prepare, says, told } from "./common.ts";

/** Plan or money used up: waiting a minute does not help. */
const QUOTA =
  /insufficient_quota|billing_hard_limit|usage_limit_reached|usage_not_included|billing_not_active/;
/** A model's absence, not a missing response or file. */
const NO_MODEL = /model_not_found|\bmodel\b.*\b(does not exist|not found|not supported|not available)\b/i;
const OVERLOADED = /server_is_overloaded|slow_down|Selected model is at capacity/;
const COUNTERS = ["requests", "tokens"] as const;

export const openai: Provider = {
  name: "openai",

  prepare(candidate: Candidate, ask: Ask, body: Uint8Array) {
    const request = prepare(candidate, ask, body);
    const { credential } = candidate.account;
    if (credential !== undefined) request.headers.set("authorization", `Bearer ${credential.secret}`);
    return request;
  },

  models(account: Account) {
    const headers = new Headers({ "user-agent": USER_AGENT });
    if (account.credential !== undefined) headers.set("authorization", `Bearer ${account.credential.secret}`);
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
    if (says(error, OVERLOADED)) return next(fault, { on: "account" });
    if (status === 429)
      return limited(fault, "account", wait ?? counterResetMs(headers) ?? textWaitMs(error?.message));
    return commonOutcome(answer, nowMs);
  },

  limits(headers: Headers, nowMs: number): readonly LimitWindow[] {
    const windows: LimitWindow[] = [];
    for (const name of COUNTERS) {
      const limit = Number(headers.get(`x-ratelimit-limit-${name}`) ?? Number.NaN);
      const remaining = Number(headers.get(`x-ratelimit-remaining-${name}`) ?? Number.NaN);
      if (!(limit > 0) || Number.isNaN(remaining)) continue;
      const reset = goDurationMs(headers.get(`x-ratelimit-reset-${name}`) ?? "");
      const resetAt = reset === undefined ? undefined : nowMs + reset;
      windows.push({ name, used: 1 - remaining / limit, resetAt, source: "header", seenAt: nowMs });
    }
    return windows;
  },
};

/** `resets_in_seconds` or `resets_at` (epoch seconds) in an error body. */
function bodyResetMs(error: JsonObject | undefined, nowMs: number): number | undefined {
  const inSeconds = numberAt(error, "resets_in_seconds");
  const at = numberAt(error, "resets_at");
  if (at !== undefined && at * 1_000 > nowMs) return at * 1_000 - nowMs;
  return inSeconds === undefined || inSeconds < 0 ? undefined : inSeconds * 1_000;
}

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

/** "Please try again in 11.05s", the only hint some limits give. */
function textWaitMs(message: string | undefined): number | undefined {
  const found = /try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)/i.exec(message ?? "");
  return found?.[1] === undefined ? undefined : goDurationMs(found[1]);
}
