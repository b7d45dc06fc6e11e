// What every store of records keeps, whatever it is made of. Each store runs this suite.

import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ExchangeRecord } from "../../src/core/exchange.ts";
import type { Records, SavedState } from "../../src/core/ports.ts";

export interface Store {
  /** Opens it, or opens it again after `close` when `lasting`. */
  open(): Records;
  /** Everything recorded, in order of its recording. */
  exchanges(): readonly ExchangeRecord[];
  /** Whether what was written is there after it was closed and opened again. */
  readonly lasting: boolean;
  remove(): void;
}

/** The wall clock's time in this suite; stores that ask for the time are to be given this one. */
export const NOW = 1_767_225_600_000;

export function exchangeOf(id: string, changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id,
    startedAt: NOW,
    protocol: "messages",
    stream: true,
    key: "laptop",
    model: "claude-sonnet",
    session: "s-1",
    account: "main",
    upstreamModel: "claude-sonnet-4-5",
    upstreamProtocol: "messages",
    attempts: ["first:limit", "main:ok"],
    status: 200,
    outcome: "ok",
    error: undefined,
    usage: { input: 1, cacheRead: 20_000, cacheWrite: 3, output: 400, reasoning: 50 },
    waitedMs: 0.25,
    firstByteMs: 420.125,
    tookMs: 12_345.75,
    bytesIn: 300_000,
    bytesOut: 4_000,
    ...changes,
  };
}

export function stateOf(key: string, changes: Partial<SavedState> = {}): SavedState {
  return { kind: "sticky", key, value: `value of ${key}`, expiresAt: NOW + 60_000, ...changes };
}

/** For tests that write often: a busy disk takes its time. */
export const SLOW_DISK_MS = 60_000;

const ODD_TEXTS = [
  "",
  "'; DROP TABLE state; --",
  '"',
  "%_\\",
  "ä€😀",
  "a\nb\tc",
  "x".repeat(100_000),
  "NULL",
  "0",
];

export function recordsContract(name: string, create: () => Store): void {
  let store: Store;
  const opened = (): Records => (store = create()).open();

  describe(`records: ${name}`, () => {
    afterEach(() => store.remove());

    test("keeps every field of an exchange, in order", () => {
      const records = opened();
      const rows = [
        exchangeOf("a"),
        exchangeOf("b", {
          account: undefined,
          upstreamModel: undefined,
          upstreamProtocol: undefined,
          usage: undefined,
          firstByteMs: undefined,
          attempts: [],
          stream: false,
        }),
        exchangeOf("c", { status: 502, outcome: "failed", error: "upstream_failed", protocol: "chat" }),
        exchangeOf("d", { usage: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 } }),
        ...ODD_TEXTS.map((text, n) =>
          exchangeOf(`t${n}`, { model: text, key: text, attempts: [text, text] }),
        ),
      ];
      for (const row of rows) records.append(row);
      records.flush();
      expect(store.exchanges()).toEqual(rows);
      records.close();
    });

    test("keeps the first of two exchanges of one id", () => {
      const records = opened();
      records.append(exchangeOf("a", { status: 200 }));
      records.flush();
      records.append(exchangeOf("a", { status: 500 }));
      records.append(exchangeOf("b"));
      records.flush();
      expect(store.exchanges()).toEqual([exchangeOf("a", { status: 200 }), exchangeOf("b")]);
      records.close();
    });

    test("keeps the last state of a key, apart by kind", () => {
      const records = opened();
      records.save(stateOf("a", { value: "old" }));
      records.save(stateOf("a", { value: "other kind", kind: "response" }));
      records.flush();
      records.save(stateOf("a", { value: "new" }));
      expect(records.load("sticky", NOW)).toEqual([stateOf("a", { value: "new" })]);
      records.flush();
      expect(records.load("sticky", NOW)).toEqual([stateOf("a", { value: "new" })]);
      expect(records.load("response", NOW)).toEqual([
        stateOf("a", { value: "other kind", kind: "response" }),
      ]);
      expect(records.load("cooldown", NOW)).toEqual([]);
      records.close();
    });

    test("loads states before they are written, soonest end first", () => {
      const records = opened();
      records.save(stateOf("late", { expiresAt: NOW + 3_000 }));
      records.flush();
      records.save(stateOf("forever", { expiresAt: Number.POSITIVE_INFINITY }));
      records.save(stateOf("soon", { expiresAt: NOW + 1_000.5 }));
      for (let round = 0; round < 2; round++) {
        const keys = records.load("sticky", NOW).map((state) => [state.key, state.expiresAt]);
        expect(keys).toEqual([
          ["soon", NOW + 1_000.5],
          ["late", NOW + 3_000],
          ["forever", Number.POSITIVE_INFINITY],
        ]);
        records.flush();
      }
      records.close();
    });

    test("loads nothing that has ended", () => {
      const records = opened();
      records.save(stateOf("a", { expiresAt: NOW + 1_000 }));
      records.save(stateOf("b", { expiresAt: NOW + 1_001 }));
      records.flush();
      expect(records.load("sticky", NOW + 1_000).map((state) => state.key)).toEqual(["b"]);
      records.save(stateOf("b", { expiresAt: NOW + 2_000 }));
      records.save(stateOf("c", { expiresAt: NOW + 1_500 }));
      expect(records.load("sticky", NOW + 1_500).map((state) => state.key)).toEqual(["b"]);
      records.close();
    });

    test("removes a state that is saved with an end in the past, written or not", () => {
      const records = opened();
      for (const key of ["written", "kept"]) records.save(stateOf(key));
      records.flush();
      records.save(stateOf("unwritten"));
      for (const key of ["written", "unwritten", "unknown"]) records.save(stateOf(key, { expiresAt: 0 }));
      expect(records.load("sticky", NOW)).toEqual([stateOf("kept")]);
      records.flush();
      expect(records.load("sticky", NOW)).toEqual([stateOf("kept")]);
      records.close();
    });

    test("takes any text as key and value", () => {
      const records = opened();
      const states = ODD_TEXTS.map((text, n) => stateOf(text, { value: text, expiresAt: NOW + 1 + n }));
      for (const state of states) records.save(state);
      records.flush();
      expect(records.load("sticky", NOW)).toEqual(states);
      records.close();
    });

    test("does nothing once it is closed, and does not complain", () => {
      const records = opened();
      records.append(exchangeOf("a"));
      records.close();
      records.append(exchangeOf("b"));
      records.save(stateOf("b"));
      records.flush();
      records.close();
      expect(records.load("sticky", NOW)).toEqual([]);
      expect(store.exchanges().map((row) => row.id)).toEqual(["a"]);
    });

    test(
      "holds what a map would hold, whatever is done to it",
      () => {
        const property = fc.property(steps, (list) => play(create(), list));
        fc.assert(property, { numRuns: 30 });
        store = create();
      },
      SLOW_DISK_MS,
    );
  });
}

type Step =
  | { readonly do: "save"; readonly state: SavedState }
  | { readonly do: "flush" | "reopen" }
  | { readonly do: "check"; readonly at: number };

const kinds = fc.constantFrom("sticky" as const, "cooldown" as const, "response" as const);
const state: fc.Arbitrary<SavedState> = fc.record({
  kind: kinds,
  key: fc.constantFrom("a", "b", "c", "d"),
  value: fc.string({ unit: "grapheme" }),
  expiresAt: fc.oneof(fc.constant(0), fc.integer({ min: NOW + 1, max: NOW + 1_000 })),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: state.map((each) => ({ do: "save" as const, state: each })) },
    { weight: 2, arbitrary: fc.constantFrom({ do: "flush" as const }, { do: "reopen" as const }) },
    {
      weight: 2,
      arbitrary: fc.integer({ min: NOW, max: NOW + 1_100 }).map((at) => ({ do: "check" as const, at })),
    },
  ),
  { maxLength: 40 },
);

function play(store: Store, list: readonly Step[]): void {
  let records = store.open();
  const model = new Map<string, SavedState>();
  // What has ended when it is looked for may be dropped for good, so looks go forward in time.
  let at = NOW;
  for (const step of list) {
    if (step.do === "save") model.set(`${step.state.kind} ${step.state.key}`, step.state);
    if (step.do === "save") records.save(step.state);
    else if (step.do === "flush") records.flush();
    else if (step.do === "reopen" && store.lasting) {
      records.close();
      records = store.open();
    } else if (step.do === "check") {
      at = Math.max(at, step.at);
      for (const kind of ["sticky", "cooldown", "response"] as const) {
        const live = [...model.values()].filter((each) => each.kind === kind && each.expiresAt > at);
        expect(byKey(records.load(kind, at))).toEqual(byKey(live));
      }
    }
  }
  records.close();
  store.remove();
}

function byKey(states: readonly SavedState[]): SavedState[] {
  return states.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
