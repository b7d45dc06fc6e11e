// `npm run simulate`: so many histories of each world, in as many processes as there are cores. A history that breaks a
// rule is named by its seed and replays alone: `--seed N --world NAME`.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Finding, liveAll, type Lived, type WorldName, WORLDS } from "./histories.ts";

const HELP = `Usage: npm run simulate -- [--histories N] [--world NAME] [--seed N] [--jobs N] [--json]

  --histories N  in all (default 100000), shared between the worlds as their costs are
  --world NAME   only this one: ${WORLDS.map(({ name }) => name).join(", ")}
  --seed N       only the history of this seed; else they are counted from 1, or from --from N
`;

interface Share {
  readonly world: WorldName;
  readonly from: number;
  readonly count: number;
}

function shares(names: readonly WorldName[], histories: number, from: number): readonly Share[] {
  const worlds = WORLDS.filter(({ name }) => names.includes(name));
  const whole = worlds.reduce((sum, { share }) => sum + share, 0);
  return worlds.map(({ name, share }) => ({
    world: name,
    from,
    count: Math.round((histories * share) / whole),
  }));
}

/** Parts of a share, small enough that no process is left with much when the others are done. */
function parts({ world, from, count }: Share): Share[] {
  const size = 2_000;
  return Array.from({ length: Math.ceil(count / size) }, (_, at) => ({
    world,
    from: from + at * size,
    count: Math.min(size, count - at * size),
  }));
}

async function liveApart({ world, from, count }: Share): Promise<Lived> {
  const of = ["--world", world, "--from", String(from), "--histories", String(count), "--here"];
  const child = Bun.spawn([process.execPath, import.meta.filename, ...of], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  await child.exited;
  if (child.exitCode !== 0)
    throw new Error(`histories ${from} to ${from + count - 1} of ${world} ended badly`);
  return JSON.parse(text) as Lived;
}

interface Total extends Lived {
  readonly world: WorldName;
  readonly seeds: string;
  readonly seconds: number;
}

async function liveShare(share: Share, jobs: number): Promise<Total> {
  const startedAt = performance.now();
  const waiting = parts(share);
  let histories = 0;
  let steps = 0;
  const findings: Finding[] = [];
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const lived = await liveApart(part);
      histories += lived.histories;
      steps += lived.steps;
      findings.push(...lived.findings);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const seeds = `${share.from}..${share.from + share.count - 1}`;
  return { world: share.world, seeds, histories, steps, findings, seconds };
}

function line({ world, seeds, histories, steps, findings, seconds }: Total): string {
  const broken = findings.map(({ seed, rule }) => `  seed ${seed}: ${rule.replaceAll("\n", "\n    ")}\n`);
  const counts = `${histories} histories (seeds ${seeds}), ${steps} steps, ${findings.length} violations`;
  return `${world.padEnd(8)} ${counts}, ${seconds} s\n${broken.slice(0, 20).join("")}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      histories: { type: "string", default: "100000" },
      world: { type: "string", multiple: true },
      seed: { type: "string" },
      from: { type: "string", default: "1" },
      jobs: { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
      here: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return (process.stdout.write(HELP), 0);
  const names = WORLDS.map(({ name }) => name).filter((name) => values.world?.includes(name) ?? true);
  const from = Number(values.seed ?? values.from);
  const histories = values.seed === undefined ? Number(values.histories) : names.length;
  if (values.here) {
    const lived = await liveAll(names[0] ?? "pool", { from, count: histories });
    await Bun.write(Bun.stdout, JSON.stringify(lived));
    return 0;
  }
  let violations = 0;
  for (const share of shares(names, histories, from)) {
    const each = values.seed === undefined ? share : { ...share, count: 1 };
    const total = await liveShare(each, Math.max(1, Number(values.jobs)));
    process.stdout.write(values.json ? `${JSON.stringify(total)}\n` : line(total));
    violations += total.findings.length;
  }
  return violations === 0 && names.length > 0 ? 0 : 1;
}

process.exit(await main());
