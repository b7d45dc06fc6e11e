// One run of one client: a gateway before a scripted vendor, the client in a folder of its own, and what came of it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { account, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { HOW } from "./clients.ts";
import type { ClientName } from "./install.ts";
import type { Vendor } from "./model.ts";
import { listen, type Heard } from "./listener.ts";
import { prepareWork, type Ended, type Scenario, type Stage } from "./scenarios.ts";

const RUN_MS = 90_000;
const SETTLE_MS = 5_000;
const MODELS = { messages: "claude-opus-5", responses: "gpt-5" } as const;

export interface Run {
  readonly client: ClientName;
  readonly program: string;
  readonly vendor: Vendor;
  readonly scenario: Scenario;
}

export interface Played {
  /** Undefined when all was as it should be. */
  readonly failure: string | undefined;
  readonly heard: readonly Heard[];
  readonly upstream: readonly string[];
}

export async function play(run: Run): Promise<Played> {
  const { client, vendor, scenario } = run;
  const how = HOW[client];
  const root = mkdtempSync(join(tmpdir(), "sub2api-client-"));
  const [work, home] = [join(root, "work"), join(root, "home")];
  for (const folder of [work, home]) mkdirSync(folder);
  prepareWork(work);
  const upstream = await startUpstream();
  const gateway = await startGateway(configFor(vendor, MODELS[how.own], upstream));
  const listener = listen(gateway.url);
  try {
    const stage: Stage = { upstream, vendor, hands: how.hands, work, active: () => gateway.active() };
    scenario.set(stage);
    const setting = { url: listener.url, program: run.program, work, home, model: MODELS[how.own] };
    const picture = scenario.picture === true && how.takesPicture ? join(work, "dot.png") : undefined;
    const { command, env } = how.start(setting, scenario.prompt(stage), picture);
    const ended = await runClient({ command, env, cwd: work }, () => scenario.kill?.(stage) === true);
    await settled(gateway, upstream);
    const failure = failureOf(() => scenario.check(stage, ended), ended);
    return {
      failure,
      heard: listener.heard,
      upstream: upstream.requests.map((request) => request.body.toString()),
    };
  } finally {
    listener.stop();
    await gateway.close().catch(() => {});
    await upstream.close().catch(() => {});
    rmSync(root, { recursive: true, force: true });
  }
}

function configFor(vendor: Vendor, model: string, upstream: Upstream): ReturnType<typeof gatewayConfig> {
  const platform = vendor === "messages" ? "anthropic" : "openai";
  const accounts = ["a", "b"].map((name, place) =>
    account(name, upstream.url, { platform, more: { apis: [vendor], priority: place + 1 } }),
  );
  const aliases = model === MODELS[vendor] ? {} : { [model]: { models: [MODELS[vendor]] } };
  return gatewayConfig(accounts, {
    model_aliases: aliases,
    first_event_timeout: "60s",
    response_timeout: "60s",
    stream_read_timeout: "60s",
  });
}

interface Command {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

async function runClient({ command, env, cwd }: Command, isOver: () => boolean): Promise<Ended> {
  // In a session of its own: the programs that npm brings are scripts that start the real ones.
  const child = Bun.spawn(["setsid", ...command], {
    env: { ...env },
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let killed = false;
  const kill = (): void => {
    killed = true;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const tooLong = setTimeout(kill, RUN_MS);
  const look = setInterval(() => isOver() && kill(), 100);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  clearTimeout(tooLong);
  clearInterval(look);
  return { code: killed ? undefined : code, output: `${out}\n${err}` };
}

/** A client that has gone is noticed at once, its upstream request ended soon after. */
async function settled(gateway: Gateway, upstream: Upstream): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  while ((gateway.active() > 0 || upstream.active > 0) && performance.now() < end) await Bun.sleep(50);
}

function failureOf(check: () => void, { code, output }: Ended): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${why}\n    exit ${code ?? "by a kill"}; ${output.trim().split("\n").slice(-6).join("\n    ")}`;
  }
}
