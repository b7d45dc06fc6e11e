import { expect, test } from "bun:test";
import { settle } from "../../test/support/virtual-clock.ts";
import { account, HOUR, limited, MINUTE, MODEL, next, rig, SETTINGS, type Trip } from "./rig.test.ts";

test("a removed account's leases finish, nobody new gets it, and then it is gone", async () => {
  const { pool, trip, run } = rig([account("a"), account("b", { priority: 60 })]);
  const old = await trip();
  pool.reload([account("b")], SETTINGS);
  expect(await run()).toBe("b");
  expect([pool.active(), pool.status().length]).toEqual([1, 1]);
  old.commit();
  await old.end();
  expect(pool.active()).toBe(0);
});

test("a lowered limit is reached as leases come back, and is never passed from then on", async () => {
  const { pool, trip } = rig([account("a", { concurrency: 3 })]);
  const trips = [await trip(), await trip(), await trip()];
  pool.reload([account("a", { concurrency: 1 })], SETTINGS);
  const waiting = await trip();
  await trips[0]?.end();
  await trips[1]?.end();
  expect(waiting.isWaiting).toBe(true);
  await trips[2]?.end();
  expect(waiting.account).toBe("a");
});

test("a raised limit and a new account serve those who wait", async () => {
  const { pool, trip } = rig([account("a", { concurrency: 1 })]);
  await trip();
  const waiting: Trip[] = [await trip(), await trip(), await trip()];
  pool.reload([account("a", { concurrency: 2 }), account("b", { concurrency: 1 })], SETTINGS);
  await settle();
  expect(waiting.map((each) => each.account)).toEqual(["b", "a", undefined]);
});

test("whoever waits for a removed account is told when nobody else can serve", async () => {
  const { pool, trip } = rig([account("a", { concurrency: 1 }), account("b", { models: ["other"] })]);
  await trip();
  const waiting = await trip();
  pool.reload([account("b", { models: ["other"] })], SETTINGS);
  await settle();
  expect(waiting.code).toBe("model_not_found");
});

test("what is known of a kept account stays", async () => {
  const { pool, run, state } = rig([account("a"), account("b", { priority: 60 })]);
  const session = "kept";
  await run({}, limited(HOUR));
  expect(await run({ session })).toBe("b");
  pool.reload([account("b", { weight: 2 }), account("c"), account("a", { priority: 1 })], SETTINGS);
  expect(pool.status().map((each) => each.account.name)).toEqual(["b", "c", "a"]);
  expect(state("a")).toBe("cooling");
  expect(await run({ session })).toBe("b");
});

test("a session of a disabled or removed account moves and stays where it went", async () => {
  const { pool, run } = rig([account("a"), account("b")]);
  const session = "moved";
  expect(await run({ session })).toBe("a");
  pool.reload([account("a", { disabled: true }), account("b")], SETTINGS);
  expect(await run({ session })).toBe("b");
  pool.reload([account("a"), account("b")], SETTINGS);
  await run();
  expect(await run({ session })).toBe("b");
});

test("a request between two tries sees the new configuration", async () => {
  const { pool, trip } = rig([account("a"), account("b", { priority: 60 })]);
  const one = await trip();
  pool.reload([account("a"), account("c", { priority: 60 })], SETTINGS);
  await one.end(limited(MINUTE));
  expect((await one.next()).account).toBe("c");
});

test("an account that comes back while it drains counts what is still out", async () => {
  const { pool, trip } = rig([account("a", { concurrency: 1 })]);
  const old = await trip();
  pool.reload([account("b", { models: ["none"] })], SETTINGS);
  pool.reload([account("a", { concurrency: 1 })], SETTINGS);
  const waiting = await trip();
  expect(waiting.isWaiting).toBe(true);
  await old.end();
  expect(waiting.account).toBe("a");
});

test("an answer to the old credential does not cool the new one", async () => {
  const { pool, trip, state } = rig([account("a")]);
  const old = await trip();
  pool.reload([account("a", { credential: { kind: "api_key", secret: "new" } })], SETTINGS);
  await old.end(limited(HOUR));
  expect(state("a")).toBe("ready");
});

test("what answers say of quotas is shown, the newest of each window", async () => {
  const { pool } = rig([account("a")]);
  const window = (used: number, seenAt: number) =>
    ({ name: "5h", used, resetAt: undefined, source: "header", seenAt }) as const;
  pool.observe(account("a"), [window(0.5, 2)]);
  pool.observe(account("a"), [window(0.1, 1)]);
  pool.observe(account("unknown"), [window(0.9, 3)]);
  expect(pool.status()[0]?.limits).toEqual([window(0.5, 2)]);
});

test("status tells how each account stands", async () => {
  const { pool, trip, run } = rig([
    account("busy", { concurrency: 1, priority: 1 }),
    account("cooling", { priority: 2 }),
    account("partly", { priority: 3 }),
    account("off", { disabled: true }),
    account("out", { credential: undefined }),
  ]);
  await trip();
  await run({}, limited(MINUTE));
  await run({}, limited(MINUTE, "model"));
  const told = pool.status().map(({ state, reason }) => [state, reason]);
  expect(told).toEqual([
    ["busy", undefined],
    ["cooling", "rate limit"],
    ["ready", `rate limit (${MODEL})`],
    ["disabled", "disabled in the configuration"],
    ["needs_login", "has to be logged in"],
  ]);
});

test("an account that was removed and has drained is forgotten", async () => {
  const { pool, trip, run, state } = rig([account("a", { priority: 1 }), account("b")]);
  const old = await trip();
  expect(old.account).toBe("a");
  await run({}, limited(HOUR));
  expect(state("a")).toBe("cooling");
  pool.reload([account("b")], SETTINGS);
  await old.end();
  pool.reload([account("a"), account("b")], SETTINGS);
  expect(state("a")).toBe("ready");
});

test("a reload does not end a brown-out", async () => {
  const accounts = ["a", "b"].map((name) => account(name, { origin: "http://x.test:80", concurrency: 4 }));
  const { pool, run, trip } = rig(accounts, { settings: { maxQueue: 0 } });
  for (let time = 0; time < 3; time += 1) await run({}, next({ on: "provider" }));
  pool.reload(accounts, { ...SETTINGS, maxQueue: 0 });
  const trips = await Promise.all(Array.from({ length: 8 }, () => trip()));
  expect(trips.filter((each) => each.lease !== undefined)).toHaveLength(4);
});
