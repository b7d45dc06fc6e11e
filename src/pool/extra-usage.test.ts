import { expect, test } from "bun:test";
import { EXTRA_USAGE, type LimitWindow } from "../core/limits.ts";
import { account, HOUR, MINUTE, rig, SETTINGS } from "./rig.test.ts";

test("an account whose requests cost extra rests until its plan serves again", async () => {
  const { pool, run, state, clock } = rig([account("a"), account("b", { priority: 60 })]);
  pool.observe(account("a"), [extra(1, clock.wall() + HOUR)]);
  expect(state("a")).toBe("cooling");
  expect(pool.status()[0]?.reason).toBe("requests would cost extra");
  expect(await run()).toBe("b");
  clock.advance(HOUR * 1.2);
  expect(await run()).toBe("a");
  expect(state("a")).toBe("ready");
});

test("it goes on at once when its provider says that nothing costs extra any more", async () => {
  const { pool, run } = rig([account("a"), account("b", { priority: 60 })]);
  pool.observe(account("a"), [extra(1, undefined)]);
  expect(await run()).toBe("b");
  pool.observe(account("a"), [extra(0, undefined)]);
  expect(await run()).toBe("a");
});

test("an account that may cost extra goes on, also when that is allowed only later", async () => {
  const allowed = account("a", { allowExtraUsage: true });
  const { pool, run } = rig([allowed, account("b", { priority: 60 })]);
  pool.observe(allowed, [extra(1, undefined)]);
  expect(await run()).toBe("a");
  pool.reload([account("a"), account("b", { priority: 60 })], SETTINGS);
  pool.observe(account("a"), [extra(1, undefined)]);
  expect(await run()).toBe("b");
  pool.reload([allowed, account("b", { priority: 60 })], SETTINGS);
  expect(await run()).toBe("a");
});

test("a request under way when it began to cost extra does not end the rest by its success", async () => {
  const { pool, trip, state, clock } = rig([account("a")]);
  const under = await trip();
  pool.observe(account("a"), [extra(1, clock.wall() + MINUTE)]);
  under.commit();
  await under.end();
  expect(state("a")).toBe("cooling");
});

function extra(used: 0 | 1, resetAt: number | undefined): LimitWindow {
  return { name: EXTRA_USAGE, used, resetAt, source: "header", seenAt: 0 };
}
