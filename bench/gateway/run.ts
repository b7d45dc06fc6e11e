// `npm run bench`: the gateway against nginx on this machine, in one run, as a table of ratios.

import process from "node:process";
import { parseArgs } from "node:util";
import {
  type Effort,
  measureChoice,
  measureLatency,
  measureMemory,
  measureStart,
  measureUnit,
} from "./measure.ts";
import { endAll } from "./processes.ts";
import {
  choiceRows,
  latencyRows,
  machine,
  memoryRows,
  type Row,
  startRow,
  table,
  unitRow,
} from "./report.ts";
import { UNITS } from "./units.ts";

const HELP = `Usage: npm run bench -- [--quick] [--json] [--only WORDS]

Measures the gateway against nginx, with a mock upstream of its own, on loopback.

  --quick       one round with fewer requests: under a minute, and noisier
  --json        the rows as JSON
  --only WORDS  only units whose name contains WORDS
`;

interface Step {
  readonly name: string;
  readonly run: (effort: Effort) => Promise<readonly Row[]>;
}

const STEPS: readonly Step[] = [
  ...UNITS.map((unit) => ({
    name: unit.name,
    run: async (effort: Effort) => [unitRow(unit, await measureUnit(unit, effort))],
  })),
  { name: "added latency", run: async (effort) => latencyRows(await measureLatency(effort)) },
  { name: "RSS", run: async () => memoryRows(await measureMemory()) },
  { name: "choose among 1,000 accounts", run: async () => choiceRows(await measureChoice()) },
  { name: "start with 1,000 accounts", run: async (effort) => [startRow(await measureStart(effort))] },
];

const FULL: Effort = { rounds: 3, share: 1 };
const QUICK: Effort = { rounds: 1, share: 0.25 };

function say(text: string): void {
  process.stderr.write(text);
}

/** A unit that cannot be measured spoils the run's exit code, not the other figures. */
async function measureAll(
  steps: readonly Step[],
  effort: Effort,
): Promise<{ rows: Row[]; failures: string[] }> {
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const step of steps) {
    say(`${step.name} …`);
    const begun = performance.now();
    try {
      rows.push(...(await step.run(effort)));
      say(` ${((performance.now() - begun) / 1_000).toFixed(0)} s\n`);
    } catch (error) {
      failures.push(`${step.name}: ${error instanceof Error ? error.message : String(error)}`);
      say(" failed\n");
    }
  }
  return { rows, failures };
}

async function main(): Promise<number> {
  const options = {
    quick: { type: "boolean" },
    json: { type: "boolean" },
    only: { type: "string" },
    help: { type: "boolean" },
  } as const;
  const { values } = parseArgs({ options });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  if (Bun.which("nginx") === null) {
    say("There is no nginx on the path to measure against: apt-get install nginx-light\n");
    return 1;
  }
  const steps = STEPS.filter(({ name }) => name.includes(values.only ?? ""));
  const about = { date: new Date().toISOString().slice(0, 10), machine: machine() };
  const { rows, failures } = await measureAll(steps, values.quick === true ? QUICK : FULL);
  if (values.json === true)
    process.stdout.write(`${JSON.stringify({ ...about, rows, failures }, null, 2)}\n`);
  else process.stdout.write(`\n${about.date}, ${about.machine}\n\n${table(rows)}\n`);
  for (const failure of failures) say(`\nfailed: ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

/** Children end with their standard input, but nginx has none. */
function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void endAll().then(() => process.exit(1)));
  }
}

endOnSignals();
let code = 1;
try {
  code = await main();
} finally {
  await endAll();
}
process.exit(code);
