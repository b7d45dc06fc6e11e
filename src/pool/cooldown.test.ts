import { expect, test } from "bun:test";
import { type Cooldown, type CoolKind, setBack } from "./cooldown.ts";
import { HOUR, MINUTE, SECOND } from "./rig.test.ts";

interface Course {
  readonly kind: CoolKind;
  readonly forMs?: number;
  readonly random?: number;
}

/** The waits of setbacks that each come by a probe right after the last cooldown's end. */
function waits({ kind, forMs, random = 0 }: Course, times: number): readonly number[] {
  let known: Cooldown | undefined;
  let now = 1_000;
  return Array.from({ length: times }, (_, at) => {
    const lease = 2 * at + 1;
    const setback = { kind, model: "", forMs, lease };
    known = setBack(known, setback, { now, lease, random: () => random });
    const waitMs = known.until - now;
    now = known.until;
    return waitMs;
  });
}

test("a bare limit waits 1 min and doubles to 30 min", () => {
  expect(waits({ kind: "limit" }, 7)).toEqual([1, 2, 4, 8, 16, 30, 30].map((minutes) => minutes * MINUTE));
});

test("a quota without a named end waits 1 h and doubles to 24 h", () => {
  expect(waits({ kind: "quota" }, 6)).toEqual([1, 2, 4, 8, 16, 24].map((hours) => hours * HOUR));
});

test("a refused credential waits 30 min and doubles to 24 h", () => {
  expect(waits({ kind: "credential" }, 7)).toEqual([0.5, 1, 2, 4, 8, 16, 24].map((hours) => hours * HOUR));
});

test("a missing model waits 1 h every time", () => {
  expect(waits({ kind: "model" }, 3)).toEqual([HOUR, HOUR, HOUR]);
});

test("a named wait is taken with up to a tenth more, never less, and within 1 s and 8 days", () => {
  expect(waits({ kind: "limit", forMs: 7 * SECOND }, 3)).toEqual([7_000, 7_000, 7_000]);
  expect(waits({ kind: "limit", forMs: 100 * SECOND, random: 0.5 }, 1)).toEqual([105_000]);
  expect(waits({ kind: "quota", forMs: 100 * 24 * HOUR }, 1)).toEqual([8 * 24 * HOUR]);
  expect(waits({ kind: "limit", forMs: 1 }, 1)).toEqual([SECOND]);
  expect(waits({ kind: "limit", forMs: Number.NaN }, 1)).toEqual([MINUTE]);
});

const at = (now: number, lease: number) => ({ now, lease, random: () => 0 });

test("a newer named end replaces a later one, and a bare limit of an older request replaces nothing", () => {
  const long = setBack(undefined, { kind: "limit", model: "", forMs: HOUR, lease: 1 }, at(0, 5));
  const short = setBack(long, { kind: "limit", model: "", forMs: MINUTE, lease: 2 }, at(SECOND, 5));
  expect(short.until).toBe(SECOND + MINUTE);
  const bare = { kind: "limit" as const, model: "", forMs: undefined, lease: 3 };
  expect(setBack(short, bare, at(2 * SECOND, 5))).toBe(short);
});

test("requests that were under way when a limit was hit do not double it", () => {
  const bare = (lease: number) => ({ kind: "limit" as const, model: "", forMs: undefined, lease });
  const first = setBack(undefined, bare(1), at(0, 10));
  const late = setBack(first, bare(9), at(first.until + 1, 10));
  expect(late.until - first.until - 1).toBe(MINUTE);
  const probe = setBack(late, bare(11), at(late.until, 11));
  expect(probe.until - late.until).toBe(2 * MINUTE);
});

test("a quota may be probed every 15 min, and a probe that fails early does not lengthen it", () => {
  const quota = (lease: number) => ({ kind: "quota" as const, model: "", forMs: undefined, lease });
  const first = setBack(undefined, quota(1), at(0, 1));
  expect(first).toMatchObject({ until: HOUR, probeAt: 15 * MINUTE });
  const second = setBack(first, quota(2), at(16 * MINUTE, 2));
  expect(second).toMatchObject({ until: HOUR, probeAt: 31 * MINUTE, doublings: 0 });
  const late = setBack(first, quota(0), at(16 * MINUTE, 1));
  expect(late).toMatchObject({ until: HOUR, probeAt: 31 * MINUTE });
  const named = setBack(second, { ...quota(3), forMs: 10 * MINUTE }, at(31 * MINUTE, 3));
  expect(named).toMatchObject({ until: 41 * MINUTE, probeAt: 41 * MINUTE });
});
