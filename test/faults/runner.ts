// Plays the rows: each case on its own, a few at a time, and reports every case that does not hold.
import { readdirSync } from "node:fs";
import { EVERY_CASE, stagesOf, type Case, type Row } from "./row.ts";

export interface CaseFailure {
  readonly each: Case;
  readonly error: string;
}

export interface RowResult {
  readonly number: number;
  readonly title: string;
  readonly cases: number;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly failures: readonly CaseFailure[];
  /** Open files of this process above those before the row; what is not given back within some seconds is lost. */
  readonly filesLeft: number;
}

/** Most cases wait for a timeout; more at once would make two cores late. */
const AT_ONCE = 4;
const FILES_WITHIN_MS = 10_000;

/** Every case of the row, once with each seed. */
export async function runRow(row: Row, seeds: readonly number[] = [0]): Promise<RowResult> {
  const startedAt = performance.now();
  isWarm ??= warmUp(row);
  await isWarm;
  const filesBefore = openFiles();
  const cases = seeds.flatMap((seed) => (row.cases ?? EVERY_CASE).map((each) => ({ ...each, seed })));
  const failures: CaseFailure[] = [];
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
      const error = await runCase(row, each);
      if (error !== undefined) failures.push({ each, error });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const filesLeft = await filesAbove(filesBefore);
  const { number, title } = row;
  const tookMs = performance.now() - startedAt;
  const ok = cases.length > 0 && failures.length === 0 && filesLeft === 0;
  return { number, title, cases: cases.length, ok, tookMs, failures, filesLeft };
}

/** What the first case of a process opens for good, such as the thread that connects, is not the row's. */
let isWarm: Promise<unknown> | undefined;

async function warmUp(row: Row): Promise<void> {
  const [first] = row.cases ?? EVERY_CASE;
  if (first !== undefined) await runCase(row, { ...first });
}

async function runCase(row: Row, each: Case): Promise<string | undefined> {
  try {
    await row.run(each);
  } catch (error) {
    return textOf(error);
  }
  return stagesOf(each) > 0 ? undefined : "the case asked nothing of any gateway";
}

/** A closed socket is given back when its event loop gets to it. */
async function filesAbove(before: number): Promise<number> {
  const end = performance.now() + FILES_WITHIN_MS;
  while (openFiles() > before && performance.now() < end) await Bun.sleep(5);
  return Math.max(0, openFiles() - before);
}

function openFiles(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

export function nameOf({ client, upstream, stream, seed = 0 }: Case): string {
  const path = client === upstream ? client : `${client} over ${upstream}`;
  return `${path}, ${stream ? "streaming" : "not streaming"}${seed === 0 ? "" : `, seed ${seed}`}`;
}

function textOf(error: unknown): string {
  // Thrown when a case fails and its stage is not in order either.
  if (error instanceof SuppressedError) return `${textOf(error.suppressed)}\nand then ${textOf(error.error)}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
