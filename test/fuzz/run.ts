// `npm run fuzz`: inputs by seed for everything that reads what others wrote. What fails is named by its seed and replays
// alone: `--only NAME --seed N --inputs 1`.
import { parseArgs } from "node:util";
import { fuzz, type Fuzzed } from "./target.ts";
import { TARGETS } from "./targets.ts";

const HELP = `Usage: npm run fuzz -- [--only NAME] [--inputs N] [--seed N] [--minutes N] [--json]

  --only NAME    ${TARGETS.map(({ name }) => name).join(", ")}
  --inputs N     of each; else as many as each has for a run by hand
  --seed N       where the seeds begin (default 1)
  --minutes N    each ends after this time at the latest (default 30)
`;

function line(done: Fuzzed): string {
  const { name, inputs, seeds, seconds, slowestMs, findings, report } = done;
  const broken = findings.map(({ seed, what }) => `  seed ${seed}: ${what.replaceAll("\n", "\n    ")}\n`);
  const counts = `${inputs} inputs (seeds ${seeds}), ${seconds} s, slowest ${slowestMs} ms`;
  const told = report.map((each) => `  ${each}\n`);
  return `${name.padEnd(9)} ${counts}, ${findings.length} findings\n${[...broken, ...told].join("")}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      inputs: { type: "string" },
      seed: { type: "string", default: "1" },
      minutes: { type: "string", default: "30" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return (process.stdout.write(HELP), 0);
  const targets = TARGETS.filter(({ name }) => values.only?.includes(name) ?? true);
  let findings = 0;
  for (const target of targets) {
    const inputs = Number(values.inputs ?? target.inputs);
    const extent = { from: Number(values.seed), inputs, minutes: Number(values.minutes) };
    const done = await fuzz(target, extent);
    process.stdout.write(values.json ? `${JSON.stringify(done)}\n` : line(done));
    findings += done.findings.length;
  }
  return findings === 0 && targets.length > 0 ? 0 : 1;
}

process.exit(await main());
