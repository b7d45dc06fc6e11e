// How each kind of figure is taken. Targets are interleaved round by round and medians are compared, because the
// machine's speed changes while a run lasts.

import { cpuUs, load, rssBytes, script } from "./processes.ts";
import type { Request } from "./shapes.ts";
import { CLIENT_KEY, startBare, startGateway, startNginx, startUpstream, type Target } from "./targets.ts";
import { type Arm, LATENCY, MEMORY, START, type TargetName, type Unit } from "./units.ts";

export interface Effort {
  readonly rounds: number;
  /** Share of the usual number of requests. */
  readonly share: number;
}

/** Medians over the rounds. */
export interface Cost {
  readonly cpuUs: number;
  readonly roundsUs: readonly number[];
  /** What the mock upstream spent on the same work. */
  readonly upstreamUs: number;
  readonly readsPerUnit: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Memory {
  readonly idleBytes: number;
  readonly perStreamBytes: number;
}

type Targets = Readonly<Record<TargetName, Target>>;
type Round = Omit<Cost, "roundsUs">;

interface Work {
  readonly request: Request;
  readonly connections: number;
  readonly requests: number;
  readonly perRequest: number;
}

const MAX_LOAD_MS = 120_000;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function withTargets<T>(work: (targets: Targets) => Promise<T>): Promise<T> {
  const direct = await startUpstream();
  const nginx = await startNginx(direct.port);
  const bare = await startBare(direct.port);
  const gateway = await startGateway(direct.port);
  try {
    return await work({ direct, nginx, bare, gateway });
  } finally {
    await Promise.all([gateway.stop(), bare.stop(), nginx.stop()]);
    await direct.stop();
  }
}

async function round(targets: Targets, target: TargetName, work: Work): Promise<Round> {
  const { pid, port } = targets[target];
  const before = cpuUs(pid);
  const upstreamBefore = cpuUs(targets.direct.pid);
  const { request, connections, requests } = work;
  const task = { port, key: CLIENT_KEY, request, connections, requests, maxMs: MAX_LOAD_MS, hold: false };
  const result = await load(task);
  const units = requests * work.perRequest;
  return {
    cpuUs: (cpuUs(pid) - before) / units,
    upstreamUs: (cpuUs(targets.direct.pid) - upstreamBefore) / units,
    readsPerUnit: result.reads / units,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
  };
}

function summed(rounds: readonly Round[]): Cost {
  const of = (read: (each: Round) => number): number => median(rounds.map(read));
  return {
    cpuUs: of((each) => each.cpuUs),
    roundsUs: rounds.map((each) => each.cpuUs),
    upstreamUs: of((each) => each.upstreamUs),
    readsPerUnit: of((each) => each.readsPerUnit),
    p50Us: of((each) => each.p50Us),
    p99Us: of((each) => each.p99Us),
  };
}

/** Warms each arm up, then measures them in turn, round by round. */
async function interleave(arms: readonly (() => Promise<Round>)[], rounds: number): Promise<Cost[]> {
  const taken: Round[][] = arms.map(() => []);
  for (let count = 0; count < rounds; count += 1) {
    for (const [index, arm] of arms.entries()) taken[index]?.push(await arm());
  }
  return taken.map(summed);
}

export async function measureUnit(unit: Unit, effort: Effort): Promise<readonly Cost[]> {
  const { connections, perRequest } = unit;
  const scaled = (requests: number): number => Math.max(connections, Math.round(requests * effort.share));
  return withTargets(async (targets) => {
    const run = (arm: Arm, requests: number): Promise<Round> =>
      round(targets, arm.target, { request: arm.request, connections, requests, perRequest });
    const arms = unit.arms.filter((arm) => arm !== undefined);
    for (const arm of arms) await run(arm, scaled(unit.warmUp));
    return interleave(
      arms.map((arm) => () => run(arm, scaled(unit.requests))),
      effort.rounds,
    );
  });
}

/** One connection, one request at a time: straight to the mock, and through each that stands before it. */
export async function measureLatency(effort: Effort): Promise<Readonly<Record<TargetName, Cost>>> {
  return withTargets(async (targets) => {
    const run = (target: TargetName, requests: number): Promise<Round> =>
      round(targets, target, { request: LATENCY.request, connections: 1, requests, perRequest: 1 });
    const names = ["direct", "nginx", "bare", "gateway"] as const;
    for (const name of names) await run(name, LATENCY.warmUp);
    const requests = Math.round(LATENCY.requests * Math.max(effort.share, 0.5));
    const arms = names.map((name) => () => run(name, requests));
    const [direct, nginx, bare, gateway] = await interleave(arms, effort.rounds);
    if (direct === undefined || nginx === undefined || bare === undefined || gateway === undefined)
      throw new Error("no rounds");
    return { direct, nginx, bare, gateway };
  });
}

/** Resident memory of fresh processes, then with many streams open that bring an event a second. */
export async function measureMemory(): Promise<Readonly<Record<Exclude<TargetName, "direct">, Memory>>> {
  return withTargets(async ({ nginx, bare, gateway }) => {
    await Bun.sleep(MEMORY.settleMs);
    return { nginx: await memoryOf(nginx), bare: await memoryOf(bare), gateway: await memoryOf(gateway) };
  });
}

async function memoryOf({ pid, port }: Target): Promise<Memory> {
  const idleBytes = rssBytes(pid);
  const { request, streams } = MEMORY;
  const task = { port, key: CLIENT_KEY, request, connections: streams, requests: streams };
  const holder = script("load.ts", JSON.stringify({ ...task, maxMs: MAX_LOAD_MS, hold: true }));
  const said = JSON.parse(await holder.line()) as { held?: number; failure?: string };
  if (said.held !== streams) throw new Error(`only some of ${streams} streams were held: ${said.failure}`);
  await Bun.sleep(MEMORY.settleMs);
  const heldBytes = rssBytes(pid);
  holder.closeInput();
  await holder.stop();
  return { idleBytes, perStreamBytes: (heldBytes - idleBytes) / streams };
}

/** From the start of the process until `/health/ready` says yes, in ms: the median of several starts. */
export async function measureStart(effort: Effort): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < effort.rounds * 3; count += 1) {
    // Nothing is sent upstream.
    const gateway = await startGateway(9, START.accounts);
    times.push(gateway.readyMs);
    await gateway.stop();
  }
  return median(times);
}

export interface ChoiceCost {
  /** A new session, which any account may serve. */
  readonly freshUs: number;
  /** A session that is bound to an account. */
  readonly boundUs: number;
}

export async function measureChoice(): Promise<ChoiceCost> {
  const child = script("choose.ts");
  const result = JSON.parse(await child.line()) as ChoiceCost;
  await child.stop();
  return result;
}
