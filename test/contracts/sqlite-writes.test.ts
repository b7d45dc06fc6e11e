// When the SQLite store writes, what it does while it cannot, and what it forgets.

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Records } from "../../src/core/ports.ts";
import { openDatabase } from "../../src/stores/migrations/database.ts";
import { recordsIn } from "../../src/stores/sqlite.ts";
import { exchangeOf, NOW, stateOf } from "./records.ts";
import { Place } from "./sqlite-files.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

function append(records: Records, from: number, count: number): void {
  for (let n = from; n < from + count; n++) records.append(exchangeOf(`row-${n}`));
}

function ids(): string[] {
  return place.exchanges().map((row) => row.id);
}

function firstAndLast(): [number, string | undefined, string | undefined] {
  const all = ids();
  return [all.length, all[0], all.at(-1)];
}

describe("writing", () => {
  test("happens 250 ms after the first row, not when a request appends", () => {
    const records = place.open();
    append(records, 0, 3);
    records.save(stateOf("a"));
    expect(ids()).toEqual([]);
    place.clock.advance(249);
    expect(ids()).toEqual([]);
    place.clock.advance(1);
    expect(ids()).toEqual(["row-0", "row-1", "row-2"]);
    records.close();
  });

  test("happens as soon as 500 rows wait, 500 at a time", () => {
    const records = place.open();
    append(records, 0, 499);
    place.clock.advance(0);
    expect(ids()).toHaveLength(0);
    append(records, 499, 700);
    expect(ids()).toHaveLength(0);
    place.clock.advance(0);
    expect(firstAndLast()).toEqual([1_199, "row-0", "row-1198"]);
    records.close();
  });

  test("happens at flush and at close, which leaves one file", () => {
    const records = place.open();
    append(records, 0, 1_200);
    records.flush();
    expect(ids()).toHaveLength(1_200);
    append(records, 1_200, 1_200);
    records.close();
    expect(place.names).toEqual(["sub2api.sqlite"]);
    expect(firstAndLast()).toEqual([2_400, "row-0", "row-2399"]);
  });

  test("leaves no timer behind", () => {
    const records = place.open();
    append(records, 0, 1);
    records.close();
    expect(place.clock.pending).toBe(0);
  });

  test("is not held up by a row that no store can take", () => {
    const records = place.open();
    records.append(exchangeOf("before"));
    records.append(exchangeOf("bad", { status: Number.NaN }));
    records.append(exchangeOf("worse", { model: Symbol("x") as unknown as string }));
    records.append(exchangeOf("odd", { usage: { ...usage, output: Number.NaN }, startedAt: NOW + 0.5 }));
    records.append(exchangeOf("after"));
    records.flush();
    expect(ids()).toEqual(["before", "odd", "after"]);
    expect(place.lines).toEqual([{ level: "error", event: "records-dropped", fields: { rows: 2 } }]);
    records.close();
  });

  test("goes on while another program reads", () => {
    const records = place.open();
    append(records, 0, 1);
    records.flush();
    const reader = new Database(place.path, { readonly: true });
    reader.run("BEGIN");
    expect(reader.query("SELECT count(*) AS n FROM exchanges").get()).toEqual({ n: 1 });
    append(records, 1, 1);
    records.flush();
    reader.run("COMMIT");
    expect(reader.query("SELECT count(*) AS n FROM exchanges").get()).toEqual({ n: 2 });
    reader.close(true);
    records.close();
  });
});

const usage = { input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 5 };

/** A store on a disk that can be filled and freed. */
function onSmallDisk(): { records: Records; fill: () => void; free: () => void } {
  const database = openDatabase({ path: place.path, log: place.log, wall: () => NOW, recover: false });
  const limit = (pages: number): void => {
    database.query(`PRAGMA max_page_count = ${pages}`).get();
  };
  return {
    records: recordsIn(database, place.clock, place.log),
    // The limit cannot go below what is there.
    fill: () => limit(1),
    free: () => limit(1_000_000),
  };
}

describe("while the disk is full", () => {
  test("rows wait, requests notice nothing, and everything is written later", () => {
    const { records, fill, free } = onSmallDisk();
    append(records, 0, 5);
    records.flush();
    fill();
    append(records, 5, 2_000);
    for (let n = 0; n < 600; n++)
      records.save(stateOf(`s${n}`, { value: "v".repeat(100), expiresAt: NOW + DAY_MS }));
    place.clock.advance(10_000);
    expect(() => records.flush()).toThrow("the records could not be written: database or disk is full");
    expect(records.load("sticky", NOW)).toHaveLength(600);
    free();
    place.clock.advance(5_000);
    expect(firstAndLast()).toEqual([2_005, "row-0", "row-2004"]);
    expect(records.load("sticky", NOW)).toHaveLength(600);
    expect(place.events).toEqual(["records-unwritten", "records-written-again"]);
    records.close();
  });

  test("it is said once a minute", () => {
    const { records, fill } = onSmallDisk();
    fill();
    append(records, 0, 500);
    place.clock.advance(10 * MINUTE_MS);
    const [first, ...later] = place.lines;
    expect(first?.fields).toMatchObject({
      error: "database or disk is full",
      rows: 500,
      states: 0,
      tries: 1,
    });
    expect(later.length).toBeGreaterThanOrEqual(9);
    expect(later.length).toBeLessThanOrEqual(10);
    records.close();
    expect(place.events.at(-1)).toBe("records-lost");
  });

  test("the oldest rows beyond 10,000 are given up and counted, but no state is", () => {
    const { records, fill, free } = onSmallDisk();
    fill();
    append(records, 0, 600);
    for (let n = 0; n < 600; n++) records.save(stateOf(`s${n}`, { expiresAt: NOW + DAY_MS }));
    place.clock.advance(1_000);
    append(records, 600, 12_000);
    place.clock.advance(MINUTE_MS);
    free();
    records.flush();
    expect(firstAndLast()).toEqual([10_000, "row-2600", "row-12599"]);
    expect(records.load("sticky", NOW)).toHaveLength(600);
    const dropped = place.lines.filter((line) => line.event === "records-dropped");
    expect(dropped).toHaveLength(2);
    expect(dropped.reduce((sum, line) => sum + Number(line.fields?.["rows"]), 0)).toBe(2_600);
    records.close();
  });

  test("the file stays sound, and a start after it finds what was written", () => {
    const { records, fill } = onSmallDisk();
    append(records, 0, 100);
    records.flush();
    fill();
    append(records, 100, 2_000);
    place.clock.advance(MINUTE_MS);
    records.close();
    place.open().close();
    expect(firstAndLast()).toEqual([100, "row-0", "row-99"]);
  });
});

test("while another program holds the lock, rows wait", () => {
  const records = place.open();
  const other = new Database(place.path, { readwrite: true });
  other.run("BEGIN IMMEDIATE");
  append(records, 0, 1);
  place.clock.advance(250);
  const told = place.lines.find((line) => line.event === "records-unwritten");
  expect(told?.fields).toMatchObject({ error: "database is locked", rows: 1 });
  other.run("COMMIT");
  other.close(true);
  place.clock.advance(1_000);
  expect(ids()).toEqual(["row-0"]);
  records.close();
});

describe("what is too old", () => {
  test("goes after the start, in steps", () => {
    const before = place.open();
    for (let n = 0; n < 1_000; n++)
      before.append(exchangeOf(`old-${n}`, { startedAt: NOW - 90 * DAY_MS - 1 }));
    before.append(exchangeOf("kept", { startedAt: NOW - 90 * DAY_MS + 10_000 }));
    for (let n = 0; n < 300; n++) before.save(stateOf(`s${n}`, { expiresAt: NOW + 1 }));
    before.close();
    place.clock.advance(5);
    const records = place.open();
    expect(ids()).toHaveLength(1_001);
    place.clock.advance(50);
    expect(ids()).toHaveLength(801);
    place.clock.advance(1_000);
    expect(ids()).toEqual(["kept"]);
    const database = new Database(place.path, { readonly: true });
    expect(database.query("SELECT count(*) AS n FROM state").get()).toEqual({ n: 0 });
    database.close(true);
    records.close();
  });

  test("goes every hour", () => {
    const records = place.open();
    records.append(exchangeOf("a", { startedAt: NOW - 90 * DAY_MS + 30 * MINUTE_MS }));
    place.clock.advance(31 * MINUTE_MS);
    expect(ids()).toEqual(["a"]);
    place.clock.advance(30 * MINUTE_MS);
    expect(ids()).toEqual([]);
    records.close();
  });

  test("stays while the disk is full or the file locked, without an error for anybody", () => {
    const records = place.open();
    const other = new Database(place.path, { readwrite: true });
    other.run("BEGIN IMMEDIATE");
    place.clock.advance(60);
    expect(place.events).toEqual(["records-not-swept"]);
    other.run("COMMIT");
    other.close(true);
    records.close();
  });
});
