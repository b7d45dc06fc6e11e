// Starts the gateway for a test, in this process or as a child, and asserts at the end that it kept nothing.
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import type { ExchangeRecord } from "../../src/core/exchange.ts";
import type { LoginStore } from "../../src/core/login.ts";
import type { AccountStatus, Clock, LogLine } from "../../src/core/ports.ts";
import { get } from "./client.ts";
import { secretsIn, writeConfig, type ConfigFile } from "./gateway-config.ts";
import type { JsonObject } from "./json-pick.ts";
import { memoryRecords, type MemoryRecords } from "./memory-records.ts";
import { closedPort } from "./ports.ts";

export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly file: ConfigFile;
  readonly lines: readonly LogLine[];
  /** One for each request that has ended. */
  readonly exchanges: readonly ExchangeRecord[];
  snapshot(): readonly AccountStatus[];
  /** Slots taken now, over all accounts. */
  active(): number;
  reload(config: JsonObject): Promise<void>;
  drain(): Promise<void>;
  /** Where somebody signs this account in. */
  loginUrl(account: string): string | undefined;
  /** Waits until no slot is taken; throws with the snapshot after `withinMs` (2 s). */
  idle(withinMs?: number): Promise<void>;
  /** Throws if a slot is still taken or a credential stands in log or records. Twice is harmless. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly clock?: Clock;
  /** Those of an earlier gateway, to start again on its state. */
  readonly records?: MemoryRecords;
  /** Those of an earlier gateway; its data folder has to be kept as well, for the key. */
  readonly logins?: LoginStore;
  /** What must not stand in the log or the records either, looked up at the end. */
  readonly secrets?: () => readonly string[];
}

export interface ChildGateway extends AsyncDisposable {
  readonly url: string;
  readonly file: ConfigFile;
  readonly pid: number;
  output(): string;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<number>;
  /** SIGTERM, then SIGKILL; throws if a credential stands in the output. Twice is harmless. */
  close(): Promise<void>;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Shell words before the program's own, such as a limit: it is what runs there. */
  readonly shell?: string;
  /** Nobody reads what it writes, as when a terminal is stopped. */
  readonly unread?: boolean;
}

/** The program. */
export const MAIN = join(import.meta.dirname, "..", "..", "src", "main.ts");
const IDLE_WITHIN_MS = 10_000;
const START_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 5000;

/** In this process: fast, and its pool can be looked into. At most 256 requests upstream at once. */
export async function startGateway(config: JsonObject, options: GatewayOptions = {}): Promise<Gateway> {
  const { startApp } = await import("../../src/app.ts");
  const file = await writeConfig(config);
  const lines: LogLine[] = [];
  const records = options.records ?? memoryRecords();
  const log = (line: LogLine): void => void lines.push(line);
  const app = await startApp({
    config: await load(file),
    log,
    records,
    callbackPort: 0,
    ...(options.clock && { clock: options.clock }),
    ...(options.logins && { logins: options.logins }),
  });
  const snapshot = (): readonly AccountStatus[] => app.pool.snapshot();
  const active = (): number => snapshot().reduce((sum, status) => sum + status.active, 0);
  const idle = (withinMs = IDLE_WITHIN_MS): Promise<void> => untilIdle(active, snapshot, withinMs);
  const close = once(async () => {
    const busy = await idle().then(
      () => [],
      (error: unknown) => [String(error)],
    );
    await app.close();
    await file.remove();
    const told = JSON.stringify([lines, records.exchanges]);
    const secrets = [
      ...secretsIn(told),
      ...(options.secrets?.() ?? []).filter((each) => told.includes(each)),
    ];
    throwAll([...busy, ...secrets.map((secret) => `credential in the log: ${secret}`)]);
  });
  return {
    url: app.url,
    file,
    lines,
    exchanges: records.exchanges,
    snapshot,
    active,
    async reload(next) {
      await file.write(next);
      void app.reload(await load(file));
    },
    drain: () => app.drain(),
    loginUrl: (name) => app.loginUrl(name),
    idle,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** As users start it: `bun src/main.ts -config FILE`, on a port of its own. */
export async function spawnGateway(config: JsonObject, options: ChildOptions = {}): Promise<ChildGateway> {
  const port = await closedPort();
  const url = `http://127.0.0.1:${port}`;
  const file = await writeConfig({ ...config, listen_addr: `127.0.0.1:${port}` });
  const own = [process.execPath, MAIN, "-config", file.path, ...(options.args ?? [])];
  const command =
    options.shell === undefined ? own : ["sh", "-c", `${options.shell}; exec "$@"`, "sh", ...own];
  const env = { ...process.env, ...options.env };
  const child = Bun.spawn(command, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const written: string[] = [];
  const read = options.unread === true ? [child.stderr] : [child.stdout, child.stderr];
  const readers = read.map((stream) => collect(stream, written));
  const output = (): string => written.join("");
  const close = once(async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await child.exited;
    clearTimeout(timer);
    await Promise.all(readers);
    await file.remove();
    throwAll(secretsIn(output()).map((secret) => `credential in the output: ${secret}`));
  });
  if (!(await answers(url, () => child.exitCode === null))) {
    await close();
    throw new Error(`gateway did not start (exit code ${child.exitCode ?? "none"}): ${output()}`);
  }
  const signal = (name: NodeJS.Signals): void => child.kill(name);
  return {
    url,
    file,
    pid: child.pid,
    output,
    signal,
    exited: child.exited,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function load(file: ConfigFile): Promise<Config> {
  const loaded = await loadConfig(file.path);
  if (loaded.ok) return loaded.config;
  const problems = loaded.problems.map((problem) => `${problem.path} ${problem.message}`);
  throw new Error(`config of the test is bad: ${problems.join("; ")}`);
}

async function untilIdle(active: () => number, snapshot: () => unknown, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  while (active() > 0 && performance.now() < until) await Bun.sleep(2);
  if (active() > 0) throw new Error(`${active()} slots are still taken: ${JSON.stringify(snapshot())}`);
}

async function collect(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) into.push(decoder.decode(bytes, { stream: true }));
}

async function answers(url: string, running: () => boolean): Promise<boolean> {
  const until = performance.now() + START_WITHIN_MS;
  while (performance.now() < until && running()) {
    const { status } = await get(url, "/health/live", { timeoutMs: 1000 });
    if (status === 200) return true;
    await Bun.sleep(10);
  }
  return false;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

function throwAll(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`gateway: ${problems.join("; ")}`);
}
