import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./env.ts";
import type { Io } from "./io.ts";
import { type TestIo, testIo } from "./test-io.ts";

const KEY = "client-token-0123456789";
const CONFIG = {
  listen_addr: ":8099",
  auth_tokens: [KEY],
  client_keys: [{ name: "alice", token: "alice's-token-0123456789" }],
  accounts: [{ api_key: "sk-ant-0123456789", models: ["claude-opus-5", "claude-*"] }],
};

/** A folder that is config's and home at once. */
async function world(env: Io["env"] = {}, config: object = CONFIG): Promise<TestIo> {
  const io = await testIo(env);
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(config));
  return { ...io, env: { HOME: io.cwd, SHELL: "/bin/bash", ...env } };
}

async function ran(args: string[], io: TestIo): Promise<string> {
  expect([await run(args, io), io.err()]).toEqual([0, ""]);
  return io.out();
}

/** What a shell makes of the lines. */
function evaluated(lines: string, then: string): string {
  const child = Bun.spawnSync(["bash", "-c", `${lines}\n${then}`], {
    env: { PATH: process.env["PATH"] ?? "", ANTHROPIC_API_KEY: "old" },
  });
  return child.stdout.toString();
}

test("a shell that takes the lines for Claude Code has its address and key, and no other key", async () => {
  const lines = await ran(["claude", "--model", "claude-opus-5"], await world());
  const seen = evaluated(
    lines,
    'echo "$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN $ANTHROPIC_MODEL [$ANTHROPIC_API_KEY]"',
  );
  expect(seen).toBe(`http://127.0.0.1:8099 ${KEY} claude-opus-5 []\n`);
});

test("the SDKs of OpenAI get an address with /v1", async () => {
  const lines = await ran(["openai"], await world());
  expect(lines).toBe(`export OPENAI_BASE_URL='http://127.0.0.1:8099/v1'\nexport OPENAI_API_KEY='${KEY}'\n`);
});

test("Codex is wrapped, as it takes a provider from no variable, and the user's own words come last", async () => {
  const lines = await ran(["codex"], await world());
  const folder = (await testIo()).cwd;
  await writeFile(join(folder, "codex"), '#!/bin/sh\nprintf "%s\\n" "$SUB2API_KEY" "$@"\n', { mode: 0o755 });
  const words = evaluated(lines, `PATH="${folder}:$PATH" codex exec "two words"`).trim().split("\n");
  expect(words[0]).toBe(KEY);
  expect(words).toContain("model_providers.sub2api.base_url=http://127.0.0.1:8099/v1");
  expect(words.slice(-2)).toEqual(["exec", "two words"]);
});

test("each shell quotes in its own way", async () => {
  for (const [shell, line] of [
    ["bash", "export ANTHROPIC_AUTH_TOKEN='alice'\\''s-token-0123456789'"],
    ["zsh", "export ANTHROPIC_AUTH_TOKEN='alice'\\''s-token-0123456789'"],
    ["fish", "set -gx ANTHROPIC_AUTH_TOKEN 'alice\\'s-token-0123456789'"],
    ["pwsh", "$env:ANTHROPIC_AUTH_TOKEN = 'alice''s-token-0123456789'"],
  ] as const) {
    expect(await ran(["claude", "--key", "alice", "--shell", shell], await world())).toContain(`${line}\n`);
    expect(await ran(["claude", "--key", "alice"], await world({ SHELL: `/usr/bin/${shell}` }))).toContain(
      line,
    );
  }
});

test("opencode is told of the models that the config names, and begins with the one that is wanted", async () => {
  const io = await world();
  const { set } = JSON.parse(await ran(["opencode", "--json", "--model", "gpt-5"], io));
  const { provider, model } = JSON.parse(set.OPENCODE_CONFIG_CONTENT);
  expect(model).toBe("sub2api/gpt-5");
  expect(Object.keys(provider.sub2api.models)).toEqual(["gpt-5", "claude-opus-5"]);
  expect(provider.sub2api.options).toEqual({ baseURL: "http://127.0.0.1:8099/v1", apiKey: KEY });
});

test("a config without names of models cannot be made known to opencode, which is said", async () => {
  const io = await world({}, { ...CONFIG, accounts: [{ api_key: "sk-ant-0123456789" }] });
  expect(await run(["opencode"], io)).toBe(1);
  expect(io.out()).toBe("");
  expect(io.err()).toContain("Start the gateway, or choose one");
});

test("with an address and a key in the environment no config is needed", async () => {
  const io = await testIo({ SUB2API_KEY: "far-token-0123456789" });
  const lines = await ran(["openai", "--url", "https://gateway.example.com/v1/", "--shell", "bash"], io);
  expect(lines).toContain("OPENAI_BASE_URL='https://gateway.example.com/v1'");
  expect(lines).toContain("far-token-0123456789");
});

const FILES = {
  claude: [".claude/settings.json", '{\n  // Mine.\n  "env": { "A": "1" },\n  "theme": "dark"\n}\n'],
  codex: [".codex/config.toml", '# Mine.\nmodel_provider = "other"\n\n[model_providers.other]\nname = "o"\n'],
  opencode: [".config/opencode/opencode.json", '{ "theme": "dark" }\n'],
} as const;

test("--write changes the client's own config and nothing else in it; --undo restores it byte for byte", async () => {
  for (const [client, [file, before]] of Object.entries(FILES)) {
    const io = await world();
    const path = join(io.cwd, file);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, before);
    await chmod(path, 0o644);
    expect(await ran([client, "--write"], io)).toContain(`${path} points ${client} at http://127.0.0.1:8099`);
    const text = await readFile(path, "utf8");
    expect(text).toContain(KEY);
    expect(text).toContain(before.includes("Mine") ? "Mine." : '"dark"');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    // Twice is once.
    await ran([client, "--write"], io);
    expect(await readFile(path, "utf8")).toBe(text);
    expect(await ran([client, "--undo"], io)).toContain("is as it was before.\n");
    expect(await readFile(path, "utf8")).toBe(before);
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(path, ".."))).toHaveLength(1);
  }
});

test("a config that was not there is gone again after --undo, and a link stays a link", async () => {
  for (const [client, [file]] of Object.entries(FILES)) {
    const io = await world();
    await ran([client, "--write"], io);
    expect(existsSync(join(io.cwd, file))).toBe(true);
    await ran([client, "--undo"], io);
    expect(existsSync(join(io.cwd, file))).toBe(false);
  }
  const io = await world();
  await mkdir(join(io.cwd, ".claude"));
  await writeFile(join(io.cwd, "dotfile.json"), "{}");
  await symlink(join(io.cwd, "dotfile.json"), join(io.cwd, ".claude/settings.json"));
  await ran(["claude", "--write"], io);
  expect(await readFile(join(io.cwd, "dotfile.json"), "utf8")).toContain(KEY);
});

test("what somebody changed after --write is kept beside the file at --undo, also over a second --write", async () => {
  const io = await world();
  const path = join(io.cwd, ".claude/settings.json");
  await ran(["claude", "--write"], io);
  await writeFile(path, (await readFile(path, "utf8")).replace("{", '{ "theme": "light",'));
  await ran(["claude", "--write"], io);
  const { kept } = JSON.parse(await outOf(["claude", "--undo", "--json"], io));
  expect(kept).toBe(`${path}.with-sub2api`);
  expect(await readFile(kept, "utf8")).toContain("light");
});

async function outOf(args: string[], io: TestIo): Promise<string> {
  const before = io.out().length;
  return (await ran(args, io)).slice(before);
}

test("a config that cannot be read as what it should be is left as it is", async () => {
  for (const [client, [file]] of Object.entries(FILES)) {
    const io = await world();
    const path = join(io.cwd, file);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "= {[");
    expect(await run([client, "--write"], io)).toBe(1);
    expect(io.err()).toContain(`${path} is left as it is: it is not valid`);
    expect(await readFile(path, "utf8")).toBe("= {[");
    expect(readdirSync(join(path, ".."))).toHaveLength(1);
  }
  const io = await world();
  expect(await run(["claude", "--undo"], io)).toBe(1);
  expect(io.err()).toContain("There is no backup");
});

test("a key in the environment that would come as a second one is named", async () => {
  const io = await world({ ANTHROPIC_API_KEY: "sk-secret" });
  expect(await ran(["claude", "--write"], io)).toContain("ANTHROPIC_API_KEY is set");
  expect(io.out()).not.toContain("sk-secret");
});

test("wrong usage exits 2 and names the nearest word", async () => {
  for (const [args, words] of [
    [[], "which client? One of claude, codex"],
    [["cluade"], 'did you mean "claude"?'],
    [["claude", "--shel", "fish"], "did you mean --shell?"],
    [["claude", "--shell", "fihs"], 'did you mean "fish"?'],
    [["claude", "--key", "alcie"], 'did you mean "alice"?'],
    [["claude", "--url", "nowhere"], "--url needs an address"],
    [["openai", "--model", "gpt-5"], "takes no --model"],
    [["openai", "--write"], "has no config of its own"],
    [["claude", "--write", "--undo"], "exclude each other"],
  ] as const) {
    const io = await world();
    expect([await run([...args], io), io.out()]).toEqual([2, ""]);
    expect(io.err()).toContain(words);
    expect(io.err()).toContain("Usage: sub2api_simple env");
  }
  const none = await testIo();
  expect(await run(["claude"], none)).toBe(2);
  expect(none.err()).toContain("There is no config at");
  const help = await testIo();
  expect(await run(["-h"], help)).toBe(0);
  expect(help.out()).toContain("Examples:");
});
