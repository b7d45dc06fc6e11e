import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exchangeOf } from "../../test/contracts/records.ts";
import type { ExchangeRecord } from "../core/exchange.ts";
import { createExplainCommand } from "./explain.ts";
import { type TestIo, testIo } from "./test-io.ts";

const GOOD = { auth_tokens: ["client-token-0123456789"], accounts: [{ api_key: "sk-ant-0123456789" }] };

interface World {
  readonly io: TestIo;
  run(...args: readonly string[]): Promise<number>;
}

async function world(found: readonly ExchangeRecord[] | Error | undefined): Promise<World> {
  const io = await testIo();
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(GOOD));
  const run = createExplainCommand({
    open() {
      if (found instanceof Error) throw found;
      if (found === undefined) return undefined;
      return {
        find: (id, limit) => found.filter((each) => each.id.startsWith(id)).slice(0, limit),
        latest: () => found.at(-1),
        close: () => undefined,
      };
    },
  });
  return { io, run: (...args) => run([...args], io) };
}

test("tells in order who was tried, what came of it, and how long it took", async () => {
  const { io, run } = await world([
    exchangeOf("req_1", { attempts: ["a:b:limit", "main:ok"], upstreamProtocol: "chat" }),
  ]);
  expect([await run("req_1"), io.err()]).toEqual([0, ""]);
  const out = io.out();
  expect(out).toContain(
    "req_1  2026-01-01 00:00:00 UTC\nmessages, streamed, model claude-sonnet, client key laptop\n",
  );
  expect(out).toMatch(/^ +1 +a:b +limit +its rate limit or quota/m);
  expect(out).toMatch(/^ +2 +main +ok +answered$/m);
  expect(out).toContain("The client got status 200, ok. The client has the whole answer.");
  expect(out).toContain("main, for claude-sonnet-4-5, translated to chat.");
  expect(out).toContain("Tokens: 1 in, 20,000 from the cache, 3 into it, 400 out (50 of it reasoning).");
  expect(out).toContain("Time: 0 ms waiting for a slot, first byte after 420 ms, 12.3 s in all.");
});

test("a request that nobody was asked about says why", async () => {
  const refused = exchangeOf("req_1", {
    account: undefined,
    upstreamModel: undefined,
    attempts: [],
    status: 429,
    outcome: "refused",
    error: "pool_cooling",
    usage: undefined,
    firstByteMs: undefined,
  });
  const { io, run } = await world([refused]);
  expect(await run("last")).toBe(0);
  expect(io.out()).toContain("No account was tried.");
  expect(io.out()).toContain(
    "status 429, refused. No account was asked.\nError: pool_cooling. docs/errors.md says",
  );
  expect(io.out()).toContain("Tokens: nobody told.");
});

test("every outcome that an attempt or a request can have is in words", async () => {
  const blames = [
    "limit",
    "quota",
    "credential",
    "login",
    "model",
    "api",
    "account",
    "route",
    "provider",
    "nobody",
  ];
  const attempts = [...blames, "ok", "stop", "gone"].map((how) => `x:${how}`);
  for (const outcome of ["ok", "stop", "failed", "cut", "gone", "refused"]) {
    const { io, run } = await world([exchangeOf("req_1", { attempts, outcome })]);
    await run("req_1", "--json");
    for (const each of JSON.parse(io.out()).attempts) expect(each.meaning).not.toBe("");
    const people = await world([exchangeOf("req_1", { outcome })]);
    await people.run("req_1");
    expect(people.io.out()).toMatch(new RegExp(`status 200, ${outcome}\\. [A-Z].*\\.$`, "m"));
  }
});

test("--json is the record on one line, in the words of the database", async () => {
  const { io, run } = await world([exchangeOf("req_1")]);
  expect(await run("last", "--json")).toBe(0);
  expect(JSON.parse(io.out())).toMatchObject({
    id: "req_1",
    started_at: "2026-01-01T00:00:00.000Z",
    upstream_model: "claude-sonnet-4-5",
    attempts: [
      { account: "first", outcome: "limit" },
      { account: "main", outcome: "ok", meaning: "answered" },
    ],
    usage: { cache_read: 20_000 },
    took_ms: 12_345.75,
  });
});

test("a beginning that fits several shows them, and an unknown id says where to look; both exit 1", async () => {
  const several = await world([exchangeOf("req_1"), exchangeOf("req_2")]);
  expect([await several.run("req_"), several.io.out()]).toEqual([1, ""]);
  expect(several.io.err()).toBe("Several requests begin so:\n  req_1\n  req_2\n");
  for (const found of [undefined, []]) {
    const { io, run } = await world(found);
    expect(await run("req_9")).toBe(1);
    expect(io.err()).toContain("No request req_9 is recorded. Look whether -config names");
    expect(await run("last")).toBe(1);
    expect(io.err()).toContain("Nothing is recorded yet");
  }
  const broken = await world(new Error("the records in x cannot be read"));
  expect(await broken.run("last")).toBe(1);
  expect(broken.io.err()).toBe("The records in x cannot be read.\n");
});

test("others' words cannot steer the terminal", async () => {
  const { io, run } = await world([
    exchangeOf("req_1", { model: "\u001B]0;x\u0007", attempts: ["\u001B[2J:ok"] }),
  ]);
  await run("last");
  expect(io.out()).not.toContain("\u001B");
});

test("wrong usage exits 2", async () => {
  for (const args of [[], ["a", "b"], ["a", "--jsno"]]) {
    const { io, run } = await world([]);
    expect(await run(...args)).toBe(2);
    expect(io.err()).toContain("Usage: sub2api_simple explain");
  }
});
