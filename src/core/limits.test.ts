import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { clampWait, goDurationMs, instantMs, retryAfterMs, usedShare } from "./limits.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const after = (headers: Record<string, string>): number | undefined =>
  retryAfterMs(new Headers(headers), NOW);
const DAY = 86_400_000;

describe("retry-after", () => {
  test.each<[Record<string, string>, number | undefined]>([
    [{ "retry-after": "5" }, 5_000],
    [{ "retry-after": " 5 " }, 5_000],
    [{ "retry-after": "0" }, 1_000],
    [{ "retry-after": "1.5" }, 1_500],
    [{ "retry-after": "3600" }, 3_600_000],
    [{ "retry-after": "99999999" }, 8 * DAY],
    [{ "retry-after-ms": "1500" }, 1_500],
    [{ "retry-after-ms": "1500", "retry-after": "60" }, 1_500],
    [{ "retry-after-ms": "NaN", "retry-after": "60" }, 60_000],
    [{ "retry-after-ms": "-1", "retry-after": "60" }, 60_000],
    [{ "retry-after-ms": "1e3", "retry-after": "60" }, 60_000],
    [{ "retry-after-ms": "0" }, 1_000],
    [{ "retry-after": "Sun, 01 Mar 2026 12:00:30 GMT" }, 30_000],
    [{ "retry-after": "Sunday, 01-Mar-26 12:00:30 GMT" }, 30_000],
    [{ "retry-after": "Sun, 01 Mar 2026 11:00:00 GMT" }, 1_000],
    [{ "retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", date: "Sun, 01 Mar 2026 12:00:20 GMT" }, 10_000],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after": "+5" }, undefined],
    [{ "retry-after": "1e3" }, undefined],
    [{ "retry-after": "5s" }, undefined],
    [{ "retry-after": "NaN" }, undefined],
    [{ "retry-after": "Infinity" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after-ms": "9".repeat(400), "retry-after": "60" }, 60_000],
    [{ "retry-after": "Monday" }, undefined],
    [{ "retry-after": "Sun 2030" }, undefined],
    [{ "retry-after": "Sun, 01 Mar 2026 12:00:30" }, undefined],
    [{ "retry-after": "Sun, 01 Mar 2026 12:00:30 PST" }, undefined],
    [{ "retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", date: "Sunday" }, 30_000],
    [{}, undefined],
  ])("%p is %p ms", (headers, wanted) => {
    expect(after(headers)).toBe(wanted);
  });

  test("is never negative, never more than eight days, whatever stands there", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (value) => {
        const wait = after({ "retry-after": value });
        expect(wait === undefined || (wait >= 1_000 && wait <= 8 * DAY)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

test.each<[string, number | undefined]>([
  ["6m0s", 360_000],
  ["20ms", 20],
  ["1h2m3s", 3_723_000],
  ["1.5s", 1_500],
  ["", undefined],
  ["5", undefined],
  ["5x", undefined],
  ["-1s", undefined],
  [`${"9".repeat(400)}h`, undefined],
])("the Go duration %p is %p ms", (text, wanted) => {
  expect(goDurationMs(text)).toBe(wanted);
});

test("instants come as RFC 3339 or as epoch seconds, nothing else", () => {
  expect(instantMs("2026-03-01T12:00:00Z")).toBe(NOW);
  expect(instantMs(String(NOW / 1_000))).toBe(NOW);
  expect(instantMs("12 March")).toBeUndefined();
  expect(instantMs("2026-03-01T12:00:00")).toBeUndefined();
  expect(instantMs("9".repeat(400))).toBeUndefined();
  expect(instantMs(null)).toBeUndefined();
});

test("a counter's used share is a number or nothing", () => {
  expect(usedShare("10", "4")).toBeCloseTo(0.6);
  expect(usedShare("10", "12")).toBe(0);
  for (const remaining of [null, "", "-Infinity", "Infinity", "many"])
    expect(usedShare("10", remaining)).toBeUndefined();
  for (const limit of [null, "0", "-5", "Infinity"]) expect(usedShare(limit, "5")).toBeUndefined();
});

test("a wait is kept within one second and eight days", () => {
  expect([0, -5, 10_000, 1e15, Number.NaN].map(clampWait)).toEqual([
    1_000,
    1_000,
    10_000,
    8 * DAY,
    undefined,
  ]);
});

test("a date in asctime's form is read in UTC, wherever the gateway runs", () => {
  const before = process.env["TZ"];
  process.env["TZ"] = "America/New_York";
  try {
    const headers = new Headers({
      date: "Thu, 01 Jan 2026 00:00:00 GMT",
      "retry-after": "Thu Jan  1 00:00:45 2026",
    });
    expect(retryAfterMs(headers, 0)).toBe(45_000);
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
});
