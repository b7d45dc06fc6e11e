// `usage`: tokens and estimated cost, from the records.

import { nearest } from "../config/nearest.ts";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../core/ports.ts";
import { UsageError } from "./arguments.ts";
import { readConfigFor } from "./configured.ts";
import { EXIT, type Io } from "./io.ts";
import { PRICES_OF } from "./prices.ts";
import { runCommand } from "./run-command.ts";
import { type Paint, paintFor } from "./style.ts";
import { type Cell, table } from "./table.ts";
import { count } from "./units.ts";
import {
  fullCost,
  type Total,
  totalOf,
  totalsOf,
  USAGE_KEYS,
  type UsageKey,
  type UsageSum,
} from "./usage-sums.ts";
import { printable, sentence, wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple usage [--by KEYS] [--since WHEN] [--json | --csv] [-config FILE]

Shows the tokens that were used and, where list prices are known, an estimate of what they cost. It reads the
records in data_dir, whether the gateway runs or not.

  --by KEYS                    any of account, key, model, day, with commas; default: account,model
  --since WHEN                 2026-11-01, or a time back such as 24h, 7d; default: 30d. Records go back 90 days
  --json                       one line of JSON
  --csv                        for spreadsheets
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple usage
  sub2api_simple usage --by day,key --since 7d
  sub2api_simple usage --by key,model --since 2026-11-01 --csv > november.csv

Exit codes: 0 done, 1 the records cannot be read, 2 wrong usage or config.
`;

const OPTIONS = {
  by: { type: "string" },
  since: { type: "string" },
  json: { type: "boolean" },
  csv: { type: "boolean" },
} as const;

/** What the command needs of the records. */
export interface UsageRecords {
  usage(query: { readonly by: readonly UsageKey[]; readonly since: number }): readonly UsageSum[];
  close(): void;
}

export interface UsageTools {
  /** Undefined when there are none yet. @throws with words for the operator */
  readonly open: (config: Config) => UsageRecords | undefined;
  readonly clock: Clock;
}

export function createUsageCommand({ open, clock }: UsageTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS }, async ({ values, configPath }) => {
      if (values.json === true && values.csv === true)
        throw new UsageError("--json and --csv exclude each other");
      const query = { by: keysOf(values.by), since: sinceOf(values.since, clock.wall()) };
      const config = await readConfigFor(io, configPath);
      let sums: readonly UsageSum[];
      try {
        const records = open(config);
        sums = records?.usage(query) ?? [];
        records?.close();
      } catch (error) {
        io.stderr.write(`${sentence(wordsOf(error))}\n`);
        return EXIT.failed;
      }
      const view = { totals: totalsOf(sums), all: totalOf(sums), ...query };
      const format = values.json === true ? json : values.csv === true ? csv : page(paintFor(io, io.stdout));
      io.stdout.write(format(view));
      return EXIT.done;
    });
}

/** @throws UsageError */
function keysOf(text: string = "account,model"): readonly UsageKey[] {
  const words = text.split(",").map((word) => word.trim());
  return [...new Set(words)].map((word) => {
    const found = USAGE_KEYS.find((key) => key === word);
    if (found !== undefined) return found;
    const near = nearest(word, USAGE_KEYS);
    const meant = near === undefined ? `it knows ${USAGE_KEYS.join(", ")}` : `did you mean "${near}"?`;
    throw new UsageError(`--by does not know "${word}"; ${meant}`);
  });
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Epoch ms. @throws UsageError */
function sinceOf(text: string = "30d", wall: number): number {
  const [, amount, unit = ""] = /^(\d{1,4})([hdw])$/.exec(text) ?? [];
  if (amount !== undefined) return wall - Number(amount) * (UNITS[unit] ?? 0);
  const date = /^\d{4}-\d\d-\d\d(T[\d:.]+Z?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date))
    throw new UsageError("--since needs a date such as 2026-11-01, or a time such as 24h or 7d");
  return date;
}

interface View {
  readonly by: readonly UsageKey[];
  /** Epoch ms. */
  readonly since: number;
  readonly totals: readonly Total[];
  readonly all: Total;
}

const COUNTS = ["requests", "input", "cache_read", "cache_write", "output"] as const;

function countsOf({ requests, usage }: Total): readonly number[] {
  return [requests, usage.input, usage.cacheRead, usage.cacheWrite, usage.output];
}

const json = (view: View): string => {
  const plain = (total: Total) => ({
    ...total.of,
    ...Object.fromEntries(COUNTS.map((name, at) => [name, countsOf(total)[at]])),
    reasoning: total.usage.reasoning,
    requests_without_usage: total.untold,
    usd: fullCost(total) ?? null,
    usd_of_known_prices: total.known,
    models_without_price: total.unpriced,
  });
  const { since, totals, all } = view;
  const told = {
    since: new Date(since).toISOString(),
    prices_of: PRICES_OF,
    rows: totals.map(plain),
    total: plain(all),
  };
  return `${JSON.stringify(told)}\n`;
};

const csv = ({ by, totals }: View): string => {
  const rows = totals.map((total) => [
    ...by.map((key) => total.of[key] ?? ""),
    ...countsOf(total).map(String),
    fullCost(total)?.toFixed(6) ?? "",
  ]);
  return [[...by, ...COUNTS, "usd"], ...rows].map((cells) => `${cells.map(field).join(",")}\r\n`).join("");
};

/** RFC 4180. What a spreadsheet would take for a formula is made text: clients choose names of models. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const page =
  (paint: Paint) =>
  ({ by, since, totals, all }: View): string => {
    const from = new Date(since).toISOString().slice(0, 10);
    if (totals.length === 0) return `Nothing was recorded since ${from}.\n`;
    const heading = [...by.map((key) => (key === "day" ? "day (UTC)" : key)), ...COUNTS, "cost"];
    const rows = totals.map((total) => [
      ...by.map((key) => ({ text: total.of[key] || "(none)" })),
      ...countsOf(total).map(numberCell),
      costCell(total),
    ]);
    const sum = [
      ...by.map((_, at): Cell => ({ text: at === 0 ? "total" : "", style: "bold" })),
      ...countsOf(all).map((value): Cell => ({ ...numberCell(value), style: "bold" })),
      { ...costCell(all), style: "bold" } as const,
    ];
    const text = table(
      heading.map((word) => word.replace("_", " ")),
      [...rows, sum],
      paint,
    );
    return `Since ${from}:\n\n${text}\n${notes(all).join("\n")}\n`;
  };

function numberCell(value: number): Cell {
  return { text: count(value), right: true };
}

function costCell(total: Total): Cell {
  const cost = fullCost(total);
  if (cost !== undefined) return { text: dollars(cost), right: true };
  return { text: total.known > 0 ? `${dollars(total.known)}+` : "?", right: true };
}

function dollars(usd: number): string {
  return `$${usd >= 100 || usd === 0 ? usd.toFixed(2) : usd.toFixed(4)}`;
}

function notes({ unpriced, untold }: Total): string[] {
  const lines = [
    `Costs are estimates at the list prices of ${PRICES_OF}; plans are not billed by the token.`,
  ];
  if (unpriced.length > 0)
    lines.push(
      `No price is known of ${printable(unpriced.join(", "))}: their tokens are counted, not their cost (?, +).`,
    );
  if (untold > 0) lines.push(`${count(untold)} of the requests ended without saying what they used.`);
  return lines;
}
