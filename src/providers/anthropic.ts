// Anthropic's API (platform.claude.com, Messages) with an API key or a fixed bearer token.

import type { Access, Account } from "../core/account.ts";
import type { Candidate } from "../core/exchange.ts";
import { EXTRA_USAGE, instantMs, type LimitWindow, retryAfterMs, usedShare } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Draft, FailedAnswer, Provider } from "../core/ports.ts";
import { USER_AGENT } from "../core/version.ts";
import {
  commonOutcome,
  endpoint,
  limited,
  modelMissing,
  next,
  prepare,
  refused,
  says,
  told,
} from "./common.ts";

/** Sent when the client names none. */
const DEFAULT_VERSION = "2023-06-01";

/**
 * Money is gone, whatever the status: 402, and 400 or 429 in these words. The last two are a subscription's: this use is
 * paid for beyond the plan, and that is off or used up. So it rests too where extra usage is allowed.
 */
const MONEY =
  /billing_error|credit balance|spend_limit|spend limit|specified API usage limits|extra usage|third-party apps/i;
const BANNED = /organization_on_hold|organization has been disabled/i;
/** `model: NAME`; other words where servers that speak the same protocol tell it. */
const NO_MODEL = /^model\b|\bmodel\b.*\b(does not exist|not found|not supported|not available)\b/i;
/** The names of a window's headers, put together once: they are looked for in every answer. */
const COUNTERS = ["requests", "tokens", "input-tokens", "output-tokens"].map((name) => {
  const prefix = `anthropic-ratelimit-${name}-`;
  return { name, limit: `${prefix}limit`, remaining: `${prefix}remaining`, reset: `${prefix}reset` };
});
const UNIFIED = ["5h", "7d"].map((name) => {
  const prefix = `anthropic-ratelimit-unified-${name}-`;
  return { name, utilization: `${prefix}utilization`, reset: `${prefix}reset` };
});

export const anthropic: Provider = {
  name: "anthropic",

  prepare(candidate: Candidate, draft: Draft) {
    const request = prepare(candidate, draft);
    sign(request.headers, draft.access);
    return request;
  },

  models(account: Account, access: Access) {
    const headers = new Headers({ "user-agent": USER_AGENT });
    sign(headers, access);
    return { url: `${endpoint(account, "models")}?limit=1000`, headers };
  },

  outcome(answer: FailedAnswer, nowMs: number): Outcome {
    const { status, error, headers } = answer;
    // First, because its message repeats the name the client asked for, which must not be taken for upstream's words.
    // Threads, files and batches can be missing as well, and that is the request's business.
    if (status === 404) return says(error, NO_MODEL) ? modelMissing() : commonOutcome(answer, nowMs);
    if (says(error, BANNED)) return refused(403);
    if (status < 500 && says(error, MONEY)) {
      return next(told(answer, nowMs), { on: "quota", forMs: retryAfterMs(headers, nowMs) });
    }
    if (status === 429) {
      const scope = modelClaim(headers) ? "model" : "account";
      return limited(told(answer, nowMs), scope, retryAfterMs(headers, nowMs) ?? resetMs(headers, nowMs));
    }
    return commonOutcome(answer, nowMs);
  },

  limits(headers: Headers, nowMs: number): readonly LimitWindow[] {
    const windows: LimitWindow[] = [];
    for (const header of COUNTERS) {
      const used = usedShare(headers.get(header.limit), headers.get(header.remaining));
      if (used === undefined) continue;
      const resetAt = instantMs(headers.get(header.reset));
      windows.push({ name: header.name, used, resetAt, source: "header", seenAt: nowMs });
    }
    for (const header of UNIFIED) {
      const used = Number(headers.get(header.utilization) ?? Number.NaN);
      if (!(used >= 0 && used < Number.POSITIVE_INFINITY)) continue;
      const resetAt = instantMs(headers.get(header.reset));
      windows.push({ name: header.name, used, resetAt, source: "header", seenAt: nowMs });
    }
    const inUse = headers.get("anthropic-ratelimit-unified-overage-in-use");
    if (inUse === null) return windows;
    const used = inUse === "true" ? 1 : 0;
    const resetAt = instantMs(headers.get("anthropic-ratelimit-unified-reset"));
    return [...windows, { name: EXTRA_USAGE, used, resetAt, source: "header", seenAt: nowMs }];
  },
};

function sign(headers: Headers, { kind, secret }: Access): void {
  if (kind === "api_key") headers.set("x-api-key", secret);
  else headers.set("authorization", `Bearer ${secret}`);
  if (!headers.has("anthropic-version")) headers.set("anthropic-version", DEFAULT_VERSION);
}

/** A weekly limit of one model family binds that model only. */
function modelClaim(headers: Headers): boolean {
  const claim = headers.get("anthropic-ratelimit-unified-representative-claim") ?? "";
  return claim.startsWith("seven_day_");
}

/** The reset that a 429 without `retry-after` names: the unified one, else that of a counter at zero. */
function resetMs(headers: Headers, nowMs: number): number | undefined {
  const unified = instantMs(headers.get("anthropic-ratelimit-unified-reset"));
  if (unified !== undefined) return unified - nowMs;
  let latest: number | undefined;
  for (const { remaining, reset } of COUNTERS) {
    if (headers.get(remaining) !== "0") continue;
    const at = instantMs(headers.get(reset));
    if (at !== undefined && (latest === undefined || at > latest)) latest = at;
  }
  return latest === undefined ? undefined : latest - nowMs;
}
