// The run's figures as rows: for people a table, for programs the same rows as JSON.

import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import type { ChoiceCost, Cost, Memory } from "./measure.ts";
import { CHOICE, LATENCY, MEMORY, START, type TargetName, type Unit } from "./units.ts";

export interface Row {
  readonly unit: string;
  /** What is compared with: nginx, or the same stream passed through. */
  readonly base: number | undefined;
  /** The runtime's own server and fetch, doing nothing. */
  readonly bare: number | undefined;
  readonly gateway: number;
  readonly of: "µs" | "ms" | "MB" | "KB";
  readonly ratio: number | undefined;
  readonly budget: number | undefined;
  readonly maxRatio: number | undefined;
  readonly verdict: "ok" | "over the budget" | "over the ratio" | "over both" | "-";
  readonly note: string;
}

type Figures = Omit<Row, "verdict" | "ratio">;

function rowOf(figures: Figures): Row {
  const { base, gateway, budget, maxRatio } = figures;
  const ratio = base === undefined ? undefined : gateway / base;
  const isOver = budget !== undefined && gateway > budget;
  const isAbove = maxRatio !== undefined && ratio !== undefined && ratio > maxRatio;
  const limited = budget !== undefined || maxRatio !== undefined;
  const over = isOver ? "over the budget" : "over the ratio";
  const verdict = isOver && isAbove ? "over both" : isOver || isAbove ? over : limited ? "ok" : "-";
  return { ...figures, ratio, verdict };
}

function spread({ roundsUs }: Cost): string {
  return `${round(Math.min(...roundsUs))}-${round(Math.max(...roundsUs))}`;
}

export function unitRow(unit: Unit, [base, subject, floor]: readonly Cost[]): Row {
  if (base === undefined || subject === undefined) throw new Error(`${unit.name} was not measured`);
  const note = [`rounds ${spread(base)} / ${spread(subject)}`, `mock ${round(subject.upstreamUs)}`];
  if (unit.perRequest > 1) {
    note.push(`reads an event ${base.readsPerUnit.toFixed(2)} / ${subject.readsPerUnit.toFixed(2)}`);
  }
  if (subject.upstreamUs > subject.cpuUs) note.push("THE MOCK COSTS MORE THAN THE GATEWAY");
  const [first] = unit.arms;
  const { budgetUs: budget, maxRatio } = unit;
  if (first.name !== "nginx") note.push(`against: ${first.name}`);
  const figures = { unit: unit.name, base: base.cpuUs, gateway: subject.cpuUs, of: "µs", budget } as const;
  return rowOf({ ...figures, bare: floor?.cpuUs, maxRatio, note: note.join(", ") });
}

/** Added to what the same requests take without anything between. */
export function latencyRows({
  direct,
  nginx,
  bare,
  gateway,
}: Readonly<Record<TargetName, Cost>>): readonly Row[] {
  const row = (name: "p50" | "p99", read: (cost: Cost) => number, budget: number): Row =>
    rowOf({
      unit: `added latency, 1 connection, ${name}`,
      base: read(nginx) - read(direct),
      bare: read(bare) - read(direct),
      gateway: read(gateway) - read(direct),
      of: "µs",
      budget,
      maxRatio: undefined,
      note: `direct ${round(read(direct))}`,
    });
  return [
    row("p50", (cost) => cost.p50Us, LATENCY.budgetP50Us),
    row("p99", (cost) => cost.p99Us, LATENCY.budgetP99Us),
  ];
}

export function memoryRows({
  nginx,
  bare,
  gateway,
}: Readonly<Record<Exclude<TargetName, "direct">, Memory>>): readonly Row[] {
  const mb = 1 << 20;
  const kb = 1 << 10;
  return [
    rowOf({
      unit: "RSS idle",
      base: nginx.idleBytes / mb,
      bare: bare.idleBytes / mb,
      gateway: gateway.idleBytes / mb,
      of: "MB",
      budget: MEMORY.budgetIdleBytes / mb,
      maxRatio: undefined,
      note: "",
    }),
    rowOf({
      unit: "RSS for a live stream",
      base: nginx.perStreamBytes / kb,
      bare: bare.perStreamBytes / kb,
      gateway: gateway.perStreamBytes / kb,
      of: "KB",
      budget: MEMORY.budgetStreamBytes / kb,
      maxRatio: undefined,
      note: `${MEMORY.streams} held`,
    }),
  ];
}

function alone(unit: string, gateway: number, of: "µs" | "ms", budget: number): Row {
  return rowOf({
    unit,
    base: undefined,
    bare: undefined,
    gateway,
    of,
    budget,
    maxRatio: undefined,
    note: "",
  });
}

export function startRow(startMs: number): Row {
  return alone(`start with ${START.accounts} accounts`, startMs, "ms", START.budgetMs);
}

export function choiceRows({ freshUs, boundUs }: ChoiceCost): readonly Row[] {
  const name = `choose among ${CHOICE.accounts} accounts`;
  return [
    alone(`${name}, new session`, freshUs, "µs", CHOICE.budgetUs),
    alone(`${name}, bound session`, boundUs, "µs", CHOICE.budgetUs),
  ];
}

/** Three significant digits are more than these machines can hold. */
function round(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

export function table(rows: readonly Row[]): string {
  const head = ["unit", "nginx", "bare", "gateway", "ratio", "budget", "verdict", "notes"];
  const cells = rows.map((row) => [
    row.unit,
    row.base === undefined ? "" : `${round(row.base)} ${row.of}`,
    row.bare === undefined ? "" : `${round(row.bare)} ${row.of}`,
    `${round(row.gateway)} ${row.of}`,
    row.ratio === undefined ? "" : row.ratio.toFixed(2),
    budgetText(row),
    row.verdict,
    row.note,
  ]);
  const widths = head.map((title, at) =>
    Math.max(title.length, ...cells.map((each) => each[at]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    `| ${texts.map((text, at) => text.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...cells.map(line)].join("\n");
}

function budgetText({ budget, of, maxRatio }: Row): string {
  const parts = [];
  if (budget !== undefined) parts.push(`${budget} ${of}`);
  if (maxRatio !== undefined) parts.push(`${maxRatio} ×`);
  return parts.join(", ");
}

export function machine(): string {
  const cores = cpus();
  const load = readFileSync("/proc/loadavg", "latin1").split(" ").slice(0, 3).join(" ");
  const nginx = Bun.spawnSync(["nginx", "-v"]).stderr.toString().trim().replace(/^.*\//, "");
  return `${cores.length} × ${cores[0]?.model.trim()}, Linux ${release()}, Bun ${Bun.version}, nginx ${nginx}, load ${load}`;
}
