import { describe, expect, test } from "bun:test";
import { EXTRA_USAGE } from "../../core/limits.ts";
import { eventWindows, headerWindows, usedUpMs } from "./limits.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const SECONDS = NOW / 1_000;
const seen = { source: "header", seenAt: NOW } as const;

function windows(
  headers: Record<string, string>,
): (readonly [string, number | undefined, number | undefined])[] {
  return headerWindows(new Headers(headers), NOW).map(({ name, used, resetAt }) => [name, used, resetAt]);
}

const primary = (percent: string, more: Record<string, string> = {}): Record<string, string> => ({
  "x-codex-primary-used-percent": percent,
  "x-codex-primary-window-minutes": "300",
  "x-codex-primary-reset-at": String(SECONDS + 60),
  ...more,
});

test("an event's numbers that cannot be are no window and no time", () => {
  const told = (window: object): unknown =>
    eventWindows(JSON.parse(JSON.stringify({ rate_limits: { primary: window } })), NOW).map(
      ({ used, resetAt }) => [used, resetAt],
    );
  expect(told({ used_percent: -1, reset_at: SECONDS })).toEqual([]);
  expect(told({ used_percent: 50, reset_at: 1e308 })).toEqual([[0.5, undefined]]);
  expect(told({ used_percent: 50, reset_after_seconds: 1e308 })).toEqual([[0.5, undefined]]);
});

describe("headers", () => {
  test("tell both windows, by their length", () => {
    const headers = primary("42.5", {
      "x-codex-secondary-used-percent": "7",
      "x-codex-secondary-window-minutes": "10080",
      "x-codex-secondary-reset-after-seconds": "3600",
    });
    expect(headerWindows(new Headers(headers), NOW)).toEqual([
      { name: "5h", used: 0.425, resetAt: NOW + 60_000, ...seen },
      { name: "7d", used: 0.07, resetAt: NOW + 3_600_000, ...seen },
    ]);
  });

  test.each([
    ["299", "5h"],
    ["300", "5h"],
    ["10079", "7d"],
    ["1440", "1d"],
    ["43200", "30d"],
    ["90", "90m"],
    ["15", "15m"],
    ["0", "primary"],
    ["soon", "primary"],
  ])("call %s minutes %s", (minutes, name) => {
    expect(windows(primary("1", { "x-codex-primary-window-minutes": minutes }))[0]?.[0]).toBe(name);
  });

  test("tell the limits of single models under their own names", () => {
    const headers = primary("1", {
      "x-codex-other-model-primary-used-percent": "99",
      "x-codex-other-model-primary-window-minutes": "300",
      "x-codex-other-model-limit-name": "Other Model",
    });
    expect(windows(headers)).toContainEqual(["codex-other-model-5h", 0.99, undefined]);
  });

  test("that are no numbers, empty or too many are left alone", () => {
    expect(windows({ "x-codex-primary-used-percent": "1e3" })).toEqual([]);
    expect(windows({ "x-codex-primary-used-percent": "-1" })).toEqual([]);
    expect(windows({ "x-codex-primary-used-percent": "0" })).toEqual([]);
    expect(windows({ "x-primary-used-percent": "5", "x-codex-tertiary-used-percent": "5" })).toEqual([]);
    const many = Array.from({ length: 50 }, (_, i) => [`x-limit-${i}-primary-used-percent`, "5"] as const);
    expect(windows(Object.fromEntries(many))).toHaveLength(16);
  });

  test("say when a used-up window ends: that of the limit that is meant", () => {
    const used = new Headers(
      primary("100", {
        "x-other-primary-used-percent": "100",
        "x-other-primary-reset-at": String(SECONDS + 5),
      }),
    );
    expect(usedUpMs(used, NOW)).toBe(60_000);
    used.set("x-codex-active-limit", "other");
    expect(usedUpMs(used, NOW)).toBe(5_000);
    expect(usedUpMs(new Headers(primary("99")), NOW)).toBeUndefined();
    expect(
      usedUpMs(new Headers(primary("100", { "x-codex-primary-reset-at": String(SECONDS - 1) })), NOW),
    ).toBeUndefined();
  });
});

describe("usage beyond the plan", () => {
  const extra = (headers: Record<string, string>): unknown =>
    windows(headers)
      .find(([name]) => name === EXTRA_USAGE)
      ?.slice(1);

  test("is paid for once a window is used up and there are credits, until that window starts anew", () => {
    const credits = { "x-codex-credits-has-credits": "True", "x-codex-credits-unlimited": "False" };
    expect(extra(primary("100", credits))).toEqual([1, NOW + 60_000]);
    expect(extra(primary("99", credits))).toEqual([0, undefined]);
    expect(extra(primary("100", { ...credits, "x-codex-credits-unlimited": "True" }))).toEqual([
      0,
      undefined,
    ]);
    expect(extra(primary("100", { "x-codex-credits-has-credits": "False" }))).toEqual([0, undefined]);
    const other = { ...credits, "x-other-primary-used-percent": "100" };
    expect(extra(primary("5", other))).toEqual([0, undefined]);
  });

  test("is not spoken of without a word on credits or on the plan", () => {
    expect(extra(primary("100"))).toBeUndefined();
    expect(extra({ "x-codex-credits-has-credits": "true" })).toBeUndefined();
  });
});

describe("the event", () => {
  const event = {
    type: "codex.rate_limits",
    plan_type: "plus",
    rate_limits: {
      primary: { used_percent: 100, window_minutes: 300, reset_at: SECONDS + 60 },
      secondary: { used_percent: 20, window_minutes: 10_080, reset_after_seconds: 10 },
    },
    credits: { has_credits: true, unlimited: false, balance: "12.5" },
  };

  test("tells what the headers tell", () => {
    const source = { source: "event", seenAt: NOW } as const;
    expect(eventWindows(event, NOW)).toEqual([
      { name: "5h", used: 1, resetAt: NOW + 60_000, ...source },
      { name: "7d", used: 0.2, resetAt: NOW + 10_000, ...source },
      { name: EXTRA_USAGE, used: 1, resetAt: NOW + 60_000, ...source },
    ]);
  });

  test("of a single model's limit says nothing of the plan", () => {
    const names = eventWindows({ ...event, metered_limit_name: "codex_other" }, NOW).map(({ name }) => name);
    expect(names).toEqual(["codex-other-5h", "codex-other-7d"]);
  });

  test("may be empty or odd", () => {
    for (const odd of [
      {},
      { rate_limits: null, credits: null },
      { rate_limits: { primary: { used_percent: "5" }, secondary: null } },
    ]) {
      expect(eventWindows(odd, NOW)).toEqual([]);
    }
  });
});
