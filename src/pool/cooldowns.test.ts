import { expect, test } from "bun:test";
import type { Blame } from "../core/outcome.ts";
import { account, cut, HOUR, limited, MINUTE, MODEL, next, OK, GONE, STOP, rig, SECOND } from "./rig.test.ts";

const two = [account("a", { priority: 1 }), account("b")];
const single = [account("a")];

test("an account with a limit is left out for the time upstream named, and its request goes to the next", async () => {
  const { trip, run, clock, state } = rig(two);
  const one = await trip();
  await one.end(limited(10 * SECOND));
  expect((await one.next()).account).toBe("b");
  expect(state("a")).toBe("cooling");
  clock.advance(10 * SECOND - 1);
  expect(await run()).toBe("b");
  clock.advance(SECOND + 1);
  expect(await run()).toBe("a");
  expect(state("a")).toBe("ready");
});

test("when all cool, the refusal names the soonest end, also of a quota's probe", async () => {
  const { run, trip } = rig([account("a", { priority: 1 }), account("b")], { random: () => 0 });
  await run({}, limited(HOUR));
  await run({}, next({ on: "quota", forMs: 8 * HOUR }));
  const one = await trip();
  expect([one.code, one.retryAfterMs]).toEqual(["pool_cooling", 15 * MINUTE]);
});

test("a limit of one model leaves the account's other models alone", async () => {
  const { run } = rig(two);
  await run({}, limited(HOUR, "model"));
  expect(await run()).toBe("b");
  expect(await run({ models: ["claude-haiku-4-5"] })).toBe("a");
});

test("a model that no account turns out to have is not found for an hour, then looked for again", async () => {
  const { run, clock } = rig(two);
  await run({}, next({ on: "model" }));
  await run({}, next({ on: "model" }));
  expect(await run()).toBe("model_not_found");
  expect(await run({ models: ["claude-haiku-4-5"] })).toBe("a");
  clock.advance(HOUR);
  expect(await run()).toBe("a");
});

test("when every credential was refused the pool is unavailable, and tried again after 30 min", async () => {
  const { run, clock, state } = rig(single);
  await run({}, next({ on: "credential" }));
  expect(await run()).toBe("pool_unavailable");
  expect(state("a")).toBe("cooling");
  clock.advance(30 * MINUTE);
  expect(await run()).toBe("a");
  expect(state("a")).toBe("ready");
});

test("when a cooldown ends one request probes, others go elsewhere, and its content opens the account", async () => {
  const { run, trip, clock } = rig(two);
  await run({}, limited(MINUTE));
  clock.advance(2 * MINUTE);
  const probe = await trip();
  expect(probe.account).toBe("a");
  expect((await trip()).account).toBe("b");
  probe.commit();
  expect((await trip()).account).toBe("a");
});

test("with nobody else, the others wait for the probe and are served or refused by what it finds", async () => {
  for (const outcome of [OK, limited(MINUTE)]) {
    const { run, trip, clock } = rig(single);
    await run({}, limited(MINUTE));
    clock.advance(2 * MINUTE);
    const probe = await trip();
    const waiting = await trip();
    expect(waiting.isWaiting).toBe(true);
    await probe.end(outcome);
    expect(waiting.account ?? waiting.code).toBe(outcome === OK ? "a" : "pool_cooling");
  }
});

test("a probe that says nothing lets the next request probe", async () => {
  for (const outcome of [GONE, STOP, next({ on: "account" })]) {
    const { run, trip, clock } = rig(single);
    await run({}, limited(MINUTE));
    clock.advance(2 * MINUTE);
    const probe = await trip();
    const waiting = await trip();
    await probe.end(outcome);
    expect(waiting.account).toBe("a");
    expect((await trip()).isWaiting).toBe(true);
  }
});

test("a bare limit doubles when its probe fails and begins anew after a success", async () => {
  const { trip, run, clock } = rig(single);
  const waits: (number | undefined)[] = [];
  for (const outcome of [limited(), limited(), limited(), OK, limited()]) {
    await run({}, outcome);
    if (outcome === OK) continue;
    const { retryAfterMs } = await trip();
    waits.push(retryAfterMs);
    clock.advance(retryAfterMs ?? 0);
  }
  expect(waits).toEqual([MINUTE, 2 * MINUTE, 4 * MINUTE, MINUTE]);
});

test("many requests that hit the same limit count as one", async () => {
  const { trip } = rig(single);
  const trips = [await trip(), await trip(), await trip()];
  for (const each of trips) await each.end(limited());
  expect((await trip()).retryAfterMs).toBe(MINUTE);
});

test("an older request that ends well does not end a cooldown", async () => {
  const { trip, run } = rig(single);
  const older = await trip();
  await run({}, limited(MINUTE));
  await older.commit().end();
  expect((await trip()).code).toBe("pool_cooling");
});

test("a quota with a far end is probed every 15 min by one request and over with the first success", async () => {
  const { run, clock, state } = rig(two);
  const quota: Blame = { on: "quota", forMs: 24 * HOUR };
  await run({}, next(quota));
  clock.advance(15 * MINUTE - 1);
  expect(await run()).toBe("b");
  clock.advance(1);
  expect(await run({}, next(quota))).toBe("a");
  expect(await run()).toBe("b");
  clock.advance(15 * MINUTE);
  expect(await run()).toBe("a");
  expect(state("a")).toBe("ready");
});

test("a request probes one account only while others can serve it", async () => {
  const { run, trip, clock } = rig([
    account("a", { priority: 1 }),
    account("b", { priority: 2 }),
    account("c", { priority: 3 }),
  ]);
  await run({}, limited(MINUTE));
  await run({}, limited(MINUTE));
  clock.advance(2 * MINUTE);
  const one = await trip();
  expect(one.account).toBe("a");
  await one.end(limited(MINUTE));
  expect((await one.next()).account).toBe("c");
  await one.end(next({ on: "account" }));
  expect((await one.next()).account).toBe("b");
});

test("a request that may have effects upstream probes only when nobody else serves", async () => {
  const { run, trip, clock } = rig(two);
  await run({}, limited(MINUTE));
  clock.advance(2 * MINUTE);
  expect((await trip({ replayable: false })).account).toBe("b");
  expect((await trip()).account).toBe("a");
});

test("a failure in the middle of a stream cools as one before it", async () => {
  const { trip, state } = rig(single);
  const one = await trip();
  await one.commit().end(cut({ on: "limit", scope: "account", forMs: MINUTE }));
  expect(state("a")).toBe("cooling");
});

test("a step of the wall clock by a day moves no cooldown", async () => {
  for (const step of [-24 * HOUR, 24 * HOUR]) {
    const { run, clock, pool } = rig(single, { random: () => 0 });
    await run({}, limited(10 * MINUTE));
    clock.stepWall(step);
    expect(pool.status()[0]?.until).toBe(clock.wall() + 10 * MINUTE);
    clock.advance(10 * MINUTE - 1);
    expect(await run()).toBe("pool_cooling");
    clock.advance(1);
    expect(await run()).toBe("a");
  }
});

test("a cooldown is remembered over a restart with what was left of it", async () => {
  const before = rig(single, { random: () => 0 });
  await before.run({}, limited(10 * MINUTE));
  const { clock, records } = before;
  clock.advance(4 * MINUTE);
  const after = rig(single, { clock, records });
  expect((await after.trip()).retryAfterMs).toBe(6 * MINUTE);
});

test("after a restart with a stepped wall clock a cooldown is not longer, and over only by a probe", async () => {
  for (const [step, expected] of [
    [-24 * HOUR, 10 * MINUTE],
    [12 * HOUR, 0],
  ] as const) {
    const before = rig(single, { random: () => 0 });
    await before.run({}, limited(10 * MINUTE));
    before.pool.close();
    const { clock, records } = before;
    clock.stepWall(step);
    const after = rig(single, { clock, records });
    clock.advance(expected);
    expect((await after.trip()).account).toBe("a");
    expect((await after.trip()).isWaiting).toBe(true);
  }
});

test("a doubled cooldown goes on doubling after a restart", async () => {
  const before = rig(single);
  await before.run({}, limited());
  const { clock, records } = before;
  clock.advance(2 * MINUTE);
  const after = rig(single, { clock, records });
  await after.run({}, limited());
  expect((await after.trip()).retryAfterMs).toBe(2 * MINUTE);
});

test("a success forgets the saved cooldown too", async () => {
  const before = rig(single);
  await before.run({}, limited(MINUTE));
  before.clock.advance(2 * MINUTE);
  await before.run();
  const { clock, records } = before;
  expect(records.load("cooldown", 0).filter((state) => state.expiresAt > clock.wall())).toEqual([]);
});

test("a new credential ends the old one's cooldown, also over a restart, but not a limit", async () => {
  const renewed = [account("a", { credential: { kind: "api_key", secret: "new" } })];
  for (const [blame, expected] of [
    [{ on: "credential" }, "a"],
    [{ on: "limit", scope: "account", forMs: HOUR }, "pool_cooling"],
  ] as const) {
    const { pool, run, records, clock } = rig(single);
    await run({}, next(blame));
    expect(await rig(renewed, { records, clock }).run()).toBe(expected);
    await run({}, next(blame));
    pool.reload(renewed, { maxQueue: 10, queueTimeoutMs: SECOND, stickyTtlMs: HOUR, keys: 1 });
    expect(await run()).toBe(expected);
  }
});

test("clients that make up model names do not fill the memory of cooldowns", async () => {
  const { run, records, clock } = rig([account("a")]);
  for (let at = 0; at < 500; at += 1) await run({ models: [`claude-made-up-${at}`] }, next({ on: "model" }));
  const kept = records.load("cooldown", clock.wall());
  expect(kept).toHaveLength(64);
  expect(await run({ models: ["claude-made-up-499"] })).toBe("model_not_found");
  expect(await run({ models: [MODEL] })).toBe("a");
});

test("by hand an account is fit at once, and whoever waits for it gets it", async () => {
  const { run, trip, pool } = rig([account("a", { priority: 1 }), account("b", { concurrency: 1 })]);
  await run({}, limited(HOUR));
  await trip();
  const waiting = await trip();
  pool.clear("a");
  await waiting.end();
  expect(waiting.account).toBe("a");
});

test("what holds an account now decides the refusal, not what it is on probation for", async () => {
  const { run, clock } = rig(single);
  await run({}, next({ on: "credential" }));
  clock.advance(30 * MINUTE);
  await run({}, limited(HOUR));
  expect(await run()).toBe("pool_cooling");
});

test("made-up models do not push out what is known of the account", async () => {
  const { trip, state } = rig([account("a", { concurrency: 100 })]);
  const trips = await Promise.all(
    Array.from({ length: 100 }, (_, at) => trip({ models: [`claude-made-up-${at}`] })),
  );
  await trips[0]?.end(limited(HOUR));
  for (const each of trips.slice(1)) await each.end(next({ on: "model" }));
  expect(state("a")).toBe("cooling");
});

test("a cooldown that has run out counts as ready, on probation", async () => {
  const { run, clock, pool } = rig(single);
  await run({}, limited(MINUTE));
  clock.advance(2 * MINUTE);
  expect(pool.status()[0]).toMatchObject({ state: "ready", reason: "on probation", until: undefined });
});

test("a wall clock that is stepped before the gateway closes does not end a cooldown over the restart", async () => {
  const { run, clock, pool, records } = rig(single);
  await run({}, limited(10 * MINUTE));
  clock.stepWall(12 * HOUR);
  pool.close();
  expect(await rig(single, { clock, records }).run()).toBe("pool_cooling");
});

test("an account whose login cannot be renewed now rests, which is told as what it is, and ends with the login's renewal", async () => {
  const { trip, run, pool, state } = rig(single);
  await run({}, next({ on: "login" }));
  const refused = await trip();
  expect([refused.code, state("a")]).toEqual(["pool_cooling", "cooling"]);
  expect(String(refused.error)).toContain("login");
  pool.renewed("a");
  expect([state("a"), await run()]).toEqual(["ready", "a"]);
  pool.renewed("nobody");
});
