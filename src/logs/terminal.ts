// Log lines for people: the time, what happened, and its fields in columns that keep their place.

import type { LogLine } from "../core/ports.ts";

const DIM = 2;
const BOLD = 1;
const LEVELS = { debug: 36, info: 32, warn: 33, error: 31 } as const;

/** Fields that say what they are by themselves. */
const BARE = new Set(["status", "outcome", "protocol", "model", "account", "message", "text", "error"]);
/** Shown as part of the field before it: `gpt-5 → gpt-5.1`. */
const ARROW = "upstream_model";
/** A value above this does not move the columns after it. */
const MAX_WIDTH = 28;
/** Events and fields are a few dozen; this only keeps a mistake from growing. */
const MAX_COLUMNS = 1_000;

type Value = string | number | boolean | null;

/** A log line with everything in it fit to be seen. */
export interface Shown {
  readonly level: LogLine["level"];
  readonly event: string;
  readonly fields: readonly (readonly [name: string, value: Value])[];
}

interface Cell {
  readonly name: string;
  readonly label: string;
  value: string;
}

export interface TerminalOptions {
  readonly colour: boolean;
}

/** Returns what lays lines out; it remembers how wide each column has become. */
export function terminalLines({ colour }: TerminalOptions): (wall: number, line: Shown) => string {
  const widths = new Map<string, number>();
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const width = (column: string, length: number): number => {
    const known = widths.get(column) ?? 0;
    if (length <= known || length > MAX_WIDTH || widths.size >= MAX_COLUMNS) return known;
    widths.set(column, length);
    return length;
  };
  const column = (event: string, { name, label, value }: Cell): string => {
    const length = label.length + value.length;
    const gap = " ".repeat(Math.max(0, width(`${event} ${name}`, length) - length));
    return (label === "" ? value : paint(DIM, label) + value) + gap;
  };
  return (wall, { level, event, fields }) => {
    const time = new Date(wall).toTimeString().slice(0, 8);
    const padded = event.padEnd(width("", event.length));
    const head = `${paint(DIM, time)}  ${paint(LEVELS[level], level.padEnd(5))}  ${paint(BOLD, padded)}`;
    const columns = cellsOf(fields).map((cell) => column(event, cell));
    return `${[head, ...columns].join("  ").trimEnd()}\n`;
  };
}

function cellsOf(fields: Shown["fields"]): Cell[] {
  const cells: Cell[] = [];
  for (const [name, value] of fields) {
    const before = cells.at(-1);
    if (name === ARROW && before !== undefined) before.value += ` → ${show(name, value)}`;
    else cells.push({ name, label: labelOf(name), value: show(name, value) });
  }
  return cells;
}

function labelOf(name: string): string {
  return BARE.has(name) ? "" : `${name.replace(/_(?:ms|tokens)$/, "")} `;
}

function show(name: string, value: Value): string {
  if (value === null) return "-";
  if (typeof value !== "number") return String(value);
  if (name.endsWith("_ms")) return duration(value);
  return name.endsWith("_tokens") ? count(value) : String(value);
}

function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
}

function count(tokens: number): string {
  if (tokens < 1_000) return String(tokens);
  return tokens < 999_950 ? `${(tokens / 1_000).toFixed(1)}k` : `${(tokens / 1_000_000).toFixed(1)}M`;
}
