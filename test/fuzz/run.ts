// `npm run fuzz`: so many inputs of each kind, counted from a seed; what fails is shown with the seed that makes it again.
import { parseArgs } from "node:util";
import { fuzz } from "./target.ts";
import { TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
});
let findings = 0;
for (const target of TARGETS.filter(({ name }) => name.includes(values.only))) {
  const startedAt = performance.now();
  const result = fuzz(target, { from: Number(values.seed), count: Number(values.inputs) });
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  findings += result.findings.length;
  const { name, inputs, slowestMs } = result;
  const line = `${name.padEnd(26)} ${inputs} inputs from seed ${values.seed}, ${result.findings.length} findings, slowest ${slowestMs} ms, ${seconds} s\n`;
  process.stdout.write(
    values.json ? `${JSON.stringify({ ...result, seed: Number(values.seed), seconds })}\n` : line,
  );
  if (!values.json)
    for (const { seed, wrong, input } of result.findings)
      process.stdout.write(`  seed ${seed}: ${wrong}\n    ${input}\n`);
}
process.exit(findings === 0 ? 0 : 1);
