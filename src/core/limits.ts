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

/** What a time may be multiplied to; undefined for none, and for more than a number can hold. */
function finite(ms: number): number | undefined {
  return Number.isFinite(ms) ? ms : undefined;
}

/** Digits with at most a fraction: signs, exponents and units are refused. */
function plainNumber(text: string | null): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^\d+(\.\d+)?$/.test(trimmed) ? finite(Number(trimmed)) : undefined;
}

/**
 * `retry-after-ms`, then `retry-after` in seconds or as an HTTP date (RFC 9110 §10.2.3). A date is taken
 * against the answer's own `date`, not against our clock. What is malformed is as good as absent.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get("retry-after");
  const ms = plainNumber(headers.get("retry-after-ms")) ?? secondsMs(plainNumber(value));
  if (ms !== undefined) return clampWait(ms);
  const date = httpDate(value ?? "");
  return date === undefined ? undefined : clampWait(date - (httpDate(headers.get("date") ?? "") ?? nowMs));
}

/** Seconds as ms; undefined for what is no time. */
export function secondsMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : finite(seconds * 1_000);
}

const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
/** Without leap seconds, of which the engine makes the minute's beginning. */
const TIME = "\\d\\d:\\d\\d:[0-5]\\d";
/** IMF-fixdate, RFC 850 and asctime, the three forms of RFC 9110 §5.6.7: `Date.parse` would take nearly anything. */
const HTTP_DATE = new RegExp(
  `^(?:${DAY}, \\d\\d ${MONTH} \\d{4} ${TIME} GMT|${LONG_DAY}, \\d\\d-${MONTH}-\\d\\d ${TIME} GMT|` +
    `${DAY} ${MONTH} (?:\\d| )\\d ${TIME} \\d{4})$`,
);
/** RFC 3339; a time without its zone would be read as one of ours. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** All are in UTC; asctime is the one that does not say so. */
function httpDate(text: string): number | undefined {
  return HTTP_DATE.test(text) ? finite(Date.parse(text.endsWith("GMT") ? text : `${text} GMT`)) : undefined;
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
  return finite(total);
}

/** An RFC 3339 time or a number of epoch seconds, as epoch ms. */
export function instantMs(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (/^\d+$/.test(text)) return secondsMs(Number(text));
  return INSTANT.test(text) ? finite(Date.parse(text)) : undefined;
}

/** The used share of a counter by its limit and what remains of it; undefined where these are no numbers. */
export function usedShare(limit: string | null, remaining: string | null): number | undefined {
  const [whole, rest] = [plainNumber(limit) ?? 0, plainNumber(remaining)];
  return whole > 0 && rest !== undefined ? Math.max(0, 1 - rest / whole) : undefined;
}
