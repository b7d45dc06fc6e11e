// The processes of a run: what starts them, what they cost so far, and what ends them.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { LoadResult, LoadTask } from "./load.ts";

/** Ends when told to, or when its standard input is closed. */
export interface Child {
  readonly pid: number;
  /** The next line of its standard output. */
  readonly line: () => Promise<string>;
  readonly closeInput: () => void;
  readonly stop: () => Promise<void>;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A file for its output, of which then nothing can be read. */
  readonly log?: string;
}

const STOP_MS = 3_000;
/** What `getconf CLK_TCK` says on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;

const running = new Set<Child>();
const folder = mkdtempSync(join(tmpdir(), "bench-gateway-"));

/** Below the run's own temporary folder, which goes at its end. */
export function temporary(name: string): string {
  return join(folder, name);
}

export async function endAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
  rmSync(folder, { recursive: true, force: true });
}

export function start({ argv, env = {}, log }: Command): Child {
  const out = log === undefined ? "pipe" : Bun.file(log);
  const spawned = Bun.spawn([...argv], {
    stdin: "pipe",
    stdout: out,
    stderr: log === undefined ? "inherit" : Bun.file(`${log}.err`),
    env: { ...process.env, ...env },
  });
  const lines = spawned.stdout instanceof ReadableStream ? linesOf(spawned.stdout) : undefined;
  const child: Child = {
    pid: spawned.pid,
    async line() {
      const next = await lines?.next();
      if (next === undefined || next.done === true)
        throw new Error(`${argv.join(" ")} ended without an answer`);
      return next.value;
    },
    closeInput: () => void spawned.stdin.end(),
    async stop() {
      running.delete(child);
      spawned.kill("SIGTERM");
      const late = setTimeout(() => spawned.kill("SIGKILL"), STOP_MS);
      await spawned.exited;
      clearTimeout(late);
    },
  };
  running.add(child);
  void spawned.exited.then(() => running.delete(child));
  return child;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** Runs one script of this folder with Bun. */
export function script(name: string, argument = "", env: Readonly<Record<string, string>> = {}): Child {
  return start({ argv: [process.execPath, join(import.meta.dir, name), argument], env });
}

export async function load(task: LoadTask): Promise<LoadResult> {
  const child = script("load.ts", JSON.stringify(task));
  const result = JSON.parse(await child.line()) as LoadResult;
  await child.stop();
  if (result.failed > 0 || result.done < task.requests) {
    const { done, failed, failure } = result;
    throw new Error(`${task.request.mode}: ${done} of ${task.requests} done, ${failed} failed: ${failure}`);
  }
  return result;
}

/** User and system time of a process and its children so far, in µs, to the tick of 10 ms. */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const own = (ticks * 1_000_000) / TICKS_PER_SECOND;
  return childrenOf(pid).reduce((sum, child) => sum + cpuUs(child), own);
}

/** Resident memory of a process and its children, in bytes. */
export function rssBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  const own = Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1_024;
  return childrenOf(pid).reduce((sum, child) => sum + rssBytes(child), own);
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
