// `npm run faults`: every row of the fault matrix in one line, over every pair of protocols. `--row N` plays one,
// `--times N` all of them so often, `--json` is for programs.
import { parseArgs } from "node:util";
import type { Row } from "./row.ts";
import { nameOf, runRow, type RowResult } from "./runner.ts";
import { TABLE } from "./table.ts";

const TITLE_WIDTH = 64;

function line({ number, title, cases, ok, tookMs }: RowResult): string {
  const place = `row ${String(number).padStart(2)}  ${title.padEnd(TITLE_WIDTH)}`;
  const took = `${(tookMs / 1000).toFixed(1)}s`;
  return `${place} ${String(cases).padStart(3)} cases  ${ok ? "ok    " : "FAILED"} ${took.padStart(6)}\n`;
}

function details({ failures }: RowResult): string {
  return failures
    .map(({ each, error }) => `  ${nameOf(each)}: ${error.replaceAll("\n", "\n    ")}\n`)
    .join("");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      row: { type: "string", multiple: true },
      times: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const wanted = values.row?.map(Number);
  const rows: readonly Row[] = TABLE.filter(({ number }) => wanted?.includes(number) ?? true);
  const results: RowResult[] = [];
  const played = Array.from({ length: Number(values.times) }, () => rows).flat();
  for (const row of played) {
    const result = await runRow(row);
    results.push(result);
    if (!values.json) process.stdout.write(line(result) + details(result));
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  return results.length > 0 && results.every(({ ok }) => ok) ? 0 : 1;
}

process.exit(await main());
