// "Come back later" in all its forms, good and malformed, at every provider: how long the account then rests is what the
// order written down says, within its bounds, and what cannot be read is as good as absent.
import type { Failure } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { LimitWindow } from "../../src/core/limits.ts";
import type { FailedAnswer, Provider } from "../../src/core/ports.ts";
import { setBack } from "../../src/pool/cooldown.ts";
import { anthropic } from "../../src/providers/anthropic.ts";
import { eventWindows } from "../../src/providers/chatgpt/limits.ts";
import { chatgpt } from "../../src/providers/chatgpt.ts";
import { openai } from "../../src/providers/openai.ts";
import { Dice } from "./dice.ts";
import { Wrong, type Target } from "./target.ts";
import * as model from "./wait-model.ts";

const SECOND = 1_000;
const LONGEST = 8 * 24 * 3_600 * SECOND;
const NOW = Date.UTC(2026, 10, 3, 12);
const DEFAULTS = { limit: 60 * SECOND, quota: 3_600 * SECOND };

interface Asked {
  readonly provider: Provider;
  readonly words: JsonObject;
  readonly wait: (told: model.Told) => number | undefined;
}

const ASKED: readonly Asked[] = [
  { provider: anthropic, words: { type: "rate_limit_error" }, wait: model.anthropicWait },
  { provider: anthropic, words: { type: "billing_error" }, wait: model.retryHeader },
  { provider: openai, words: { type: "requests", code: "rate_limit_exceeded" }, wait: model.openaiWait },
  { provider: openai, words: { code: "insufficient_quota" }, wait: model.quotaWait },
  { provider: chatgpt, words: { type: "usage_limit_reached" }, wait: model.chatgptWait },
  { provider: chatgpt, words: { type: "rate_limit_exceeded" }, wait: model.chatgptWait },
];

const NUMBERS = [
  "0",
  "1",
  "00",
  "007",
  "0.5",
  "1.5",
  "20",
  "59.9999",
  "3600",
  "86400",
  "691200",
  "691201",
  "1e3",
];
const ODD = [
  "-1",
  "+1",
  "1.",
  ".5",
  "1,5",
  "0x10",
  "1_0",
  "NaN",
  "Infinity",
  "-Infinity",
  "",
  "5s",
  "5 s",
  "5;",
  "1 2",
];
const LONG = ["9".repeat(16), "9".repeat(305), "9".repeat(309), `0.${"0".repeat(400)}1`, "1".repeat(4_000)];
const ODD_DURATIONS = [
  "1s1",
  "s",
  "1",
  "1m 2s",
  "-1s",
  "1e3s",
  "1d",
  "1S",
  "1.s",
  ".5s",
  "1ms1",
  "1us",
  `${"9".repeat(400)}h`,
];
const ODD_DATES = [
  "Mon",
  "Monday",
  "Mon 2030",
  "Tue, 03 Nov 2026 12:00:60 GMT",
  "Tue, 31 Feb 2027 12:00:00 GMT",
  "Tue, 3 Nov 2026 12:00:30 GMT",
  "tue, 03 Nov 2026 12:00:30 GMT",
  "Tue, 03 Nov 2026 12:00:30",
  "Tue, 03 Nov 2026 12:00:30 PST",
  "Tue, 03 Nov 2026 12:00:30 +0500",
  "Tue, 03 Nov 2026 12:00 GMT",
  "Tue, 03 Nov 12026 12:00:30 GMT",
  "Tue, 32 Nov 2026 12:00:30 GMT",
  "Tue, 03 Nov 2026 25:00:30 GMT",
  "Tuesday, 03 Nov 2026 12:00:30 GMT",
  "2026-11-03T12:00:30",
  "2026-11-03T12:00Z",
  "2026-11-03T12:00:30z",
  "2026-11-03 12:00:30Z",
  "2026-13-03T12:00:30Z",
  "2026-11-03T12:00:30+0100",
  "2026-11-03T12:00:30+99:00",
  "2026-11-03",
];

function dateOf(dice: Dice, ms: number): string {
  const at = new Date(Math.floor(ms / SECOND) * SECOND);
  const imf = at.toUTCString();
  const [day = "", date = "", month = "", year = "", time = ""] = imf.split(/,? /);
  const kind = dice.below(5);
  if (kind === 0) {
    const long = at.toLocaleDateString("en-GB", { weekday: "long", timeZone: "UTC" });
    return `${long}, ${date}-${month}-${year.slice(2)} ${time} GMT`;
  }
  if (kind === 1) return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
  return imf;
}

function instantOf(dice: Dice, ms: number): string {
  if (dice.percent(40)) return String(Math.floor(ms / SECOND));
  const text = new Date(ms).toISOString();
  return dice.pick([
    text,
    text.replace(/\.\d+/, ""),
    text.replace(/\.\d+Z/, "+01:00"),
    text.replace(/Z$/, "-11:30"),
  ]);
}

/** A time to come, or one that has passed. */
function someTime(dice: Dice): number {
  const far = dice.pick([10, 3_600, 86_400, 3_000_000]);
  return NOW + (dice.below(far * 2) - far * 0.3) * SECOND;
}

function valueOf(dice: Dice): string {
  const kind = dice.below(9);
  if (kind < 3) return dice.percent(50) ? dice.pick(NUMBERS) : String(dice.below(100_000));
  if (kind === 3) return dice.pick([...ODD, ...LONG]);
  if (kind === 4) return dateOf(dice, someTime(dice));
  if (kind === 5) return instantOf(dice, someTime(dice));
  if (kind === 6) return dice.pick(ODD_DATES);
  if (kind === 7) return dice.pick(ODD_DURATIONS);
  return dice.pick([
    "6m0s",
    "20ms",
    "1h2m3s",
    "1.5s",
    `${dice.below(999)}s`,
    `${dice.below(99)}m${dice.below(60)}s`,
  ]);
}

const COUNTERS = ["requests", "tokens", "input-tokens", "output-tokens"];
const RETRY = ["retry-after-ms", "retry-after", "retry-after", "date"];
const RESETS: Readonly<Record<string, readonly string[]>> = {
  anthropic: [
    "anthropic-ratelimit-unified-reset",
    "anthropic-ratelimit-unified-5h-reset",
    "anthropic-ratelimit-unified-5h-utilization",
    "anthropic-ratelimit-unified-overage-in-use",
    ...COUNTERS.flatMap((name) =>
      ["limit", "remaining", "reset"].map((what) => `anthropic-ratelimit-${name}-${what}`),
    ),
  ],
  openai: COUNTERS.slice(0, 2).flatMap((name) =>
    ["limit", "remaining", "reset"].map((what) => `x-ratelimit-${what}-${name}`),
  ),
  chatgpt: ["primary", "secondary"].flatMap((place) =>
    ["used-percent", "window-minutes", "reset-at", "reset-after-seconds"].map(
      (what) => `x-codex-${place}-${what}`,
    ),
  ),
};

function headersOf(dice: Dice, provider: string): Headers {
  const headers = new Headers();
  for (const name of RETRY) if (dice.percent(20)) headers.set(name, valueOf(dice));
  if (dice.percent(20)) headers.set("date", dateOf(dice, NOW + dice.below(120_000) - 60_000));
  for (const name of RESETS[provider] ?? []) {
    if (dice.percent(50)) continue;
    const used = name.includes("remaining") ? "0" : "100";
    const isCount = name.includes("remaining") || name.includes("percent");
    headers.set(name, isCount && dice.percent(70) ? used : valueOf(dice));
  }
  return headers;
}

function numberOf(dice: Dice): unknown {
  return dice.pick<unknown>([
    dice.below(10_000),
    dice.random() * 100,
    0,
    -1,
    -0.5,
    1e308,
    1e21,
    NOW / SECOND + dice.below(99_999),
    NOW / SECOND - 5,
    NOW,
    "5",
    null,
    true,
    [5],
  ]);
}

function bodyOf(dice: Dice, words: JsonObject): JsonObject {
  const raw: Record<string, unknown> = { ...words };
  if (dice.percent(25)) raw["resets_at"] = numberOf(dice);
  if (dice.percent(25)) raw["resets_in_seconds"] = numberOf(dice);
  return JSON.parse(JSON.stringify(raw));
}

function check(seed: number): void {
  const dice = new Dice(seed);
  const { provider, words, wait } = dice.pick(ASKED);
  const headers = headersOf(dice, provider.name);
  const raw = bodyOf(dice, words);
  const message = dice.percent(30)
    ? `Limit reached. Please try again in ${valueOf(dice)}. Bye`
    : "Limit reached";
  const [type, code] = [String(words["type"] ?? ""), words["code"]];
  const error = {
    status: 429,
    type,
    code: code === undefined ? undefined : String(code),
    message,
    param: undefined,
    raw,
  };
  const answer: FailedAnswer = { status: 429, headers, error, page: false };
  const outcome = provider.outcome(answer, NOW);
  const told = JSON.stringify({ provider: provider.name, headers: [...headers], raw, message });
  if (outcome.kind !== "next" || (outcome.blame.on !== "limit" && outcome.blame.on !== "quota"))
    throw new Wrong(`${JSON.stringify(outcome)} by ${told}`);
  const kind = outcome.blame.on;
  const setback = { kind, model: "", forMs: outcome.blame.forMs, lease: 1 };
  const rest = setBack(undefined, setback, { now: 0, lease: 1, random: dice.random }).until;
  const named = wait({ headers, raw, message, nowMs: NOW });
  const least = named === undefined ? DEFAULTS[kind] : Math.min(LONGEST, Math.max(SECOND, named));
  const most = named === undefined ? least : least * 1.1;
  // The fraction of a millisecond that a time in words may have is nobody's business.
  if (!(rest >= least - 1 && rest <= most + 1)) throw new Wrong(`${rest} ms instead of ${least} by ${told}`);
  checkFault(outcome.fault, told);
  checkWindows(provider.limits(headers, NOW), told);
  const event = { used_percent: numberOf(dice), window_minutes: numberOf(dice), reset_at: numberOf(dice) };
  const data: JsonObject = JSON.parse(
    JSON.stringify({
      rate_limits: {
        primary: event,
        secondary: { ...event, reset_at: null, reset_after_seconds: numberOf(dice) },
      },
    }),
  );
  checkWindows(eventWindows(data, NOW), JSON.stringify(data));
}

function checkFault({ retryAfterMs }: Failure, told: string): void {
  if (retryAfterMs === undefined || (retryAfterMs >= SECOND && retryAfterMs <= LONGEST)) return;
  throw new Wrong(`the client is told ${retryAfterMs} ms by ${told}`);
}

function checkWindows(windows: readonly LimitWindow[], told: string): void {
  for (const { name, used, resetAt } of windows)
    if (
      (used !== undefined && !(Number.isFinite(used) && used >= 0)) ||
      (resetAt !== undefined && !Number.isFinite(resetAt))
    )
      throw new Wrong(`window ${JSON.stringify([name, String(used), String(resetAt)])} by ${told}`);
}

export const waits: Target = {
  name: "waits",
  inputs: 1_000_000,
  short: 10_000,
  open: () => ({ play: check }),
};
