// What every store of logins keeps, whatever it is made of; then what SQLite adds: files, full disks and locks.

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import fc from "fast-check";
import type { LoginStore, SealedLogin } from "../../src/core/login.ts";
import { loginsIn, openLoginStore } from "../../src/stores/logins-sqlite.ts";
import { memoryLoginStore } from "../../src/stores/memory.ts";
import first from "../../src/stores/migrations/0001-first.sql" with { type: "text" };
import { openDatabase } from "../../src/stores/migrations/database.ts";
import { settle, VirtualClock } from "../support/virtual-clock.ts";
import { exchangeOf, NOW } from "./records.ts";
import { Place } from "./sqlite-files.ts";

const LIMIT_MS = 180_000;
const DAY_MS = 86_400_000;

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

function open(): LoginStore {
  return openLoginStore({ path: place.path, clock: place.clock, log: place.log });
}

function login(version: number, account = "a"): SealedLogin {
  return { account, version, sealed: `${account} ${version}` };
}

/** What is kept of an account, past every cache. */
async function kept(
  store: LoginStore,
  account = "a",
): Promise<[SealedLogin | undefined, number | undefined]> {
  return [await store.load(account), (await store.versions()).get(account)];
}

const stores: Readonly<Record<string, () => { readonly store: LoginStore; readonly clock: VirtualClock }>> = {
  memory: () => {
    const clock = new VirtualClock(NOW);
    return { store: memoryLoginStore(clock), clock };
  },
  SQLite: () => ({ store: open(), clock: place.clock }),
};

describe.each(Object.keys(stores))("logins: %s", (name) => {
  let store: LoginStore;
  let clock: VirtualClock;
  beforeEach(() => {
    const made = stores[name]?.();
    if (made === undefined) throw new Error(name);
    ({ store, clock } = made);
  });
  afterEach(() => store.close());

  test("begins empty", async () => {
    expect(await kept(store)).toEqual([undefined, undefined]);
    expect((await store.versions()).size).toBe(0);
  });

  test("keeps the last version of each account", async () => {
    expect(await store.commit(login(1))).toBe(true);
    expect((await store.versions()).get("a")).toBe(1);
    expect(await store.commit(login(2))).toBe(true);
    expect(await store.commit(login(1, "b"))).toBe(true);
    expect(await kept(store)).toEqual([login(2), 2]);
    expect(await kept(store, "b")).toEqual([login(1, "b"), 1]);
    expect(await store.versions()).toEqual(
      new Map([
        ["a", 2],
        ["b", 1],
      ]),
    );
  });

  test("takes no version but the next one, and then nothing has changed", async () => {
    for (const version of [0, 2, 3]) expect(await store.commit(login(version))).toBe(false);
    expect(await kept(store)).toEqual([undefined, undefined]);
    await store.commit(login(1));
    await store.commit(login(2));
    for (const version of [0, 1, 2, 4]) {
      expect(await store.commit({ ...login(version), sealed: "another's" })).toBe(false);
      expect(await kept(store)).toEqual([login(2), 2]);
    }
  });

  test("lets one of many win that commit the same version", async () => {
    for (let version = 1; version <= 20; version++) {
      const tries = Array.from({ length: 10 }, (_, n) =>
        store.commit({ account: "a", version, sealed: `try ${n}` }),
      );
      const won = (await Promise.all(tries)).flatMap((done, n) => (done ? [n] : []));
      expect(won).toHaveLength(1);
      expect(await kept(store)).toEqual([{ account: "a", version, sealed: `try ${won[0]}` }, version]);
    }
  });

  test("takes any text", async () => {
    for (const text of ["", "'; DROP TABLE logins; --", "ä€😀", "x".repeat(1_000_000)]) {
      const odd = { account: text.slice(0, 100), version: 1, sealed: text };
      expect(await store.commit(odd)).toBe(true);
      expect(await kept(store, odd.account)).toEqual([odd, 1]);
    }
  });

  test("gives a claim of an owner that is known to be dead to whoever asks", async () => {
    await store.claim("a", "one", 1_000);
    const isDead = (owner: string): boolean => owner === "one";
    expect(await store.claim("a", "two", 1_000, (owner) => owner === "another")).toBe(false);
    expect(await store.claim("a", "two", 1_000, isDead)).toBe(true);
    expect(await store.claim("a", "three", 1_000, isDead)).toBe(false);
  });

  test("gives a claim to one owner until it is given back", async () => {
    expect(await store.claim("a", "one", 1_000)).toBe(true);
    expect(await store.claim("a", "two", 1_000)).toBe(false);
    expect(await store.claim("b", "two", 1_000)).toBe(true);
    await store.renounce("a", "two");
    await store.renounce("b", "one");
    expect(await store.claim("a", "two", 1_000)).toBe(false);
    expect(await store.claim("b", "one", 1_000)).toBe(false);
    await store.renounce("a", "one");
    expect(await store.claim("a", "two", 1_000)).toBe(true);
    expect(await store.claim("a", "one", 1_000)).toBe(false);
  });

  test("ends a claim with its time, counted anew whenever its owner asks", async () => {
    await store.claim("a", "one", 1_000);
    clock.advance(999);
    expect(await store.claim("a", "two", 1_000)).toBe(false);
    expect(await store.claim("a", "one", 5_000)).toBe(true);
    clock.advance(4_999);
    expect(await store.claim("a", "two", 1_000)).toBe(false);
    clock.advance(1);
    expect(await store.claim("a", "two", 1_000)).toBe(true);
    await store.renounce("a", "one");
    expect(await store.claim("a", "one", 1_000)).toBe(false);
  });

  test("keeps a claim over a small step back of the wall clock, and none for ever over a large one", async () => {
    await store.claim("a", "one", 1_000);
    clock.stepWall(-900);
    expect(await store.claim("a", "two", 1_000)).toBe(false);
    clock.advance(1_900);
    expect(await store.claim("a", "two", 1_000)).toBe(true);
    clock.stepWall(-DAY_MS);
    clock.advance(1_000);
    expect(await store.claim("a", "one", 1_000)).toBe(true);
  });

  test("holds what was committed for whoever opens it next", async () => {
    await store.commit(login(1));
    store.close();
    if (name === "SQLite") store = open();
    expect(await kept(store)).toEqual([login(1), 1]);
    expect(await store.commit(login(2))).toBe(true);
  });
});

type Step =
  | { readonly do: "commit"; readonly account: string; readonly ahead: number }
  | {
      readonly do: "claim" | "renounce";
      readonly account: string;
      readonly owner: string;
      readonly ms: number;
    }
  | { readonly do: "pass"; readonly ms: number };

const account = fc.constantFrom("a", "b");
const ms = fc.integer({ min: 1, max: 100 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("commit" as const), account, ahead: fc.constantFrom(0, 1, 1, 1, 2) }),
    fc.record({
      do: fc.constantFrom("claim" as const, "claim" as const, "renounce" as const),
      account,
      owner: fc.constantFrom("one", "two", "three"),
      ms,
    }),
    fc.record({ do: fc.constant("pass" as const), ms }),
  ),
  { maxLength: 25 },
);

async function take(store: LoginStore, step: Step): Promise<unknown> {
  if (step.do === "pass") return undefined;
  if (step.do !== "commit") return store[step.do](step.account, step.owner, step.ms);
  const before = (await store.versions()).get(step.account) ?? 0;
  return [await store.commit(login(before + step.ahead, step.account)), await store.load(step.account)];
}

test(
  "two connections to SQLite, used by turns, do what memory does",
  async () => {
    const play = async (list: readonly Step[]): Promise<void> => {
      const own = new Place();
      const memory = memoryLoginStore(own.clock);
      const pair = [0, 1].map(() => openLoginStore({ path: own.path, clock: own.clock, log: own.log }));
      for (const [n, step] of list.entries()) {
        if (step.do === "pass") own.clock.advance(step.ms);
        const store = pair[n % 2] ?? memory;
        expect(await take(store, step)).toEqual(await take(memory, step));
        for (const each of pair) expect(await each.versions()).toEqual(await memory.versions());
      }
      for (const store of pair) store.close();
      own.remove();
    };
    await fc.assert(fc.asyncProperty(steps, play), { numRuns: 40 });
  },
  LIMIT_MS,
);

/** A store, and its own connection. */
function onConnection(): { readonly store: LoginStore; readonly database: Database } {
  const database = openDatabase({ path: place.path, log: place.log, wall: () => NOW, recover: false });
  return { store: loginsIn(database, place.clock, place.log), database };
}

describe("logins in SQLite", () => {
  test("wait for the disk at each commit, which records do not", () => {
    const records = place.open();
    const database = openDatabase({ path: place.path, log: place.log, wall: () => NOW, recover: false });
    const pragma = (name: string): unknown => database.query(`PRAGMA ${name}`).values()[0]?.[0];
    expect([pragma("journal_mode"), pragma("synchronous")]).toEqual(["wal", 1]);
    const store = loginsIn(database, place.clock, place.log);
    expect([pragma("journal_mode"), pragma("synchronous")]).toEqual(["wal", 2]);
    store.close();
    records.close();
    expect(place.names).toEqual(["sub2api.sqlite"]);
  });

  test("make their own folder and file, for their owner only, whatever the umask", async () => {
    const before = process.umask(0);
    try {
      const store = open();
      await store.commit(login(1));
      expect(place.modes).toEqual({
        ".": "700",
        "sub2api.sqlite": "600",
        "sub2api.sqlite-shm": "600",
        "sub2api.sqlite-wal": "600",
      });
      store.close();
    } finally {
      process.umask(before);
    }
    expect(place.names).toEqual(["sub2api.sqlite"]);
    const records = place.open();
    records.append(exchangeOf("after the logins"));
    records.close();
    expect(place.lines).toEqual([]);
  });

  test("find a place in a database from before there were any", async () => {
    mkdirSync(dirname(place.path), { mode: 0o700 });
    const old = new Database(place.path, { create: true });
    old.run(first);
    old.run("INSERT INTO state (kind, key, value, expires_at) VALUES ('sticky', 'k', 'v', 9e15)");
    old.close(true);
    const store = open();
    expect(await store.commit(login(1))).toBe(true);
    store.close();
    const records = place.open();
    expect(records.load("sticky", NOW)).toEqual([{ kind: "sticky", key: "k", value: "v", expiresAt: 9e15 }]);
    records.close();
  });

  test("refuse a file that is another program's", () => {
    mkdirSync(dirname(place.path), { mode: 0o700 });
    const other = new Database(place.path, { create: true });
    other.run("CREATE TABLE mine (a)");
    other.close(true);
    expect(open).toThrow("belongs to another program");
  });

  test("throw on a full disk, and then nothing has changed", async () => {
    const { store, database } = onConnection();
    const limit = (pages: number): unknown => database.query(`PRAGMA max_page_count = ${pages}`).get();
    await store.commit(login(1));
    // The limit cannot go below what is there.
    limit(1);
    const large = { account: "a", version: 2, sealed: "x".repeat(100_000) };
    for (let n = 0; n < 3; n++) {
      await expect(store.commit(large)).rejects.toThrow(
        "the logins could not be written: database or disk is full",
      );
      await expect(store.commit({ ...large, account: "b", version: 1 })).rejects.toThrow("disk is full");
      expect(await kept(store)).toEqual([login(1), 1]);
      expect(await kept(store, "b")).toEqual([undefined, undefined]);
    }
    limit(1_000_000);
    expect(await store.commit(large)).toBe(true);
    expect(await kept(store)).toEqual([large, 2]);
    store.close();
  });

  test("wait while another program writes, and let everything else go on", async () => {
    const store = open();
    const other = new Database(place.path, { readwrite: true });
    other.run("BEGIN IMMEDIATE");
    const commit = store.commit(login(1));
    const claim = store.claim("a", "one", 1_000);
    await place.clock.pass(4_000);
    expect(await kept(store)).toEqual([undefined, undefined]);
    other.run("COMMIT");
    await place.clock.pass(100);
    expect([await commit, await claim]).toEqual([true, true]);
    other.close(true);
    store.close();
  });

  test("throw when another program writes for too long, and then nothing has changed", async () => {
    const store = open();
    const other = new Database(place.path, { readwrite: true });
    other.run("BEGIN IMMEDIATE");
    const outcomes = Promise.allSettled([store.commit(login(1)), store.claim("a", "one", 9e9)]);
    const renounced = store.renounce("a", "one");
    await place.clock.pass(6_000);
    const reason = { message: "the logins could not be written: database is locked" };
    expect(await outcomes).toMatchObject([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ]);
    // A claim ends by itself, so this is no trouble for its owner.
    await renounced;
    expect(place.events).toEqual(["claim-not-renounced"]);
    other.run("COMMIT");
    other.close(true);
    expect(await kept(store)).toEqual([undefined, undefined]);
    expect(await store.claim("a", "two", 1_000)).toBe(true);
    store.close();
  });

  test("throw once they are closed, whoever waits or comes", async () => {
    const store = open();
    const other = new Database(place.path, { readwrite: true });
    other.run("BEGIN IMMEDIATE");
    const commit = Promise.allSettled([store.commit(login(1))]);
    await settle();
    store.close();
    store.close();
    await place.clock.pass(100);
    const reason = { message: "the login store is closed" };
    expect(await commit).toMatchObject([{ status: "rejected", reason }]);
    await expect(store.load("a")).rejects.toThrow("closed");
    other.close(true);
  });

  test("leave nothing open that would keep the journal from being emptied", async () => {
    const store = open();
    await store.commit(login(1));
    await store.claim("a", "one", 1_000);
    await kept(store);
    const other = new Database(place.path, { readwrite: true });
    expect(other.query("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
    other.close(true);
    expect(await store.commit(login(2))).toBe(true);
    store.close();
  });
});
