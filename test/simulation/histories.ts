// The worlds that are simulated, and many lives of one of them.
import { PoolWorld } from "./pool-world.ts";
import { RefreshWorld } from "./refresh-world.ts";
import type { World } from "./world.ts";

export type WorldName = "pool" | "refresh";

export interface WorldKind {
  readonly name: WorldName;
  /** Of all histories. */
  readonly share: number;
  readonly create: (seed: number) => World;
}

export const WORLDS: readonly WorldKind[] = [
  { name: "pool", share: 99, create: (seed) => new PoolWorld(seed) },
  { name: "refresh", share: 1, create: (seed) => new RefreshWorld(seed) },
];

export interface Finding {
  readonly seed: number;
  readonly rule: string;
}

export interface Lived {
  readonly histories: number;
  readonly steps: number;
  readonly findings: readonly Finding[];
}

/** So many lives, by the seeds from `from` on. */
export async function liveAll(
  name: WorldName,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<Lived> {
  const kind = WORLDS.find((each) => each.name === name);
  const findings: Finding[] = [];
  let steps = 0;
  if (kind === undefined) throw new Error(`there is no world ${name}`);
  for (let seed = from; seed < from + count; seed += 1) {
    const world = kind.create(seed);
    try {
      await world.live();
    } catch (error) {
      findings.push({ seed, rule: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
    steps += world.steps;
  }
  return { histories: count, steps, findings };
}
