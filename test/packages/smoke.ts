// What everybody does first, with the program in whatever form they got it: in an empty folder, a config, a start, a
// request of each protocol, a look, a stop.
import { expect } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parse } from "jsonc-parser";
import { until } from "../faults/row.ts";
import { post } from "../support/client.ts";
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { closedPort } from "../support/ports.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { startUpstream } from "../support/upstream.ts";

const START_WITHIN_MS = 20_000;
const WORDS = "Served by the package.";

export async function smoke(program: string): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: WORDS }));
  const folder = await mkdtemp(join(tmpdir(), "smoke-"));
  try {
    await inFolder({ program, folder, upstreamUrl: upstream.url });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Scene {
  readonly program: string;
  readonly folder: string;
  readonly upstreamUrl: string;
}

async function inFolder(scene: Scene): Promise<void> {
  const init = await run(scene, ["init", "--yes"]);
  expect(init).toMatchObject({ code: 0, err: "" });
  expect(init.out).toContain("config.json is written");
  const { url, key } = await pointed(scene);
  expect(await run(scene, ["check"])).toMatchObject({ code: 0 });
  const gateway = started(scene, []);
  try {
    await until("it listens", () => gateway.out().includes(`listens on ${url}`), START_WITHIN_MS);
    for (const protocol of PROTOCOLS)
      for (const stream of [true, false]) {
        const body = ask(protocol, { stream, model: MODELS[protocol] });
        const verdict = judge(protocol, await post(url, PATHS[protocol], body, { key }));
        expect([protocol, verdict.complete, verdict.text]).toEqual([protocol, true, WORDS]);
      }
    const status = await run(scene, ["status", "--json"]);
    expect(pickText(JSON.parse(status.out), "status")).toBe("ok");
    const usage = await run(scene, ["usage", "--json"]);
    expect(usage).toMatchObject({ code: 0, err: "" });
    const chat = await run(scene, ["chat", "Hello", "--model", MODELS.messages]);
    expect(chat).toMatchObject({ code: 0, out: `${WORDS}\n` });
  } finally {
    gateway.child.kill("SIGTERM");
  }
  expect(await gateway.exited).toBe(0);
}

/** The config that was written, with the accounts at the scripted upstream and a port of its own. */
async function pointed({ folder, upstreamUrl }: Scene): Promise<{ url: string; key: string }> {
  const path = join(folder, "config.json");
  const config = parse(await readFile(path, "utf8"), [], { allowTrailingComma: true }) as JsonObject;
  const port = await closedPort();
  const accounts = pickList(config, "accounts").map((each) => ({
    ...(each as object),
    base_url: upstreamUrl,
  }));
  expect(accounts).toHaveLength(2);
  await writeFile(path, JSON.stringify({ ...config, accounts, listen_addr: `127.0.0.1:${port}` }));
  return { url: `http://127.0.0.1:${port}`, key: String(pick(config, "auth_tokens", 0)) };
}

function started({ program, folder }: Scene, args: readonly string[]) {
  const { PATH } = process.env;
  const env = {
    PATH,
    HOME: folder,
    ANTHROPIC_API_KEY: "sk-ant-smoke-0123456789",
    OPENAI_API_KEY: "sk-smoke-0123456789",
  };
  const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (err += bytes.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, exited, out: () => out, err: () => err };
}

async function run(scene: Scene, args: readonly string[]) {
  const { exited, out, err } = started(scene, args);
  const code = await exited;
  return { code, out: out(), err: err() };
}
