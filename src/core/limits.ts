// Typed limit windows, and the one reading of every "come back later" hint.

/** What is known of one quota of one account. */
export interface LimitWindow {
  /** `5h`, `7d`, `requests`, `tokens`, `input-tokens`, `output-tokens`, … */
  readonly name: string;
  /** Used share, 0..1 (may pass 1); undefined when only the state is known. */
  readonly used: number | undefined;
  /** Epoch ms at which the window starts anew. */
  readonly resetAt: number | undefined;
  readonly source: "header" | "body" | "event";
  /** Epoch ms of the observation. */
  readonly seenAt: number;
}

/** The window that says whether requests now cost extra, beyond the plan: `used` is 1 while they do, else 0. */
export const EXTRA_USAGE = "extra-usage";

const MIN_MS = 1_000;
const MAX_MS = 8 * 24 * 3_600_000;

/** A wait that upstream named, kept within 1 s and 8 days; undefined when it is no usable number. */
export function clampWait(ms: number | undefined): number | undefined {
  if (ms === undefined || !Number.isFinite(ms)) return undefined;
  return Math.min(MAX_MS, Math.max(MIN_MS, ms));
}

/**
 * `retry-after-ms`, then `retry-after` in seconds or as an HTTP date (RFC 9110 §10.2.3). A date is taken
 * against the answer's own `date`, not against our clock. Signs, exponents and units are refused.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const ms = headers.get("retry-after-ms")?.trim();
  if (ms !== undefined && /^\d+(\.\d+)?$/.test(ms)) return clampWait(Number(ms));
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return clampWait(Number(value) * 1_000);
  const date = httpDate(value);
  if (date === undefined) return undefined;
  const theirNow = httpDate(headers.get("date") ?? "") ?? nowMs;
  return date <= theirNow ? MIN_MS : clampWait(date - theirNow);
}

/**
 * IMF-fixdate and its two obsolete forms all begin with a day's name (RFC 9110 §5.6.7). All are in UTC; asctime, which
 * has the year at its end, is the one that does not say so.
 */
function httpDate(text: string): number | undefined {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const at = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : at;
}

/** A Go duration such as `6m0s`, `1h2m`, `20ms`, `1.5s`, in ms (OpenAI's `x-ratelimit-reset-*`). */
export function goDurationMs(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  let rest = text.trim();
  if (rest === "") return undefined;
  let total = 0;
  while (rest !== "") {
    const part = /^(\d+(?:\.\d+)?)(ms|h|m|s)/.exec(rest);
    if (part === null) return undefined;
    total += Number(part[1]) * (units[part[2] ?? ""] ?? 0);
    rest = rest.slice(part[0].length);
  }
  return total;
}

/** An RFC 3339 time or a number of epoch seconds, as epoch ms. */
export function instantMs(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
