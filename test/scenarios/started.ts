// The gateway as its own process, started in one of the ways in which people start it.
import { Database } from "bun:sqlite";
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { get } from "../support/client.ts";
import { CLIENT_KEY, secretsIn, writeConfig, type ConfigFile } from "../support/gateway-config.ts";
import { pick, pickList, pickNumber, type JsonObject } from "../support/json-pick.ts";
import { closedPort } from "../support/ports.ts";

/** What people type, in the folder of the repository; `-config FILE` follows. */
export const WAYS_TO_START = [
  ["node_modules/.bin/bun", "src/main.ts"],
  ["npm", "start", "--"],
  ["bin/sub2api_simple"],
] as const;

export interface Started extends AsyncDisposable {
  readonly url: string;
  readonly file: ConfigFile;
  readonly pid: number;
  output(): string;
  /** Slots taken now, as the health page says. */
  active(): Promise<number>;
  /** Asks it to end, waits for that, and returns its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const ROOT = join(import.meta.dirname, "..", "..");
const START_WITHIN_MS = 15_000;

export async function startBy(command: readonly string[], config: JsonObject): Promise<Started> {
  const port = await closedPort();
  const url = `http://127.0.0.1:${port}`;
  const file = await writeConfig({ ...config, listen_addr: `127.0.0.1:${port}` });
  const [program = "", ...args] = [...command, "-config", file.path];
  // The tests may run with the limit of fetch lifted already; the gateway has to see to that itself.
  const { BUN_CONFIG_MAX_HTTP_REQUESTS: _, ...env } = process.env;
  // In a group of its own, so that nothing of it can be left over.
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const written: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => written.push(bytes.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const output = (): string => written.join("");
  const close = async (): Promise<void> => {
    killGroup(child);
    await exited;
    await file.remove();
    const secrets = secretsIn(output());
    if (secrets.length > 0) throw new Error(`credential in the output: ${secrets.join()}`);
  };
  if (!(await isUp(url, child))) {
    await close();
    throw new Error(`${command.join(" ")} did not start: ${output()}`);
  }
  return {
    url,
    file,
    pid: child.pid ?? Number.NaN,
    output,
    active: () => activeAt(url),
    stop: (signal = "SIGTERM") => (child.kill(signal), exited),
    [Symbol.asyncDispose]: close,
  };
}

/** The rows about exchanges in the database of a gateway that has ended. */
export function recordedIn(dataFolder: string): JsonObject[] {
  const database = new Database(join(dataFolder, "sub2api.sqlite"), { readonly: true });
  try {
    return database.query<Record<string, unknown>, []>("SELECT * FROM exchanges ORDER BY seq").all();
  } finally {
    database.close();
  }
}

async function activeAt(url: string): Promise<number> {
  const page = (await get(url, "/health", { key: CLIENT_KEY })).json();
  const counts = pickList(page, "account_details").map((detail) => pickNumber(detail, "active"));
  if (counts.length === 0 || pick(page, "status") === undefined) throw new Error("no health page");
  return counts.reduce((sum: number, count) => sum + (count ?? Number.NaN), 0);
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

async function isUp(url: string, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + START_WITHIN_MS;
  while (performance.now() < until && child.exitCode === null) {
    if ((await get(url, "/health/live", { timeoutMs: 1000 })).status === 200) return true;
    await Bun.sleep(20);
  }
  return false;
}
