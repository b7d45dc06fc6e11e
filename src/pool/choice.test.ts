import { expect, test } from "bun:test";
import { account, key, limited, MODEL, next, OK, rig, SECOND, STOP, GONE } from "./rig.test.ts";

test("the account with the lower priority number goes first", async () => {
  const { run } = rig([account("second", { priority: 60 }), account("first", { priority: 10 })]);
  expect(await run()).toBe("first");
  expect(await run()).toBe("first");
});

test("inside a priority the account that speaks the client's protocol goes first", async () => {
  const both = { priority: 50, models: [MODEL] };
  const { trip } = rig([
    account("translated", { ...both, apis: ["chat"] }),
    account("own", { ...both, apis: ["chat", "messages"] }),
  ]);
  const one = await trip();
  expect(one.account).toBe("own");
  expect(one.lease?.candidate.protocol).toBe("messages");
  await one.end(next({ on: "account" }));
  await one.next();
  expect(one.lease?.candidate.protocol).toBe("chat");
});

test("an account whose protocols cannot be translated to does not offer the model", async () => {
  const { trip } = rig([account("a", { apis: ["chat"], models: [MODEL] })], {
    codecs: (from, to) => from === to,
  });
  expect((await trip()).code).toBe("model_not_found");
});

test("new sessions go round equal accounts", async () => {
  const { spread } = rig([account("a"), account("b"), account("c")]);
  expect(await spread(30)).toEqual({ a: 10, b: 10, c: 10 });
});

test("new sessions go to accounts by weight, also when nothing else runs", async () => {
  const { spread } = rig([account("large", { weight: 3 }), account("small")]);
  expect(await spread(40)).toEqual({ large: 30, small: 10 });
});

test("an account with fewer requests in flight goes first", async () => {
  const { trip } = rig([account("a"), account("b"), account("c")]);
  const trips = [await trip(), await trip(), await trip(), await trip()];
  expect(trips.map((each) => each.account)).toEqual(["a", "b", "c", "a"]);
  await trips[1]?.end();
  expect((await trip()).account).toBe("b");
});

test("an account that was away is not flooded with new sessions when it is back", async () => {
  const { run, spread, clock, trip } = rig([account("a"), account("b")]);
  const one = await trip();
  expect(one.account).toBe("a");
  await one.end(limited(60 * SECOND));
  expect(await spread(50)).toEqual({ b: 50 });
  clock.advance(70 * SECOND);
  expect(await run()).toBeDefined();
  const { a = 0 } = await spread(20);
  expect(a).toBeWithin(9, 12);
});

test("an alias's models are tried in order, and an account only once", async () => {
  const { trip } = rig([
    account("both", { models: ["one", "two"] }),
    account("two-only", { models: ["two"], priority: 1 }),
  ]);
  const one = await trip({ models: ["one", "two"] });
  expect(one.lease?.candidate).toMatchObject({ model: "one", rank: 0 });
  await one.end(next({ on: "account" }));
  expect((await one.next()).account).toBe("two-only");
  await one.end(next({ on: "account" }));
  expect((await one.next()).isDone).toBe(true);
});

test("an account is sent its own name for the model", async () => {
  const { trip } = rig([account("a", { modelMap: { [MODEL]: "inner" } })]);
  expect((await trip()).lease?.candidate.model).toBe("inner");
});

test("a busy account's overflow goes to the next priority", async () => {
  const { trip } = rig([account("first", { priority: 1, concurrency: 1 }), account("second")]);
  expect((await trip()).account).toBe("first");
  expect((await trip()).account).toBe("second");
});

test("a model that no account offers is not found", async () => {
  const { run } = rig([account("a")]);
  expect(await run({ models: ["gpt-5"] })).toBe("model_not_found");
});

test("accounts that are disabled or not logged in make the pool unavailable, without a time to come back", async () => {
  const { trip } = rig([account("a", { disabled: true }), account("b", { credential: undefined })]);
  const one = await trip();
  expect(one.code).toBe("pool_unavailable");
  expect(one.retryAfterMs).toBeUndefined();
});

test("a verdict is what a request would be told, and nothing while somebody serves", async () => {
  const { pool, run, trip } = rig([account("a")]);
  const options = { codecs: () => true, signal: new AbortController().signal };
  const { ask } = await trip();
  expect(pool.verdict(ask, options)).toBeUndefined();
  await run({}, limited(90 * SECOND));
  const verdict = pool.verdict(ask, options);
  expect(verdict?.code).toBe("pool_cooling");
  expect(verdict?.retryAfterMs).toBeWithin(90 * SECOND, 99 * SECOND + 1);
  expect(pool.verdict({ ...ask, models: ["gpt-5"] }, options)?.code).toBe("model_not_found");
});

test("a request at fault and a client that left cool nobody", async () => {
  const { run, state, spread } = rig([account("a"), account("b")]);
  for (let time = 0; time < 20; time += 1) await run({}, time % 2 === 0 ? STOP : GONE);
  expect([state("a"), state("b")]).toEqual(["ready", "ready"]);
  expect(await spread(10)).toEqual({ a: 5, b: 5 });
});

test("every account can be explained", async () => {
  const { pool, run, trip } = rig([
    account("cooled", { priority: 1 }),
    account("busy", { concurrency: 1, priority: 2 }),
    account("free", { weight: 2 }),
  ]);
  await run({}, limited(60 * SECOND));
  const { ask } = await trip();
  const options = { codecs: () => true, signal: new AbortController().signal };
  const told = pool.explain(ask, options).map((each) => `${each.candidate.account.name}: ${each.reason}`);
  expect(told[0]).toBe("free: priority 50, 0 of 3 slots taken, weight 2");
  expect(told[1]).toMatch(/^cooled: rate limit, 6\d s left \(priority 1, 0 of 3 slots taken\)$/);
  expect(told[2]).toBe("busy: all slots taken (priority 2, 1 of 1 slots taken)");
});

test("a release that comes twice counts once", async () => {
  const { pool, trip } = rig([account("a")]);
  const one = await trip({ key: key("bob") });
  expect(pool.active()).toBe(1);
  one.lease?.release(OK);
  one.lease?.release(limited(60 * SECOND));
  expect(pool.active()).toBe(0);
  expect(pool.status()[0]).toMatchObject({ state: "ready", active: 0 });
});
