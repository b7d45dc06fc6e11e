import { expect, test } from "bun:test";
import type { Outcome } from "../core/outcome.ts";
import { account, cut, limited, MINUTE, next, OK, rig, type Rig, SECOND, STOP } from "./rig.test.ts";

const failed = next({ on: "account" });
const unreachable = next({ on: "route" });
/** `a` goes first, so that it is the one to be struck. */
const four = ["a", "b", "c", "d"].map((name) => account(name, { priority: name === "a" ? 1 : 50 }));

async function strike({ run }: Rig, times: number, outcome = failed): Promise<void> {
  for (let time = 0; time < times; time += 1) await run({}, outcome);
}

test("5 failures in a row eject an account; a success in between starts the count again", async () => {
  const pool = rig(four);
  await strike(pool, 4);
  expect(await pool.run()).toBe("a");
  await strike(pool, 4);
  expect(pool.state("a")).toBe("ready");
  expect(await pool.run({}, failed)).toBe("a");
  expect(pool.state("a")).toBe("cooling");
  expect(await pool.run()).toBe("b");
});

test("half of 10 requests failing within 30 s ejects an account", async () => {
  const pool = rig(four);
  for (let time = 0; time < 4; time += 1) {
    await pool.run({}, failed);
    await pool.run();
  }
  expect(await pool.run()).toBe("a");
  expect(await pool.run({}, failed)).toBe("a");
  expect(pool.state("a")).toBe("cooling");
  const slow = rig(four);
  for (let time = 0; time < 20; time += 1) {
    await slow.run({}, failed);
    await slow.run();
    slow.clock.advance(8 * SECOND);
  }
  expect(slow.state("a")).toBe("ready");
});

test("a failure after content is a strike too, and a request at fault is neither strike nor success", async () => {
  const { trip, run, state } = rig(four);
  for (let time = 0; time < 5; time += 1) {
    const one = await trip();
    await one.commit().end(cut({ on: "account" }));
    if (time < 4) await run({}, STOP);
  }
  expect(state("a")).toBe("cooling");
});

test("an ejection lasts 30 s a time up to 300 s, give or take a fifth, and ends with one probe", async () => {
  const pool = rig(four);
  await strike(pool, 5);
  for (const times of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]) {
    const { until = 0 } = pool.pool.status()[0] ?? {};
    const leftMs = until - pool.clock.wall();
    expect(leftMs).toBeWithin(times * 24 * SECOND - 1, times * 36 * SECOND + 2);
    expect(await pool.run()).not.toBe("a");
    pool.clock.advance(leftMs);
    const probe = await pool.trip();
    expect(probe.account).toBe("a");
    expect((await pool.trip().then((other) => other.end())).account).not.toBe("a");
    await probe.end(failed);
  }
});

test("a probe's content readmits the account, and if it breaks off it is ejected again at once", async () => {
  for (const end of [OK, cut({ on: "account" })]) {
    const { trip, run, state, clock, ...rest } = rig(four);
    await strike({ trip, run, state, clock, ...rest }, 5);
    clock.advance(MINUTE);
    const probe = await trip();
    probe.commit();
    expect((await trip()).account).toBe("a");
    await probe.end(end);
    expect(state("a")).toBe(end === OK ? "ready" : "cooling");
  }
});

test("an account that always fails gets 5 of 1,000 new sessions and one a window", async () => {
  const { trip, clock } = rig(["a", "b", "c"].map((name) => account(name)));
  let hits = 0;
  for (let at = 0; at < 1_000; at += 1) {
    const one = await trip();
    while (one.lease !== undefined) {
      const isBad = one.account === "a";
      hits += isBad ? 1 : 0;
      if (!isBad) one.commit();
      await one.end(isBad ? failed : OK);
      if (!isBad) break;
      await one.next();
    }
    expect(one.account).not.toBe("a");
    clock.advance(100);
  }
  expect(hits).toBeWithin(5, 9);
});

test("never more than half of a platform's accounts are ejected, and never the only one", async () => {
  for (const [size, most] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [5, 2],
  ] as const) {
    const accounts = Array.from({ length: size }, (_, at) => account(`a${at}`));
    const { run, pool } = rig([...accounts, account("other", { platform: "openai" })]);
    for (let time = 0; time < 100; time += 1) await run({}, failed);
    const cooling = pool.status().filter((each) => each.state === "cooling");
    expect(cooling).toHaveLength(most);
  }
});

test("when only an ejected account is left it is used, and its success readmits it", async () => {
  const { run, state, ...rest } = rig([account("a", { priority: 1 }), account("b")]);
  await strike({ run, state, ...rest }, 5);
  await run({}, limited(MINUTE));
  expect(state("b")).toBe("cooling");
  expect(await run({}, failed)).toBe("a");
  expect(state("a")).toBe("cooling");
  expect(await run()).toBe("a");
  expect(state("a")).toBe("ready");
});

test("an ejected account is the last resort of a request that has tried the others", async () => {
  const pool = rig([account("a", { priority: 1 }), account("b")]);
  await strike(pool, 5);
  const one = await pool.trip();
  expect(one.account).toBe("b");
  await one.end(failed);
  expect((await one.next()).account).toBe("a");
});

const onX = { origin: "http://x.test:80", baseUrl: "http://x.test" };
const shared = [
  account("x1", { ...onX, priority: 1 }),
  account("x2", { ...onX, priority: 2 }),
  account("y1", { priority: 3 }),
  account("y2", { priority: 3 }),
];

test("a route that cannot be reached is ejected with all its accounts, and nobody is cooled", async () => {
  const { run, state, pool, ...rest } = rig(shared);
  await strike({ run, state, pool, ...rest }, 5, unreachable);
  expect(["x1", "x2", "y1", "y2"].map((name) => state(name))).toEqual([
    "cooling",
    "cooling",
    "ready",
    "ready",
  ]);
  expect(await run()).toBe("y1");
  rest.clock.advance(40 * SECOND);
  expect(await run()).toBe("x1");
  expect(state("x2")).toBe("ready");
});

test("failures of one account do not eject the route, failures of two do", async () => {
  const alone = rig(shared);
  await strike(alone, 5);
  expect([alone.state("x1"), alone.state("x2")]).toEqual(["cooling", "ready"]);
  const both = rig(shared);
  for (let time = 0; time < 3; time += 1) {
    const one = await both.trip();
    await one.end(failed);
    await (await one.next()).end(failed);
  }
  expect([both.state("x1"), both.state("x2"), both.state("y1")]).toEqual(["cooling", "cooling", "ready"]);
});

test("a route that all accounts share is never ejected", async () => {
  const accounts = ["a", "b", "c", "d"].map((name) => account(name, onX));
  const { run, pool } = rig(accounts);
  for (let time = 0; time < 50; time += 1) await run({}, unreachable);
  expect(pool.status().filter((each) => each.state === "cooling")).toHaveLength(0);
});

test("an account that alone fails where others do well is ejected for an unreached way and for overload", async () => {
  for (const outcome of [unreachable, next({ on: "provider" })]) {
    const others = ["b", "c"].map((name) => account(name, { ...onX, priority: 2 }));
    const { trip, state } = rig([account("a", { ...onX, priority: 1, concurrency: 1 }), ...others]);
    for (let time = 0; time < 5; time += 1) {
      const first = await trip();
      expect(first.account).toBe("a");
      await (await trip()).commit().end();
      await first.end(outcome);
    }
    expect(["a", "b", "c"].map((name) => state(name))).toEqual(["cooling", "ready", "ready"]);
  }
});

test("an account whose own way is down is ejected, though others reach the same origin", async () => {
  const { state, ...rest } = rig([
    account("a", { ...onX, priority: 1, proxy: "http://proxy.test:3128" }),
    account("b", onX),
    account("c", onX),
  ]);
  await strike({ state, ...rest }, 5, unreachable);
  expect(["a", "b", "c"].map((name) => state(name))).toEqual(["cooling", "ready", "ready"]);
});

test("a failure of an ejected account that is used for want of others does not lengthen its ejection", async () => {
  const pool = rig([account("a", { priority: 1 }), account("b")]);
  await strike(pool, 5);
  await pool.run({}, limited(MINUTE));
  const { until } = pool.pool.status()[0] ?? {};
  await strike(pool, 10);
  expect(pool.pool.status()[0]?.until).toBe(until);
});

test("whoever can have nobody but a busy ejected account waits for it", async () => {
  const pool = rig([account("a", { priority: 1, concurrency: 1 }), account("b")]);
  await strike(pool, 5);
  await pool.run({}, limited(10 * MINUTE));
  const first = await pool.trip();
  expect(first.account).toBe("a");
  const waiting = await pool.trip();
  expect(waiting.isWaiting).toBe(true);
  await first.end(failed);
  expect(waiting.account).toBe("a");
});

test("an older request that ends well does not readmit an account", async () => {
  const pool = rig(four);
  const older = await pool.trip();
  await strike(pool, 5);
  await older.commit().end();
  expect(pool.state("a")).toBe("cooling");
});

test("after 5 quiet minutes an ejection is as short as the first", async () => {
  const pool = rig(four, { random: () => 0.5 });
  for (let round = 0; round < 3; round += 1) {
    await strike(pool, 5);
    expect(pool.pool.status()[0]?.until).toBe(pool.clock.wall() + 30 * SECOND);
    pool.clock.advance(30 * SECOND);
    expect(await pool.run()).toBe("a");
    pool.clock.advance(5 * MINUTE + 1);
  }
});

test("what was counted before an ejection does not count after it", async () => {
  const pool = rig([account("a", { priority: 1, concurrency: 20 }), account("b")], { random: () => 0 });
  const trips = await Promise.all(Array.from({ length: 12 }, () => pool.trip()));
  for (const each of trips) await each.end(failed);
  pool.clock.advance(25 * SECOND);
  expect(await pool.run()).toBe("a");
  expect(await pool.run({}, failed)).toBe("a");
  expect(pool.state("a")).toBe("ready");
});

test("whoever waits gets an ejected account when its time is up", async () => {
  const pool = rig([account("a", { priority: 1 }), account("b", { concurrency: 1 })], { random: () => 0 });
  await strike(pool, 5);
  expect((await pool.trip()).account).toBe("b");
  const waiting = await pool.trip();
  await pool.clock.pass(24 * SECOND - 1);
  expect(waiting.isWaiting).toBe(true);
  await pool.clock.pass(1);
  expect(waiting.account).toBe("a");
});

test("of accounts behind a host that nobody reaches a request tries one; after a failure there it tries them all", async () => {
  const accounts = [
    ...["a", "b", "c"].map((name) => account(name, { priority: 1, origin: "https://one.test" })),
    account("elsewhere", { priority: 2, origin: "https://elsewhere.test" }),
  ];
  const tried = async (outcome: Outcome): Promise<readonly (string | undefined)[]> => {
    const trip = await rig(accounts).trip();
    const names: (string | undefined)[] = [];
    for (; trip.account !== undefined; await trip.next()) {
      names.push(trip.account);
      await trip.end(outcome);
    }
    return names;
  };
  expect(await tried(next({ on: "route", unreached: true }))).toEqual(["a", "elsewhere"]);
  expect(await tried(unreachable)).toEqual(["a", "b", "c", "elsewhere"]);
});
