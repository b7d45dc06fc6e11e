// What was recorded can be looked up beside the gateway that records it.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import type { Records } from "../../src/core/ports.ts";
import { openRecordsReader, type RecordsReader } from "../../src/stores/records-reader.ts";
import { exchangeOf, NOW } from "./records.ts";
import { Place } from "./sqlite-files.ts";

const DAY_MS = 86_400_000;
let place: Place;
let records: Records;

beforeEach(() => {
  place = new Place();
  records = place.open();
});

afterEach(() => {
  records.close();
  place.remove();
});

function reader(): RecordsReader {
  const opened = openRecordsReader(place.path);
  if (opened === undefined) throw new Error("there is no database");
  return opened;
}

test("records come back as they were written, while they are being written", () => {
  const full = exchangeOf("req_1");
  const bare = exchangeOf("req_2", {
    account: undefined,
    upstreamModel: undefined,
    upstreamProtocol: undefined,
    usage: undefined,
    firstByteMs: undefined,
    error: "pool_cooling",
    attempts: [],
    stream: false,
  });
  const look = reader();
  for (const each of [full, bare]) {
    records.append(each);
    records.flush();
    expect(look.find(each.id, 5)).toEqual([each]);
    expect(look.latest()).toEqual(each);
  }
  look.close();
});

test("a beginning of an id finds the newest, the exact id stands first, and nothing in it is a pattern", () => {
  for (const [n, id] of ["req_a", "req_ab", "req_abc", "req_b", "req_%"].entries())
    records.append(exchangeOf(id, { startedAt: NOW + n }));
  records.flush();
  const look = reader();
  const ids = (id: string, limit = 5): string[] => look.find(id, limit).map((each) => each.id);
  expect(ids("req_a")).toEqual(["req_a", "req_abc", "req_ab"]);
  expect(ids("req_ab", 1)).toEqual(["req_ab"]);
  expect(ids("req_%")).toEqual(["req_%"]);
  expect(ids("nothing")).toEqual([]);
  look.close();
});

test("usage is summed by what is asked for and by model, from a time on", () => {
  const usage = { input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 1 };
  records.append(exchangeOf("1", { usage, account: "a", upstreamModel: "m1" }));
  records.append(exchangeOf("2", { usage, account: "a", upstreamModel: "m1", startedAt: NOW + DAY_MS }));
  records.append(exchangeOf("3", { usage: undefined, account: "a", upstreamModel: "m2" }));
  records.append(exchangeOf("4", { usage, account: undefined, upstreamModel: undefined, model: "asked" }));
  records.append(exchangeOf("old", { usage, account: "a", startedAt: NOW - 1 }));
  records.flush();
  const look = reader();
  const none = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };
  expect(look.usage({ by: ["account"], since: NOW })).toEqual([
    { of: { account: "" }, model: "asked", requests: 1, untold: 0, usage },
    {
      of: { account: "a" },
      model: "m1",
      requests: 2,
      untold: 0,
      usage: { input: 2, cacheRead: 4, cacheWrite: 6, output: 8, reasoning: 2 },
    },
    { of: { account: "a" }, model: "m2", requests: 1, untold: 1, usage: none },
  ]);
  const days = look.usage({ by: ["day", "key"], since: NOW }).map(({ of }) => of);
  expect(days).toContainEqual({ day: "2026-01-01", key: "laptop" });
  expect(days).toContainEqual({ day: "2026-01-02", key: "laptop" });
  look.close();
});

test("without a database there is nothing to look into, and none is made", () => {
  const missing = `${place.path}.not-there`;
  expect(openRecordsReader(missing)).toBeUndefined();
  expect(openRecordsReader(missing)).toBeUndefined();
});

test("what is no database is told with its path", () => {
  const path = `${place.path}.text`;
  writeFileSync(path, "This is no database at all, but it is long enough to have a head of one.");
  chmodSync(path, 0o600);
  expect(() => openRecordsReader(path)?.latest()).toThrow(`the records in ${path} cannot be read`);
});
