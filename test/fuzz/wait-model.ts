// How long an account rests by what its upstream said: the order and the forms as they are written down, one after another
// and by hand. Two places differ from the one general order on purpose: ChatGPT's own body is about the very limit that was
// met, and comes first there; and at OpenAI a body that says so comes before the counters, which may be of another limit.
import type { JsonObject } from "../../src/core/json.ts";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = "(\\d\\d):(\\d\\d):(\\d\\d)";
/** RFC 9110, section 5.6.7. */
const IMF = new RegExp(`^(${DAYS.join("|")}), (\\d\\d) (${MONTHS.join("|")}) (\\d{4}) ${TIME} GMT$`);
const RFC850 = new RegExp(`^(${LONG_DAYS.join("|")}), (\\d\\d)-(${MONTHS.join("|")})-(\\d\\d) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^(${DAYS.join("|")}) (${MONTHS.join("|")}) (\\d\\d| \\d) ${TIME} (\\d{4})$`);
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/;

export interface Told {
  readonly headers: Headers;
  /** The error object of the body. */
  readonly raw: JsonObject;
  readonly message: string;
  readonly nowMs: number;
}

type Parts = readonly (string | undefined)[];

/** Undefined for what no clock shows; a day that its month does not have is the one behind its end. */
function utc([year, month, day]: Parts, [hour, minute, second]: Parts): number | undefined {
  const numbers = [month, day, hour, minute, second].map(Number);
  const [m = 0, d = 0, h = 0, min = 0, s = 0] = numbers;
  if (m < 1 || m > 12 || d < 1 || d > 31 || h > 24 || min > 59 || s > 59) return undefined;
  if (h === 24 && (min > 0 || s > 0)) return undefined;
  return Date.UTC(Number(year), m - 1, d, h, min, s);
}

function httpDate(text: string): number | undefined {
  const month = (name: string | undefined): string => String(MONTHS.indexOf(name ?? "") + 1);
  const imf = IMF.exec(text);
  if (imf !== null) return utc([imf[4], month(imf[3]), imf[2]], imf.slice(5, 8));
  const old = RFC850.exec(text);
  if (old !== null) {
    const year = Number(old[4]) < 50 ? `20${old[4]}` : `19${old[4]}`;
    return utc([year, month(old[3]), old[2]], old.slice(5, 8));
  }
  const c = ASCTIME.exec(text);
  return c === null ? undefined : utc([c[7], month(c[2]), c[3]], c.slice(4, 7));
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function plain(text: string | null): number | undefined {
  return text !== null && /^[0-9]+(\.[0-9]+)?$/.test(text) ? finite(Number(text)) : undefined;
}

/** `retry-after-ms`, then `retry-after` in seconds, then as a date against the answer's own. */
export function retryHeader({ headers, nowMs }: Told): number | undefined {
  const ms = plain(headers.get("retry-after-ms"));
  if (ms !== undefined) return ms;
  const text = headers.get("retry-after");
  const seconds = plain(text);
  if (seconds !== undefined && finite(seconds * 1_000) !== undefined) return seconds * 1_000;
  const at = text === null ? undefined : httpDate(text);
  return at === undefined ? undefined : at - (httpDate(headers.get("date") ?? "") ?? nowMs);
}

function instant(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^[0-9]+$/.test(text)) return finite(Number(text) * 1_000);
  const found = RFC3339.exec(text);
  if (found === null) return undefined;
  const at = utc(found.slice(1, 4), found.slice(4, 7));
  const [hours, minutes] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  if (at === undefined || hours > 23 || minutes > 59) return undefined;
  const offset = (found[8] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000;
  return at + Math.floor(Number(`0${found[7] ?? ""}`) * 1_000) - offset;
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** `6m0s`, `20ms`. */
function duration(text: string | null): number | undefined {
  if (text === null || !/^([0-9]+(\.[0-9]+)?(ms|h|m|s))+$/.test(text)) return undefined;
  const sizes: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/([0-9.]+)([a-z]+)/g))
    sum += Number(number) * (sizes[unit] ?? 0);
  return finite(sum);
}

function inBody({ raw, nowMs }: Told): number | undefined {
  const { resets_at: at, resets_in_seconds: seconds } = raw as {
    resets_at?: unknown;
    resets_in_seconds?: unknown;
  };
  if (typeof at === "number" && finite(at * 1_000) !== undefined && at * 1_000 > nowMs)
    return at * 1_000 - nowMs;
  return typeof seconds === "number" && seconds >= 0 ? finite(seconds * 1_000) : undefined;
}

function inWords({ message }: Told): number | undefined {
  return duration(/try again in ([0-9.hms]*[hms])/i.exec(message)?.[1] ?? null);
}

export function anthropicWait(told: Told): number | undefined {
  const { headers, nowMs } = told;
  const named = retryHeader(told) ?? instant(headers.get("anthropic-ratelimit-unified-reset"));
  if (retryHeader(told) !== undefined) return named;
  const used = ["requests", "tokens", "input-tokens", "output-tokens"].filter(
    (name) => headers.get(`anthropic-ratelimit-${name}-remaining`) === "0",
  );
  const at = named ?? latest(used.map((name) => instant(headers.get(`anthropic-ratelimit-${name}-reset`))));
  return at === undefined ? undefined : at - nowMs;
}

export function openaiWait(told: Told): number | undefined {
  const { headers } = told;
  const used = ["requests", "tokens"].filter((name) => headers.get(`x-ratelimit-remaining-${name}`) === "0");
  const counters = latest(used.map((name) => duration(headers.get(`x-ratelimit-reset-${name}`))));
  return retryHeader(told) ?? inBody(told) ?? counters ?? inWords(told);
}

/** Money is gone: the counters say nothing of that. */
export function quotaWait(told: Told): number | undefined {
  return retryHeader(told) ?? inBody(told);
}

export function chatgptWait(told: Told): number | undefined {
  const { headers, nowMs } = told;
  const number = (name: string): number | undefined => {
    const text = headers.get(name);
    return /^[0-9]{1,12}(\.|$)/.test(text ?? "") ? plain(text) : undefined;
  };
  const used = ["primary", "secondary"].filter(
    (place) => (number(`x-codex-${place}-used-percent`) ?? 0) >= 100,
  );
  const resets = used.map((place) => {
    const at = number(`x-codex-${place}-reset-at`);
    const after = number(`x-codex-${place}-reset-after-seconds`);
    if (at !== undefined && at > 0) return at * 1_000;
    return after === undefined ? undefined : nowMs + after * 1_000;
  });
  const at = latest(resets);
  const counters = at === undefined || at <= nowMs ? undefined : at - nowMs;
  return inBody(told) ?? retryHeader(told) ?? counters ?? inWords(told);
}
