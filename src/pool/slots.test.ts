import { expect, test } from "bun:test";
import { settle } from "../../test/support/virtual-clock.ts";
import { account, key, limited, next, OK, rig, SECOND, SETTINGS, type Rig, type Trip } from "./rig.test.ts";

const one = account("a", { concurrency: 1 });

/** Ends each running trip in turn until none is left; returns the accounts' peaks and who was served, in order. */
async function serveAll(
  pool: Rig["pool"],
  trips: readonly Trip[],
): Promise<{ peak: number; served: Trip[] }> {
  const served: Trip[] = [];
  const running = new Set<Trip>();
  let peak = 0;
  for (;;) {
    for (const trip of trips) {
      if (trip.lease === undefined || served.includes(trip) || running.has(trip)) continue;
      running.add(trip);
    }
    peak = Math.max(peak, ...pool.status().map((each) => each.active));
    const first = [...running][0];
    if (first === undefined) return { peak, served };
    running.delete(first);
    served.push(first);
    await first.end();
  }
}

test("with 2 and 2 slots 40 requests at once are all served and neither account has more than 2", async () => {
  const { pool, trip } = rig([account("a", { concurrency: 2 }), account("b", { concurrency: 2 })]);
  const trips = await Promise.all(Array.from({ length: 40 }, () => trip()));
  const { peak, served } = await serveAll(pool, trips);
  expect(peak).toBe(2);
  expect(served).toHaveLength(40);
  expect(pool.active()).toBe(0);
});

test("a slot that comes back goes to the first who waits for it, and to no other", async () => {
  const { trip } = rig([one]);
  const first = await trip();
  const second = await trip();
  const third = await trip();
  expect([second.isWaiting, third.isWaiting]).toEqual([true, true]);
  await first.end();
  expect([second.account, third.isWaiting]).toEqual(["a", true]);
});

test("whoever comes when a slot has just been handed over waits", async () => {
  const { trip } = rig([one]);
  const first = await trip();
  const second = await trip();
  first.lease?.release(OK);
  const third = await trip();
  expect([second.account, third.isWaiting]).toEqual(["a", true]);
});

test("a wait ends after the queue's timeout with a time to come back", async () => {
  const { trip, clock } = rig([one]);
  await trip();
  const waiting = await trip();
  await clock.pass(29 * SECOND);
  expect(waiting.isWaiting).toBe(true);
  await clock.pass(SECOND);
  expect(waiting.code).toBe("pool_busy");
  expect(waiting.retryAfterMs).toBeWithin(2 * SECOND, 5 * SECOND);
  expect(clock.pending).toBe(0);
});

test("a full queue refuses at once, and a queue of 0 holds nobody", async () => {
  const { trip } = rig([one], { settings: { maxQueue: 2 } });
  const trips = [await trip(), await trip(), await trip(), await trip()];
  expect(trips.map((each) => each.code ?? each.isWaiting)).toEqual([false, true, true, "pool_busy"]);
  const none = rig([one], { settings: { maxQueue: 0 } });
  await none.trip();
  expect((await none.trip()).code).toBe("pool_busy");
});

test("one key of several may fill its share of the queue only, but at least 4 places", async () => {
  const { trip } = rig([one], { settings: { maxQueue: 20, keys: 10 } });
  await trip();
  const flood = await Promise.all(Array.from({ length: 6 }, () => trip({ key: key("flood") })));
  expect(flood.map((each) => each.code ?? "waits")).toEqual([
    "waits",
    "waits",
    "waits",
    "waits",
    "pool_busy",
    "pool_busy",
  ]);
  expect((await trip({ key: key("other") })).isWaiting).toBe(true);
});

test("keys are served in turns, however many requests one of them has waiting", async () => {
  const { pool, trip } = rig([one], { settings: { maxQueue: 1_000, keys: 2 } });
  const running = await trip({ key: key("flood") });
  const flood = await Promise.all(Array.from({ length: 50 }, () => trip({ key: key("flood") })));
  const quiet = await Promise.all(Array.from({ length: 5 }, () => trip({ key: key("quiet") })));
  const { served } = await serveAll(pool, [running, ...flood, ...quiet]);
  const places = quiet.map((each) => served.indexOf(each));
  expect(Math.max(...places)).toBeLessThan(12);
});

test("keys are served by weight", async () => {
  const { pool, trip } = rig([one], { settings: { maxQueue: 1_000, keys: 2 } });
  const running = await trip();
  const heavy = key("heavy", { weight: 3 });
  const trips = await Promise.all(
    Array.from({ length: 80 }, (_, at) => trip({ key: at % 2 === 0 ? heavy : key("light") })),
  );
  const { served } = await serveAll(pool, [running, ...trips]);
  const first = served.slice(1, 41).filter((each) => each.ask.key.name === "heavy").length;
  expect(first).toBeWithin(29, 32);
});

test("a key never passes its own limit, and waits although accounts are free", async () => {
  const { pool, trip, clock } = rig([account("a"), account("b")], { settings: { keys: 2 } });
  const bob = key("bob", { concurrency: 2 });
  const trips = await Promise.all(Array.from({ length: 5 }, () => trip({ key: bob })));
  expect(trips.filter((each) => each.lease !== undefined)).toHaveLength(2);
  expect((await trip()).account).toBeDefined();
  await trips[0]?.end();
  expect(trips.filter((each) => each.lease !== undefined)).toHaveLength(3);
  expect(pool.active()).toBe(3);
  await clock.pass(30 * SECOND);
  expect(trips.filter((each) => each.code === "pool_busy")).toHaveLength(2);
});

test("a client that leaves while it waits leaves at once, with its own reason", async () => {
  const { trip, clock, pool } = rig([one]);
  const first = await trip();
  const leaving = await trip();
  const staying = await trip();
  leaving.abort.abort("left");
  await settle();
  expect(leaving.error).toBe("left");
  await first.end();
  expect(staying.account).toBe("a");
  await staying.end();
  expect([pool.active(), clock.pending]).toEqual([0, 0]);
});

test("a client that leaves just as it is given a slot gives the slot back", async () => {
  const { trip, pool } = rig([one]);
  const first = await trip();
  const leaving = await trip();
  const staying = await trip();
  first.lease?.release(OK);
  leaving.abort.abort("left");
  await settle();
  expect([leaving.error, leaving.lease]).toEqual(["left", undefined]);
  expect(staying.account).toBe("a");
  await staying.end();
  expect(pool.active()).toBe(0);
});

test("a request that lost its account waits for the next before those that were never served", async () => {
  const { trip } = rig([account("a", { concurrency: 1, priority: 1 }), account("b", { concurrency: 1 })]);
  const failing = await trip();
  const running = await trip();
  const fresh = await trip();
  await failing.end(next({ on: "account" }));
  expect(fresh.account).toBe("a");
  const later = await trip();
  await failing.next();
  expect(failing.isWaiting).toBe(true);
  await running.end();
  expect([failing.account, later.isWaiting]).toEqual(["b", true]);
});

test("when nobody is left after a try, the request is done instead of refused", async () => {
  const { trip, clock } = rig([account("a"), account("b", { concurrency: 1 })]);
  const running = [await trip(), await trip()];
  expect(running[1]?.account).toBe("b");
  await running[0]?.end(next({ on: "account" }));
  await running[0]?.next();
  expect(running[0]?.isWaiting).toBe(true);
  await clock.pass(30 * SECOND);
  expect(running[0]?.isDone).toBe(true);
});

test("whoever waits for an account that begins to cool is told at once, if there is no other", async () => {
  const { trip } = rig([one]);
  const first = await trip();
  const waiting = await trip();
  await first.end(limited(60 * SECOND));
  expect(waiting.code).toBe("pool_cooling");
  expect(waiting.retryAfterMs).toBeWithin(60 * SECOND, 66 * SECOND + 1);
});

test("whoever waits gets an account whose cooldown ends", async () => {
  const { trip, run, clock } = rig([account("a", { priority: 1 }), account("b", { concurrency: 1 })]);
  await run({}, limited(5 * SECOND));
  expect((await trip()).account).toBe("b");
  const waiting = await trip();
  expect(waiting.isWaiting).toBe(true);
  await clock.pass(6 * SECOND);
  expect(waiting.account).toBe("a");
});

test("closing refuses whoever waits and whoever comes, and lets leases end", async () => {
  const { trip, pool, clock } = rig([one]);
  const first = await trip();
  const waiting = await trip();
  pool.close();
  await settle();
  expect(waiting.code).toBe("shutting_down");
  expect((await trip()).code).toBe("shutting_down");
  await first.end();
  expect([pool.active(), clock.pending]).toEqual([0, 0]);
});

test("10,000 arrivals at a full queue are refused without delay", async () => {
  const { trip, pool } = rig([one], { settings: { maxQueue: 100 } });
  const trips = await Promise.all(Array.from({ length: 10_000 }, () => trip()));
  expect(trips.filter((each) => each.code === "pool_busy")).toHaveLength(9_899);
  expect(pool.active()).toBe(1);
});

test("whoever has tried all but the account that begins to cool is done at once", async () => {
  const { trip } = rig([account("a", { concurrency: 1 }), account("b", { priority: 60 })]);
  const first = await trip();
  const one = await trip();
  expect(one.account).toBe("b");
  await one.end(next({ on: "account" }));
  await one.next();
  expect(one.isWaiting).toBe(true);
  await first.end(limited(60 * SECOND));
  expect(one.isDone).toBe(true);
});

test("keys are served in turns also when it is not a lease that makes room", async () => {
  const { pool, trip } = rig([one], { settings: { keys: 2 } });
  await trip();
  const trips = await Promise.all(
    Array.from({ length: 16 }, (_, at) => trip({ key: key(at < 8 ? "first" : "second") })),
  );
  for (let concurrency = 2; concurrency <= 9; concurrency += 1) {
    pool.reload([account("a", { concurrency })], { ...SETTINGS, keys: 2 });
    await settle();
  }
  const served = trips.filter((each) => each.lease !== undefined).map((each) => each.ask.key.name);
  expect(served.filter((name) => name === "first")).toHaveLength(4);
});

test("a key that was idle while others were served has no claim to that time", async () => {
  const { pool, trip } = rig([one], { settings: { keys: 2, maxQueue: 1_000 } });
  const running = await trip();
  const early = await Promise.all(Array.from({ length: 60 }, () => trip({ key: key("early") })));
  const late: Trip[] = [];
  const order: string[] = [];
  let current: Trip | undefined = running;
  while (current !== undefined) {
    await current.end();
    current.lease = undefined;
    if (order.length === 30) {
      late.push(...(await Promise.all(Array.from({ length: 30 }, () => trip({ key: key("late") })))));
    }
    current = [...early, ...late].find((each) => each.lease !== undefined);
    if (current !== undefined) order.push(current.ask.key.name);
  }
  expect(order).toHaveLength(90);
  expect(order.slice(31, 51).filter((name) => name === "late").length).toBeWithin(9, 12);
  expect(pool.active()).toBe(0);
});

test("a key below its limit again is not held up by its first in line that has nobody left to take", async () => {
  const { trip } = rig([
    account("a"),
    account("b", { concurrency: 1, priority: 60 }),
    account("c", { models: ["other"] }),
  ]);
  const bob = { key: key("bob", { concurrency: 2 }) };
  const failing = await trip(bob);
  await trip({ key: key("holder"), models: ["other"] });
  const blocker = await Promise.all([trip(), trip(), trip()]);
  expect(blocker.map((each) => each.account)).toEqual(["a", "a", "b"]);
  await failing.end(next({ on: "account" }));
  await failing.next();
  expect(failing.isWaiting).toBe(true);
  const elsewhere = [await trip({ ...bob, models: ["other"] }), await trip({ ...bob, models: ["other"] })];
  const later = await trip(bob);
  expect(later.isWaiting).toBe(true);
  await elsewhere[0]?.end();
  expect([failing.isWaiting, later.account]).toEqual([true, "a"]);
});
