// What is fuzzed has a name, makes an input of a number, and says what is wrong with how it was taken. Here is the loop
// around it: counts, limits, and what takes too long.

/** What is fuzzed has taken an input otherwise than it should. Anything else that is thrown is a crash. */
export class Wrong extends Error {
  override readonly name = "Wrong";
}

export interface Bench {
  /** Makes the input of this seed and gives it to what is fuzzed. @throws whatever is wrong */
  play(seed: number): void | Promise<void>;
  /** Inputs under way at once. Who says how many has no time limit: one that waits for sockets, or plays many as one. */
  readonly jobs?: number;
  /** What the run has met, for people. */
  report?(): readonly string[];
  close?(): Promise<void>;
}

export interface Target {
  readonly name: string;
  /** Inputs of a run by hand, and of `npm test`. */
  readonly inputs: number;
  readonly short: number;
  open(): Bench | Promise<Bench>;
}

export interface Finding {
  readonly seed: number;
  readonly what: string;
}

export interface Fuzzed {
  readonly name: string;
  readonly inputs: number;
  readonly seeds: string;
  readonly seconds: number;
  /** Of one input, in ms of this process's own work. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
  readonly report: readonly string[];
}

export interface Extent {
  readonly from: number;
  readonly inputs: number;
  readonly minutes: number;
}

/** No input may take longer. */
const HANG_MS = 100;
/** More say nothing new. */
const MAX_FINDINGS = 20;
const PATIENCE = 5;

export async function fuzz(target: Target, extent: Extent): Promise<Fuzzed> {
  const startedAt = performance.now();
  const until = startedAt + extent.minutes * 60_000;
  const bench = await target.open();
  const findings: Finding[] = [];
  const pace = new Pace();
  let next = extent.from;
  const end = extent.from + extent.inputs;
  const work = async (): Promise<void> => {
    while (next < end && findings.length < MAX_FINDINGS && performance.now() < until) {
      const seed = next++;
      const what = await pace.of(bench, seed);
      if (what !== undefined) findings.push({ seed, what });
    }
  };
  let report: readonly string[] = [];
  try {
    await Promise.all(Array.from({ length: bench.jobs ?? 1 }, work));
    report = bench.report?.() ?? [];
  } finally {
    await bench.close?.();
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const seeds = `${extent.from}..${next - 1}`;
  const slowestMs = Math.round(pace.slowestMs * 10) / 10;
  return { name: target.name, inputs: next - extent.from, seeds, seconds, slowestMs, findings, report };
}

class Pace {
  slowestMs = 0;

  /** What is wrong with this input; undefined when nothing is. */
  async of(bench: Bench, seed: number): Promise<string | undefined> {
    const startedAt = performance.now();
    try {
      const playing = bench.play(seed);
      if (playing !== undefined) await playing;
    } catch (error) {
      return error instanceof Wrong ? error.message : crashOf(error);
    }
    if (bench.jobs !== undefined) return undefined;
    const tookMs = performance.now() - startedAt;
    if (tookMs <= this.slowestMs) return undefined;
    // The machine may have been busy with something else: only our own work counts, and the best of some goes.
    const ownMs = tookMs > HANG_MS ? Math.min(tookMs, await leastWorkMs(bench, seed)) : tookMs;
    this.slowestMs = Math.max(this.slowestMs, ownMs);
    return ownMs > HANG_MS ? `takes ${Math.round(ownMs)} ms` : undefined;
  }
}

function crashOf(error: unknown): string {
  const lines = error instanceof Error ? (error.stack ?? error.message).split("\n") : [String(error)];
  return lines.slice(0, 6).join("\n");
}

async function leastWorkMs(bench: Bench, seed: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < PATIENCE && least > HANG_MS; turn += 1) {
    const before = process.cpuUsage();
    await bench.play(seed);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}
