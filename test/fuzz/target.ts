// What is fuzzed: inputs made by chance, and a check that says what is wrong with one of them.
import type { Random } from "../../src/core/ports.ts";
import { seeded } from "../support/seeded.ts";

export interface Target<I> {
  readonly name: string;
  /** Inputs in `npm test`; by hand as many as are asked for. */
  readonly short: number;
  make(chance: Random): I;
  /** Undefined when all is well. What it throws is a finding as well. */
  check(input: I): string | undefined;
  show(input: I): string;
}

export interface Finding {
  readonly seed: number;
  readonly input: string;
  readonly wrong: string;
}

export interface Fuzzed {
  readonly name: string;
  readonly inputs: number;
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

/** Longer for one input is a hang. */
const HANG_MS = 100;
const MOST_FINDINGS = 10;

/** Each input has a seed of its own, so that it can be had again alone. */
export function fuzz<I>(
  target: Target<I>,
  { from, count }: { readonly from: number; readonly count: number },
): Fuzzed {
  const findings: Finding[] = [];
  let slowestMs = 0;
  for (let seed = from; seed < from + count && findings.length < MOST_FINDINGS; seed += 1) {
    const input = target.make(seeded(seed));
    const startedAt = performance.now();
    let wrong = found(target, input);
    const tookMs = performance.now() - startedAt;
    // Once more, since a busy machine is slow, too.
    if (tookMs > HANG_MS && wrong === undefined) wrong = slow(target, input);
    slowestMs = Math.max(slowestMs, tookMs);
    if (wrong !== undefined) findings.push({ seed, input: target.show(input).slice(0, 2_000), wrong });
  }
  return { name: target.name, inputs: count, slowestMs: Math.round(slowestMs), findings };
}

function found<I>(target: Target<I>, input: I): string | undefined {
  try {
    return target.check(input);
  } catch (error) {
    return `thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

function slow<I>(target: Target<I>, input: I): string | undefined {
  const startedAt = performance.now();
  found(target, input);
  const tookMs = performance.now() - startedAt;
  return tookMs > HANG_MS ? `takes ${Math.round(tookMs)} ms` : undefined;
}

export function oneOf<T>(chance: Random, list: readonly T[]): T {
  const found = list[Math.floor(chance() * list.length)];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
}

export function below(chance: Random, limit: number): number {
  return Math.floor(chance() * limit);
}

/** Some bytes of it changed, left out, doubled or swapped. */
export function mutant(chance: Random, bytes: Buffer): Buffer {
  let made = bytes;
  for (let times = below(chance, 6); times >= 0; times -= 1) {
    const at = below(chance, made.length + 1);
    const to = Math.min(made.length, at + below(chance, 12));
    const parts = {
      drop: [made.subarray(0, at), made.subarray(to)],
      double: [made.subarray(0, to), made.subarray(at)],
      byte: [made.subarray(0, at), Buffer.from([below(chance, 256)]), made.subarray(at + 1)],
      insert: [made.subarray(0, at), Buffer.from(oneOf(chance, SPICES), "latin1"), made.subarray(at)],
    };
    made = Buffer.concat(oneOf(chance, Object.values(parts)));
  }
  return made;
}

const SPICES = [
  ...'\n\r\0{}[]",:\\ ',
  "\r\n",
  "\n\n",
  "\r\r",
  "data:",
  "event: x\n",
  "\xef\xbb\xbf",
  "\xff",
  "\xed\xa0\x80",
  "\\u0000",
  "\\ud800",
  "1e999",
  "-0",
  "null",
  "__proto__",
];
