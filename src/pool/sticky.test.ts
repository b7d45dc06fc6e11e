import { expect, test } from "bun:test";
import { account, HOUR, limited, MINUTE, MODEL, next, rig, SECOND } from "./rig.test.ts";

const session = "the session";
const three = ["a", "b", "c"].map((name) => account(name));

test("a session comes back to the account from which content flowed", async () => {
  const { run, spread } = rig(three);
  await spread(1);
  expect(await run({ session })).toBe("b");
  await spread(4);
  expect(await run({ session })).toBe("b");
});

test("an account that answered nothing is not bound", async () => {
  const { run } = rig(three);
  expect(await run({ session }, limited(SECOND))).toBe("a");
  expect(await run({ session })).toBe("b");
  expect(await run({ session })).toBe("b");
});

test("a session's time slides, but ends after a day", async () => {
  const { run, spread, clock } = rig(three);
  expect(await run({ session })).toBe("a");
  for (let hour = 0; hour < 47; hour += 1) {
    clock.advance(HOUR / 2);
    await spread(1);
    expect(await run({ session })).toBe("a");
  }
  clock.advance(HOUR / 2 + 1);
  await spread(1);
  const moved = await run({ session });
  expect(moved).not.toBe("a");
  clock.advance(HOUR);
  expect(await run({ session })).not.toBe(moved);
});

test("a session waits 2 s for its busy account, then moves", async () => {
  const { trip, run, clock } = rig([account("a", { concurrency: 1 }), account("b", { concurrency: 1 })]);
  await run({ session });
  const other = await trip({ session: "another" });
  const holder = await trip({ session: "third" });
  const busy = other.account === "a" ? other : holder;
  const free = busy === other ? holder : other;
  await free.end();
  const waiting = await trip({ session });
  expect(waiting.isWaiting).toBe(true);
  await clock.pass(1_999);
  expect(waiting.isWaiting).toBe(true);
  await clock.pass(1);
  expect(waiting.account).toBe("b");
});

test("a session that waits for its account takes it as soon as it is free", async () => {
  const { trip, run, clock } = rig([account("a", { concurrency: 1 }), account("b")]);
  await run({ session });
  await run();
  const busy = await trip();
  expect(busy.account).toBe("a");
  const waiting = await trip({ session });
  await clock.pass(SECOND);
  await busy.end();
  expect(waiting.account).toBe("a");
});

test("a session whose account begins to cool while it waits goes on at once", async () => {
  const { trip, run } = rig([account("a", { concurrency: 1 }), account("b")]);
  await run({ session });
  await run();
  const busy = await trip();
  const waiting = await trip({ session });
  expect(waiting.isWaiting).toBe(true);
  await busy.end(limited(MINUTE));
  expect(waiting.account).toBe("b");
});

test("a session of a cooled account moves, and stays where it went", async () => {
  const { run, clock } = rig(three);
  expect(await run({ session })).toBe("a");
  await run({ session }, limited(MINUTE));
  const moved = await run({ session });
  expect(moved).not.toBe("a");
  clock.advance(2 * MINUTE);
  expect(await run({ session })).toBe(moved);
});

test("a session whose credential was refused does not come back when it is accepted again", async () => {
  const { run, pool } = rig([account("a"), account("b", { priority: 50 })]);
  expect(await run({ session })).toBe("a");
  await run({ session }, next({ on: "credential" }));
  pool.clear("a");
  expect(await run({ session })).toBe("b");
});

test("a session goes to an account of better priority and is bound there at the commit only", async () => {
  const { run, trip, clock } = rig([account("better", { priority: 1, concurrency: 1 }), account("a")]);
  const busy = await trip();
  expect(await run({ session })).toBe("a");
  await busy.end(limited(MINUTE));
  expect(await run({ session })).toBe("a");
  clock.advance(2 * MINUTE);
  const back = await trip({ session });
  expect(back.account).toBe("better");
  await back.end(next({ on: "account" }));
  const again = await trip({ session });
  expect(again.account).toBe("better");
  await again.commit().end();
  const third = await trip();
  expect(third.account).toBe("better");
  expect((await trip({ session })).isWaiting).toBe(true);
});

test("a session whose account is slow twice in a row moves; once is forgiven", async () => {
  const { run, trip } = rig([account("a"), account("b")]);
  for (let time = 0; time < 50; time += 1) await run();
  const slow = async (ms: number): Promise<string | undefined> => {
    const one = await trip({ session });
    const { account: name } = one;
    await one.commit(ms).end();
    return name;
  };
  const first = await slow(100);
  expect(await slow(400)).toBe(first);
  expect(await slow(100)).toBe(first);
  expect(await slow(400)).toBe(first);
  expect(await slow(400)).toBe(first);
  const moved = await slow(100);
  expect(moved).not.toBe(first);
  expect(await slow(100)).toBe(moved);
});

test("whole answers say nothing about an account's speed", async () => {
  const { run, trip } = rig([account("a"), account("b")]);
  for (let time = 0; time < 50; time += 1) await run();
  const names = new Set<string | undefined>();
  for (let time = 0; time < 5; time += 1) {
    const one = await trip({ session, stream: false });
    names.add(one.account);
    await one.commit(60_000).end();
  }
  expect(names.size).toBe(1);
});

test("two models of one session do not drag it to and fro", async () => {
  const { run, spread } = rig([
    account("large-1", { models: ["large"] }),
    account("large-2", { models: ["large"] }),
    account("small-1", { models: ["small"] }),
    account("small-2", { models: ["small"] }),
  ]);
  const large = { session, models: ["large"] };
  const small = { session, models: ["small"] };
  expect(await run(large)).toBe("large-1");
  expect(await run(small)).toBe("small-1");
  await run({ models: ["large"] });
  await run({ models: ["small"] });
  await spread(0);
  for (let time = 0; time < 3; time += 1) {
    expect(await run(large)).toBe("large-1");
    expect(await run(small)).toBe("small-1");
  }
});

test("a request that continues a response waits for the account that made it as long as for any slot", async () => {
  const { pool, trip, clock } = rig([account("a", { concurrency: 1 }), account("b")]);
  const first = await trip();
  pool.issued("resp_1", account("a"));
  const waiting = await trip({ previousResponse: "resp_1" });
  await clock.pass(10 * SECOND);
  expect(waiting.isWaiting).toBe(true);
  await first.end();
  expect(waiting.account).toBe("a");
});

test("a response of a cooling account, and one that nobody knows, go to any", async () => {
  const { pool, run } = rig([account("a"), account("b")]);
  pool.issued("resp_1", account("a"));
  await run({ previousResponse: "resp_1" }, limited(MINUTE));
  expect(await run({ previousResponse: "resp_1" })).toBe("b");
  expect(await run({ previousResponse: "resp_unknown" })).toBe("b");
});

test("sessions and responses are remembered over a restart, whatever the wall clock does meanwhile", async () => {
  for (const step of [0, -24 * HOUR]) {
    const before = rig(three);
    await before.run();
    expect(await before.run({ session })).toBe("b");
    before.pool.issued("resp_1", account("c"));
    before.clock.advance(HOUR / 2);
    expect(await before.run({ session })).toBe("b");
    before.pool.close();
    const { records, clock } = before;
    clock.advance(MINUTE);
    clock.stepWall(step);
    const after = rig(three, { records, clock });
    expect(await after.run({ session })).toBe("b");
    expect(await after.run({ previousResponse: "resp_1" })).toBe("c");
    clock.advance(HOUR + MINUTE);
    expect(await after.run({ session })).toBe("a");
  }
});

test("a session asks for the same model on another endpoint at the same account", async () => {
  const { run } = rig([
    account("a", { apis: ["messages", "chat"], models: [MODEL] }),
    account("b", { apis: ["messages", "chat"], models: [MODEL] }),
  ]);
  expect(await run({ session })).toBe("a");
  expect(await run({ session, protocol: "chat" })).toBe("a");
});

test("a session that waits for its account does not take another that becomes free within 2 s", async () => {
  const { trip, run, clock } = rig([account("a", { concurrency: 1 }), account("b", { concurrency: 1 })]);
  await run({ session });
  await run();
  const first = await trip();
  const second = await trip();
  expect([first.account, second.account]).toEqual(["a", "b"]);
  const waiting = await trip({ session });
  await clock.pass(SECOND);
  await second.end();
  expect(waiting.isWaiting).toBe(true);
  await clock.pass(SECOND);
  expect(waiting.account).toBe("b");
});

test("a request that continues a response stays with its account though another has a better priority", async () => {
  const { pool, run } = rig([account("better", { priority: 1 }), account("a")]);
  pool.issued("resp_1", account("a"));
  expect(await run({ previousResponse: "resp_1" })).toBe("a");
});

test("a session in use is remembered also when the gateway dies without closing", async () => {
  const { run, clock, records } = rig(three);
  await run();
  for (let time = 0; time < 20; time += 1) {
    expect(await run({ session })).toBe("b");
    clock.advance(10 * MINUTE);
  }
  expect(await rig(three, { clock, records }).run({ session })).toBe("b");
});

test("a wall clock that was set back does not lengthen a remembered session", async () => {
  const { run, pool, clock, records } = rig(three);
  await run();
  expect(await run({ session })).toBe("b");
  pool.close();
  clock.stepWall(-24 * HOUR);
  const after = rig(three, { clock, records });
  clock.advance(HOUR);
  expect(await after.run({ session })).toBe("a");
});

test("a slow account is measured against the others, not against itself", async () => {
  const { trip, run } = rig([account("a"), account("b")]);
  for (let time = 0; time < 50; time += 1) {
    const one = await trip();
    await one.commit(one.account === "a" ? 10_000 : 100).end();
  }
  await run();
  const moved = ["x", "y"].map(async (name) => {
    const names: (string | undefined)[] = [];
    for (let time = 0; time < 4; time += 1) {
      const one = await trip({ session: name });
      names.push(one.account);
      await one.commit(one.account === "a" ? 10_000 : 100).end();
    }
    return names.at(-1);
  });
  expect(await Promise.all(moved)).toEqual(["b", "b"]);
});

test("closing saves how far a session's end has slid", async () => {
  const { run, pool, clock, records } = rig(three);
  await run();
  expect(await run({ session })).toBe("b");
  clock.advance(25 * MINUTE);
  expect(await run({ session })).toBe("b");
  pool.close();
  clock.advance(45 * MINUTE);
  expect(await rig(three, { clock, records }).run({ session })).toBe("b");
});

test("a session whose account is busy moves at once when it may not wait, or not so long", async () => {
  for (const settings of [{ maxQueue: 0 }, { queueTimeoutMs: SECOND }]) {
    const { trip, run, clock } = rig([account("a", { concurrency: 1 }), account("b")], { settings });
    await run({ session });
    await run();
    expect((await trip()).account).toBe("a");
    const moving = await trip({ session });
    await clock.pass(settings.queueTimeoutMs ?? 0);
    expect(moving.account).toBe("b");
  }
});
