// What a process is seen to use from outside, once a second, and what that says at the end: leaks and slopes.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Vital {
  readonly atMs: number;
  readonly rssBytes: number;
  readonly files: number;
  readonly sockets: number;
  readonly active: number;
  readonly live: number;
  /** How long the process took to answer that it lives, in ms: what its event loop was late, and a little more. */
  readonly loopMs: number;
}

export interface Files {
  readonly files: number;
  readonly sockets: number;
}

export function filesOf(pid: number): Files {
  let sockets = 0;
  let files = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:")) sockets += 1;
      else files += 1;
    } catch {
      // Closed since it was listed.
    }
  }
  return { files, sockets };
}

export function rssOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1_024;
}

/** Of user and system so far, in seconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/**
 * The Theil-Sen estimate: the median of the slopes between all pairs, which a few odd samples do not move.
 * In units of `value` an hour.
 */
export function slopePerHour(samples: readonly { readonly atMs: number; readonly value: number }[]): number {
  const slopes: number[] = [];
  const step = Math.max(1, Math.floor(samples.length / 600));
  const some = samples.filter((_, index) => index % step === 0);
  for (const [index, from] of some.entries())
    for (const to of some.slice(index + 1)) slopes.push((to.value - from.value) / (to.atMs - from.atMs));
  return quantile(slopes, 0.5) * 3_600_000;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
