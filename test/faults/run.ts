// `npm run faults`: every row of the fault matrix in one line, over every pair of protocols, with 20 seeds.
// `--row N` plays one, `--seeds N` so many of them, `--seed N` that one alone, `--json` writes a record for each row.
// Each row plays in a process of its own, as many at a time as there are cores, or as `--jobs N` says.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ELSEWHERE, playElsewhere, type RowElsewhere } from "./elsewhere.ts";
import { nameOf, runRow, type RowResult } from "./runner.ts";
import { TABLE } from "./table.ts";

interface RowRecord extends Omit<RowResult, "failures"> {
  readonly seeds: readonly number[];
  readonly failures: readonly { readonly case: string; readonly error: string }[];
}

const TITLE_WIDTH = 72;

function line({ number, title, cases, ok, tookMs }: RowRecord): string {
  const place = `row ${String(number).padStart(2)}  ${title.padEnd(TITLE_WIDTH)}`;
  const took = `${(tookMs / 1000).toFixed(1)}s`;
  return `${place} ${String(cases).padStart(4)} cases  ${ok ? "ok    " : "FAILED"} ${took.padStart(6)}\n`;
}

function details({ failures, filesLeft }: RowRecord): string {
  const files = filesLeft > 0 ? `  ${filesLeft} files are still open\n` : "";
  return (
    files + failures.map((each) => `  ${each.case}: ${each.error.replaceAll("\n", "\n    ")}\n`).join("")
  );
}

async function playHere(number: number, seeds: readonly number[]): Promise<RowRecord> {
  const row = TABLE.find((each) => each.number === number);
  if (row === undefined) throw new Error(`there is no row ${number}`);
  const result = await runRow(row, seeds);
  const failures = result.failures.map(({ each, error }) => ({ case: nameOf(each), error }));
  return { ...result, seeds, tookMs: Math.round(result.tookMs), failures };
}

async function playTests(row: RowElsewhere, seeds: readonly number[]): Promise<RowRecord> {
  const startedAt = performance.now();
  const { cases, failures } = await playElsewhere(row, seeds.length);
  const tookMs = Math.round(performance.now() - startedAt);
  const { number, title } = row;
  return { number, title, cases, ok: failures.length === 0, tookMs, filesLeft: 0, seeds, failures };
}

async function playApart(number: number, seeds: readonly number[]): Promise<RowRecord> {
  const of = seeds.flatMap((seed) => ["--seed", String(seed)]);
  const command = [process.execPath, import.meta.filename, "--row", String(number), ...of, "--here"];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  await child.exited;
  if (child.exitCode === 0) return JSON.parse(text) as RowRecord;
  throw new Error(`row ${number} ended with exit code ${child.exitCode}: ${text}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      row: { type: "string", multiple: true },
      seeds: { type: "string", default: "20" },
      seed: { type: "string", multiple: true },
      jobs: { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
      here: { type: "boolean", default: false },
    },
  });
  const all = [...TABLE, ...ELSEWHERE].map(({ number }) => number).toSorted((a, b) => a - b);
  const rows = values.row?.map(Number) ?? all;
  const seeds = values.seed?.map(Number) ?? [...Array(Number(values.seeds)).keys()];
  if (values.here) {
    await Bun.write(Bun.stdout, JSON.stringify(await playHere(rows[0] ?? 0, seeds)));
    return 0;
  }
  const results: RowRecord[] = [];
  const waiting = [...rows];
  const work = async (): Promise<void> => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const elsewhere = ELSEWHERE.find(({ number }) => number === row);
      const result = await (elsewhere === undefined ? playApart(row, seeds) : playTests(elsewhere, seeds));
      results.push(result);
      process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : line(result) + details(result));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work));
  const failed = results.filter(({ ok }) => !ok).length;
  const cases = results.reduce((sum, each) => sum + each.cases, 0);
  if (!values.json) process.stdout.write(`${rows.length} rows, ${cases} cases, ${failed} rows failed\n`);
  return rows.length > 0 && failed === 0 ? 0 : 1;
}

process.exit(await main());
