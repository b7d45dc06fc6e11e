import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "jsonc-parser";
import { configJsonSchema } from "../config/json-schema.ts";
import { arrayAt, type Json, stringAt } from "../core/json.ts";
import { run as check } from "./check.ts";
import { run } from "./init.ts";
import type { Io } from "./io.ts";
import { type TestIo, testIo } from "./test-io.ts";

function written(io: Io): string {
  return join(io.cwd, "config.json");
}

/** What was written, after `check` has found it good under this environment. */
async function goodConfig(io: TestIo, env: Io["env"] = io.env): Promise<Json> {
  const code = await check([], { ...io, env });
  expect([code, io.err()]).toEqual([0, ""]);
  const config: Json = parse(await readFile(written(io), "utf8"), [], { allowTrailingComma: true });
  return config;
}

/** Runs `init` with these answers. */
async function answered(answers: readonly string[], env: Io["env"] = {}): Promise<TestIo> {
  const io = await testIo(env, answers);
  expect(await run([], io)).toBe(0);
  return io;
}

test("--yes takes the keys that are in the environment, by reference", async () => {
  const io = await testIo({ ANTHROPIC_API_KEY: "sk-a", OPENAI_API_KEY: "sk-o" });
  expect(await run(["--yes"], io)).toBe(0);
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([
    { name: "anthropic", platform: "anthropic", api_key: "${ANTHROPIC_API_KEY}" },
    { name: "openai", platform: "openai", api_key: "${OPENAI_API_KEY}" },
  ]);
});

test("--yes without keys leaves templates and says what to fill in", async () => {
  const io = await testIo({ OPENAI_API_KEY: "" });
  expect(await run(["-y"], io)).toBe(0);
  expect(io.out()).toContain("No account is set up yet");
  const text = await readFile(written(io), "utf8");
  expect(text).toContain("FILL IN");
  expect(await check([], io)).toBe(1);
  expect(io.err()).toContain("accounts must have at least one entry");
});

test("every template of an account is good once it is filled in", async () => {
  const io = await testIo();
  await run(["--yes"], io);
  const text = await readFile(written(io), "utf8");
  const filled = text.replaceAll("    // {", "    {").replaceAll('"your-', '"real-');
  await writeFile(written(io), filled);
  const names = arrayAt(await goodConfig(io), "accounts")?.map((account) => stringAt(account, "name"));
  expect(names).toEqual(["anthropic", "openai", "chatgpt", "local"]);
  await writeFile(written(io), text.replaceAll("    // {", "    {"));
  expect(await check([], io)).toBe(1);
  expect(io.err()).toContain("accounts[0].api_key is a sample value");
});

test("each config gets a random client key of 256 bits, and nobody else can read the file", async () => {
  const keys: (Json | undefined)[] = [];
  for (let i = 0; i < 2; i++) {
    const io = await testIo({ ANTHROPIC_API_KEY: "sk-a" });
    await run(["--yes"], io);
    keys.push(...(arrayAt(await goodConfig(io), "auth_tokens") ?? []));
    expect((await stat(written(io))).mode & 0o777).toBe(0o600);
    expect(io.out()).not.toContain("s2a-");
  }
  expect(keys).toHaveLength(2);
  expect(keys[0]).not.toBe(keys[1]);
  for (const key of keys) expect(key).toMatch(/^s2a-[\w-]{43}$/);
});

test("the questions are a platform and its key", async () => {
  const io = await answered(["2", " sk-typed "]);
  expect(io.out()).toContain("sub2api_simple -config config.json");
  expect(io.out()).not.toContain("sk-typed");
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([
    { platform: "openai", api_key: "sk-typed" },
  ]);
});

test("a key that holds quotes, backslashes or ${ is written as it was typed", async () => {
  const io = await answered(["1", 'sk-"${odd}\\']);
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([{ api_key: 'sk-"$${odd}\\' }]);
});

test("a ChatGPT plan needs no secret, and the sign-in is the next step that is named", async () => {
  const io = await answered(["3"]);
  expect(arrayAt(await goodConfig(io), "accounts")).toEqual([
    { name: "chatgpt", platform: "openai", type: "oauth", concurrency: 3 },
  ]);
  expect(io.out()).toContain("\n  sub2api_simple login chatgpt\n");
});

test("an empty answer takes the offer; a wrong one is asked again", async () => {
  const io = await answered(["9", "", ""]);
  expect(io.out().match(/1, 2 or 3/g)).toHaveLength(2);
  const config = await goodConfig(io, { ANTHROPIC_API_KEY: "set-later" });
  expect(arrayAt(config, "accounts")).toMatchObject([
    { platform: "anthropic", api_key: "${ANTHROPIC_API_KEY}" },
  ]);
});

test("what is found is offered one by one, and the rest is not asked", async () => {
  const io = await testIo({ ANTHROPIC_API_KEY: "sk-a", OPENAI_API_KEY: "sk-o" }, ["n", ""]);
  expect(await run([], io)).toBe(0);
  expect(io.out()).toContain(
    "Use the key in $ANTHROPIC_API_KEY? [Y/n] Use the key in $OPENAI_API_KEY? [Y/n] ",
  );
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([{ api_key: "${OPENAI_API_KEY}" }]);
});

test("a login of the Codex program is offered, and taking it over is the next step", async () => {
  const io = await testIo({}, ["y"]);
  await mkdir(join(io.cwd, ".codex"));
  await writeFile(join(io.cwd, ".codex", "auth.json"), "{}");
  expect(await run([], io)).toBe(0);
  expect(io.out()).toContain(`Use Codex's login in ${io.cwd}/.codex/auth.json? [Y/n] `);
  expect(io.out()).toContain("\n  sub2api_simple import codex\n");
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([{ name: "codex", type: "oauth" }]);
});

test("who takes nothing of what is found is asked as if nothing were: five questions at most", async () => {
  const env = { ANTHROPIC_API_KEY: "sk-a", OPENAI_API_KEY: "sk-o", CODEX_HOME: "codex" };
  const io = await testIo(env, ["n", "N", "no", "2", "sk-typed"]);
  await mkdir(join(io.cwd, "codex"));
  await writeFile(join(io.cwd, "codex", "auth.json"), "{}");
  expect(await run([], io)).toBe(0);
  expect(arrayAt(await goodConfig(io), "accounts")).toMatchObject([{ api_key: "sk-typed" }]);
});

test("the schema lies beside the config, which names it; one that is there already is left", async () => {
  const io = await testIo({ ANTHROPIC_API_KEY: "sk-a" });
  await run(["--yes"], io);
  const schema = join(io.cwd, "config.schema.json");
  expect(stringAt(await goodConfig(io), "$schema")).toBe("./config.schema.json");
  expect(JSON.parse(await readFile(schema, "utf8"))).toEqual(configJsonSchema());
  await writeFile(schema, "mine");
  expect(await run(["--yes", "-config", "second.json"], io)).toBe(0);
  expect(await readFile(schema, "utf8")).toBe("mine");
});

test("--json says what was written and what to type next, and nothing else stands on stdout", async () => {
  const io = await testIo({}, ["3"]);
  expect(await run(["--json"], io)).toBe(0);
  expect(JSON.parse(io.out())).toEqual({
    file: written(io),
    accounts: ["chatgpt"],
    next: ["sub2api_simple login chatgpt", "sub2api_simple -config config.json"],
  });
  expect(io.err()).toContain("Which account");
});

test("--listen is where it listens, when that is an address", async () => {
  const io = await testIo({ ANTHROPIC_API_KEY: "sk-a" });
  expect(await run(["--yes", "--listen", ":8080"], io)).toBe(0);
  expect(stringAt(await goodConfig(io), "listen_addr")).toBe(":8080");
  const wrong = await testIo();
  expect(await run(["--yes", "--listen", "here"], wrong)).toBe(2);
  expect(wrong.err()).toContain('--listen needs an address such as ":8080", not "here"');
  expect(await readdir(wrong.cwd)).toEqual([]);
});

test("when nobody answers nothing is written and --yes is named", async () => {
  for (const answers of [undefined, [], ["1"]]) {
    const io = await testIo({}, answers);
    expect(await run([], io)).toBe(2);
    expect(io.err()).toContain("--yes");
    expect(await readdir(io.cwd)).toEqual([]);
  }
});

test("a file that exists is left alone, before anything is asked", async () => {
  const io = await testIo({}, ["1", "sk-1"]);
  await writeFile(written(io), "mine");
  expect(await run([], io)).toBe(2);
  expect(io.err()).toContain("config.json exists already");
  expect(io.out()).toBe("");
  expect(await readFile(written(io), "utf8")).toBe("mine");
});

test("a folder that is not there is a failure, not a crash", async () => {
  const io = await testIo();
  expect(await run(["--yes", "-config", "no/such/config.json"], io)).toBe(1);
  expect(io.err()).toBe("no/such/config.json cannot be written (ENOENT)\n");
});

test("--help exits 0, wrong usage exits 2 with the help", async () => {
  const help = await testIo();
  expect(await run(["-h"], help)).toBe(0);
  expect(help.out()).toContain("Usage: sub2api_simple init");
  for (const args of [["--nope"], ["word"]]) {
    const io = await testIo();
    expect(await run(args, io)).toBe(2);
    expect(io.err()).toContain("Usage: sub2api_simple init");
  }
});
