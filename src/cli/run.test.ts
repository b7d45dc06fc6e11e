import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { account, CLIENT_KEY, gatewayConfig } from "../../test/support/gateway-config.ts";
import { startGateway } from "../../test/support/gateway.ts";
import { closedPort } from "../../test/support/ports.ts";
import { createRunCommand, startInTerminal } from "./run.ts";
import { ioFor } from "../../test/support/target-io.ts";

interface Started {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs with a `claude` and a `codex` in the PATH, and tells what was started. */
async function ran(args: string[], url: string) {
  const started: Started[] = [];
  const folder = (await ioFor(url)).cwd;
  for (const name of ["claude", "codex"]) await writeFile(join(folder, name), "#!/bin/sh\n", { mode: 0o755 });
  const io = await ioFor(url, { env: { PATH: folder, ANTHROPIC_API_KEY: "another" } });
  const run = createRunCommand({
    start: (command, env) => Promise.resolve(started.push({ command, env }) + 6),
  });
  return { code: await run(args, io), io, started, folder };
}

function gatewayOf() {
  return startGateway(gatewayConfig([account("one", "http://127.0.0.1:1")]));
}

test("Claude Code is started with the gateway's address and key and no other, and its exit code is ours", async () => {
  await using gateway = await gatewayOf();
  const { code, started, folder } = await ran(["claude", "--", "-p", "two words"], gateway.url);
  expect(code).toBe(7);
  expect(started[0]?.command).toEqual([join(folder, "claude"), "-p", "two words"]);
  expect(started[0]?.env).toMatchObject({
    ANTHROPIC_BASE_URL: gateway.url,
    ANTHROPIC_AUTH_TOKEN: CLIENT_KEY,
  });
  expect(started[0]?.env).not.toHaveProperty("ANTHROPIC_API_KEY");
});

test("Codex gets the gateway as its provider, before the user's own words", async () => {
  await using gateway = await gatewayOf();
  const { started } = await ran(["codex", "--model", "gpt-5", "--", "exec", "hello"], gateway.url);
  const words = started[0]?.command ?? [];
  expect(words).toContain(`model_providers.sub2api.base_url=${gateway.url}/v1`);
  expect(words).toContain("model=gpt-5");
  expect(words.slice(-2)).toEqual(["exec", "hello"]);
});

test("a client that is not installed is named, with how to install it", async () => {
  await using gateway = await gatewayOf();
  const { code, io, started } = await ran(["opencode"], gateway.url);
  expect([code, started]).toEqual([1, []]);
  expect(io.err()).toBe(
    "opencode is not installed, or not in your PATH. To install it: npm install -g opencode-ai\n",
  );
});

test("nothing is started where no gateway answers", async () => {
  const { code, io, started } = await ran(["claude"], `http://127.0.0.1:${await closedPort()}`);
  expect([code, started]).toEqual([1, []]);
  expect(io.err()).toContain("cannot be reached. Start it with: sub2api_simple -config FILE");
});

test("what can be started is told to whoever asks for something else", async () => {
  for (const [args, words] of [
    [[], "which client? One of claude, codex, opencode"],
    [["openai"], "there is no client"],
    [["cluade"], 'did you mean "claude"?'],
  ] as const) {
    const { code, io } = await ran([...args], "http://127.0.0.1:1");
    expect(code).toBe(2);
    expect(io.err()).toContain(words);
  }
});

test("a program that a signal ends is told as shells do", async () => {
  const env = { PATH: process.env["PATH"] };
  expect(await startInTerminal(["sh", "-c", "exit 3"], env)).toBe(3);
  expect(await startInTerminal(["sh", "-c", "kill -TERM $$"], env)).toBe(143);
});
