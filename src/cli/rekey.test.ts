import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRekeyCommand, type RekeyTools } from "./rekey.ts";
import { type TestIo, testIo } from "./test-io.ts";

const GOOD = { auth_tokens: ["client-token-0123456789"], accounts: [{ api_key: "sk-ant-0123456789" }] };

interface World {
  readonly io: TestIo;
  readonly opened: string[];
  readonly closed: () => number;
  run(...args: readonly string[]): Promise<number>;
}

async function world(logins: number | Error, config: unknown = GOOD): Promise<World> {
  const io = await testIo();
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(config));
  const opened: string[] = [];
  let closed = 0;
  const tools: RekeyTools = {
    async open({ dataDir }) {
      opened.push(dataDir);
      return {
        async rekey() {
          if (typeof logins !== "number") throw logins;
          return { logins, key: join(dataDir, "master.key") };
        },
        async close() {
          closed++;
        },
      };
    },
  };
  const command = createRekeyCommand(tools);
  return { io, opened, closed: () => closed, run: (...args) => command([...args], io) };
}

test("the new key is told by its place, with how many logins it seals", async () => {
  for (const [logins, words] of [
    [0, "0 logins are sealed"],
    [1, "1 login is sealed"],
    [2, "2 logins are sealed"],
  ] as const) {
    const { io, opened, closed, run } = await world(logins);
    const data = join(io.cwd, "data");
    expect([await run(), opened, closed(), io.err()]).toEqual([0, [data], 1, ""]);
    expect(io.out()).toContain(`in ${join(data, "master.key")}. ${words}`);
  }
});

test("for programs it is one line of JSON", async () => {
  const { io, run } = await world(3);
  expect(await run("--json")).toBe(0);
  expect(JSON.parse(io.out())).toEqual({
    rekeyed: true,
    logins: 3,
    key: join(io.cwd, "data", "master.key"),
  });
});

test("a failure is told in words, and everything is closed", async () => {
  const { io, closed, run } = await world(new Error("the key is given by SUB2API_MASTER_KEY"));
  expect([await run("--json"), closed()]).toEqual([1, 1]);
  expect(JSON.parse(io.out())).toEqual({
    rekeyed: false,
    reason: "the key is given by SUB2API_MASTER_KEY",
  });
  expect(io.err()).toBe("The master key could not be changed: the key is given by SUB2API_MASTER_KEY\n");
});

test("a bad config and wrong usage exit 2 and open nothing", async () => {
  const bad = await world(1, { ...GOOD, accounts: [] });
  expect([await bad.run(), bad.opened]).toEqual([2, []]);
  expect(bad.io.err()).toContain("accounts must have at least one entry");
  for (const args of [["--nope"], ["word"]]) {
    const { io, opened, run } = await world(1);
    expect([await run(...args), opened]).toEqual([2, []]);
    expect(io.err()).toContain("Usage: sub2api_simple rekey");
  }
});

test("--help says what it does", async () => {
  const { io, opened, run } = await world(1);
  expect([await run("-h"), opened]).toEqual([0, []]);
  expect(io.out()).toContain("Usage: sub2api_simple rekey");
});
