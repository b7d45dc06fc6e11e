import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./check.ts";
import { testIo } from "./test-io.ts";

const GOOD = {
  listen_addr: ":8080",
  auth_tokens: ["client-token-0123456789"],
  accounts: [{ api_key: "${KEY}" }, { platform: "openai", type: "oauth", disabled: true }],
};

test("a good config is summed up and exits 0", async () => {
  const io = await testIo({ KEY: "k" });
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(GOOD));
  expect(await run([], io)).toBe(0);
  expect(io.out()).toBe(
    "config.json is good: 2 accounts (1 disabled), 1 client key, listens on every interface, port 8080\n",
  );
  expect(io.err()).toBe("");
});

test("a bad config shows every problem with its place and a suggestion, and exits 1", async () => {
  const io = await testIo();
  const bad = { ...GOOD, listen_adr: ":1", max_account_switches: "5" };
  await writeFile(join(io.cwd, "other.json"), JSON.stringify(bad, null, 2));
  expect(await run(["-config", "other.json"], io)).toBe(1);
  expect(io.out()).toBe("");
  expect(io.err())
    .toBe(`other.json:8:7: accounts[0].api_key takes the environment variable KEY, which is not set
    try: export KEY=…
other.json:16:3: listen_adr is not a known key
    try: "listen_addr"
other.json:17:3: max_account_switches must be a number, not a string
    try: 5
3 problems in other.json
`);
});

test("a missing file says how to make one and exits 1", async () => {
  const io = await testIo({ SUB2API_CONFIG: "none.json" });
  expect(await run([], io)).toBe(1);
  expect(io.err()).toContain("none.json: does not exist\n    try: sub2api_simple init");
});

test("--help exits 0, wrong usage exits 2 with the help", async () => {
  const help = await testIo();
  expect(await run(["--help"], help)).toBe(0);
  expect(help.out()).toContain("Usage: sub2api_simple check");
  for (const args of [["--nope"], ["config.json"], ["-config"]]) {
    const io = await testIo();
    expect(await run(args, io)).toBe(2);
    expect(io.err()).toContain("Usage: sub2api_simple check");
  }
});

test("--json names the problems for programs, and says when there are none", async () => {
  const io = await testIo();
  await writeFile(join(io.cwd, "config.json"), '{\n"acounts": 1 }');
  expect(await run(["--json"], io)).toBe(1);
  const { ok, problems } = JSON.parse(io.out());
  expect(ok).toBe(false);
  expect(problems).toContainEqual(expect.objectContaining({ path: "acounts", line: 2 }));
  const good = await testIo();
  const config = { auth_tokens: ["a-long-enough-token"], accounts: [{ api_key: "sk-ant-0123456789" }] };
  await writeFile(join(good.cwd, "config.json"), JSON.stringify(config));
  expect(await run(["--json"], good)).toBe(0);
  expect(JSON.parse(good.out())).toEqual({ ok: true, problems: [] });
});
