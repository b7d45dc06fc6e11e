import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { type TestIo, testIo } from "./test-io.ts";
import { createUsageCommand, type UsageRecords } from "./usage.ts";
import type { UsageSum } from "./usage-sums.ts";

const GOOD = { auth_tokens: ["client-token-0123456789"], accounts: [{ api_key: "sk-ant-0123456789" }] };
const CLOCK = new VirtualClock(Date.parse("2026-11-23T12:00:00Z"));

function sum(account: string, model: string, changes: Partial<UsageSum> = {}): UsageSum {
  const usage = { input: 1_000_000, cacheRead: 0, cacheWrite: 0, output: 100_000, reasoning: 0 };
  return { of: { account, model }, model, requests: 1_200, untold: 0, usage, ...changes };
}

interface World {
  readonly io: TestIo;
  readonly asked: Parameters<UsageRecords["usage"]>[0][];
  run(...args: readonly string[]): Promise<number>;
}

async function world(found: readonly UsageSum[] | Error | undefined, config: object = GOOD): Promise<World> {
  const io = await testIo();
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(config));
  const asked: World["asked"] = [];
  const run = createUsageCommand({
    clock: CLOCK,
    open() {
      if (found instanceof Error) throw found;
      if (found === undefined) return undefined;
      return { usage: (query) => (asked.push(query), found), close: () => undefined };
    },
  });
  return { io, asked, run: (...args) => run([...args], io) };
}

test("shows tokens and what they cost at list prices, with a sum", async () => {
  const { io, run } = await world([sum("a", "claude-opus-5"), sum("b", "gpt-5-2025-08-07")]);
  expect([await run(), io.err()]).toEqual([0, ""]);
  expect(io.out()).toContain("Since 2026-10-24:");
  // 1 M in at $5 and 0.1 M out at $25; 1 M at $1.25 and 0.1 M at $10.
  expect(io.out()).toMatch(/^a +claude-opus-5 +1,200 +1,000,000 +0 +0 +100,000 +\$7\.5000$/m);
  expect(io.out()).toMatch(/^b +gpt-5-2025-08-07 +.*\$2\.2500$/m);
  expect(io.out()).toMatch(/^total +2,400 +2,000,000 .*\$9\.7500$/m);
  expect(io.out()).toContain("list prices of 2026-");
});

test("a model without a known price has no cost, and a sum with it is only a part", async () => {
  const { io, run } = await world([sum("a", "claude-opus-5"), sum("a", "qwen3")]);
  await run();
  expect(io.out()).toMatch(/^a +qwen3 .* \?$/m);
  expect(io.out()).toMatch(/^total .* \$7\.5000\+$/m);
  expect(io.out()).toContain("No price is known of qwen3");
  const json = await world([sum("a", "claude-opus-5"), sum("a", "qwen3")]);
  await json.run("--json");
  const { rows, total } = JSON.parse(json.io.out());
  expect(rows).toMatchObject([
    {
      account: "a",
      model: "claude-opus-5",
      requests: 1200,
      input: 1_000_000,
      usd: 7.5,
      models_without_price: [],
    },
    { model: "qwen3", usd: null, usd_of_known_prices: 0, models_without_price: ["qwen3"] },
  ]);
  expect(total).toMatchObject({ requests: 2400, usd: null, usd_of_known_prices: 7.5 });
});

test("writing into a cache that has no known price is not counted as free", async () => {
  const usage = { input: 0, cacheRead: 0, cacheWrite: 10, output: 0, reasoning: 0 };
  const { io, run } = await world([sum("a", "gpt-5", { usage }), sum("b", "claude-opus-5", { usage })]);
  await run("--json");
  expect(JSON.parse(io.out()).rows).toMatchObject([{ usd: null }, { usd: 10 * 6.25e-6 }]);
});

test("models are added up where they are not asked for, and requests that told nothing are named", async () => {
  const of = { day: "2026-11-01" };
  const { io, run, asked } = await world([
    sum("", "claude-opus-5", { of }),
    sum("", "gpt-5", { of, untold: 3 }),
  ]);
  expect(await run("--by", "day,day", "--since", "7d")).toBe(0);
  expect(asked).toEqual([{ by: ["day"], since: CLOCK.wall() - 7 * 86_400_000 }]);
  expect(io.out()).toMatch(/^2026-11-01 +2,400 .*\$9\.7500$/m);
  expect(io.out()).toContain("3 of the requests ended without saying");
});

test("--csv quotes what has to be, and no cell is a formula", async () => {
  const { io, run } = await world([sum('a, "b"', "=cmd()"), sum("c", "gpt-5")]);
  expect(await run("--csv")).toBe(0);
  expect(io.out()).toBe(
    "account,model,requests,input,cache_read,cache_write,output,usd\r\n" +
      '"a, ""b""",\'=cmd(),1200,1000000,0,0,100000,\r\n' +
      "c,gpt-5,1200,1000000,0,0,100000,2.250000\r\n",
  );
});

test("what clients made up cannot steer the terminal", async () => {
  const { io, run } = await world([sum("a", "\u001B[31mred")]);
  await run();
  expect(io.out()).not.toContain("\u001B");
});

test("no records, or none in that time, are nothing", async () => {
  for (const found of [undefined, []]) {
    const { io, run } = await world(found);
    expect([await run("--since", "2026-11-20"), io.out()]).toEqual([
      0,
      "Nothing was recorded since 2026-11-20.\n",
    ]);
  }
});

test("records that cannot be read exit 1 with the reason; wrong usage and a bad config exit 2", async () => {
  const broken = await world(new Error("the records in x cannot be read (SQLITE_CORRUPT)"));
  expect([await broken.run("--json"), broken.io.out()]).toEqual([1, ""]);
  expect(broken.io.err()).toBe("The records in x cannot be read (SQLITE_CORRUPT)\n");
  for (const [args, words] of [
    [["--by", "acount"], 'did you mean "account"?'],
    [["--by", ""], "it knows account, key, model, day"],
    [["--since", "yesterday"], "--since needs a date"],
    [["--since", "2026-13-01"], "--since needs a date"],
    [["--json", "--csv"], "exclude each other"],
    [["--csw"], "did you mean --csv?"],
  ] as const) {
    const { io, run } = await world([]);
    expect(await run(...args)).toBe(2);
    expect(io.err()).toContain(words);
  }
  const bad = await world([], { ...GOOD, accounts: [] });
  expect(await bad.run()).toBe(2);
  expect(bad.io.err()).toContain("accounts must have at least one entry");
});
