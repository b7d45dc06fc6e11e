import { expect, test } from "bun:test";
import { BrownOut } from "./brown-out.ts";
import { RetryBudget } from "./retry-budget.ts";
import { account, next, rig, SECOND, type Trip } from "./rig.test.ts";
import { Tally } from "./tally.ts";

const origin = "http://x.test:80";
const overloaded = next({ on: "provider" });

test("a tally forgets what is older than its span, also after a long silence", () => {
  const tally = new Tally(10_000, 10);
  tally.add(1_000, 1, 0);
  tally.add(5_500, 2, 1);
  expect(tally.sums(9_999)).toEqual({ first: 3, second: 1 });
  expect(tally.sums(11_000)).toEqual({ first: 2, second: 1 });
  expect(tally.sums(15_000)).toEqual({ first: 0, second: 0 });
  tally.add(1_000_000, 5, 0);
  expect(tally.sums(1_000_001)).toEqual({ first: 5, second: 0 });
});

test("retries are a fifth of an origin's requests", () => {
  const budget = new RetryBudget();
  for (let at = 0; at < 1_000; at += 1) budget.request(origin, "alice", 1_000);
  const granted = Array.from({ length: 500 }, () => budget.take(origin, "alice", 1_000)).filter(Boolean);
  expect(granted).toHaveLength(200);
  expect(budget.take("http://other.test:80", "alice", 1_000)).toBe(true);
});

test("3 retries a second are always allowed", () => {
  const budget = new RetryBudget();
  let granted = 0;
  for (let second = 0; second < 60; second += 1) {
    for (let at = 0; at < 10; at += 1) granted += budget.take(origin, "alice", second * SECOND) ? 1 : 0;
  }
  expect(granted).toBeWithin(170, 211);
});

test("one key takes at most half of the budget while another is active, and all of it when alone", () => {
  const budget = new RetryBudget();
  for (let at = 0; at < 500; at += 1) {
    budget.request(origin, "alice", 1_000);
    budget.request(origin, "bob", 1_000);
  }
  const alice = Array.from({ length: 300 }, () => budget.take(origin, "alice", 1_000)).filter(Boolean);
  const bob = Array.from({ length: 300 }, () => budget.take(origin, "bob", 1_000)).filter(Boolean);
  expect([alice.length, bob.length]).toEqual([100, 100]);
});

test("a provider that is down all the time costs at most 1.2 attempts a request", async () => {
  const { pool, trip, clock } = rig(
    ["a", "b", "c"].map((name) => account(name, { origin, concurrency: 100 })),
  );
  let attempts = 0;
  for (let at = 0; at < 2_000; at += 1) {
    const one = await trip();
    for (let tried = 0; one.lease !== undefined && tried < 3; tried += 1) {
      attempts += 1;
      await one.end(next({ on: "account" }));
      if (!pool.mayRetry(origin, "alice")) break;
      await one.next();
    }
    clock.advance(5);
  }
  expect(attempts).toBeWithin(2_000, 2_401);
});

test("a brown-out takes 3 overloads within 10 s at two accounts", () => {
  expect([1, 2, 3].map((at) => new BrownOut().overloaded(at, "a"))).toEqual([false, false, false]);
  const slow = new BrownOut();
  expect([0, 6_000, 12_000].map((at) => slow.overloaded(at, at === 0 ? "a" : "b"))).toEqual([
    false,
    false,
    false,
  ]);
  const real = new BrownOut();
  expect(["a", "b", "a"].map((name, at) => real.overloaded(at, name))).toEqual([false, false, true]);
  expect(real.over(29_999)).toBe(false);
  expect(real.over(30_002)).toBe(true);
});

test("in a brown-out the origin's accounts have half their slots for 30 s, then one more per success", async () => {
  const { pool, trip, run, clock } = rig(
    ["a", "b"].map((name) => account(name, { origin, concurrency: 4 })),
    { settings: { maxQueue: 0 } },
  );
  for (let time = 0; time < 3; time += 1) await run({}, overloaded);
  const room = async (): Promise<number> => {
    const trips: Trip[] = [];
    for (;;) {
      const one = await trip();
      if (one.lease === undefined) break;
      trips.push(one);
    }
    for (const one of trips) await one.end({ kind: "gone" });
    return trips.length;
  };
  expect(await room()).toBe(4);
  await run();
  expect(await room()).toBe(4);
  clock.advance(31 * SECOND);
  await run();
  await run();
  expect(await room()).toBe(6);
  for (let time = 0; time < 20; time += 1) await run();
  expect(await room()).toBe(8);
  expect(pool.status().every((each) => each.state === "ready")).toBe(true);
});

test("overloads within a brown-out do not halve again", async () => {
  const { run, trip } = rig(
    ["a", "b"].map((name) => account(name, { origin, concurrency: 8 })),
    { settings: { maxQueue: 0 } },
  );
  for (let time = 0; time < 12; time += 1) await run({}, overloaded);
  const trips = await Promise.all(Array.from({ length: 16 }, () => trip()));
  expect(trips.filter((each) => each.lease !== undefined)).toHaveLength(8);
});
