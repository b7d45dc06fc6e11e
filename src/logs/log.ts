// The gateway's log: one line an event, for people on a terminal and as JSON elsewhere. It never throws and
// never waits, and nothing leaves it unmasked.

import type { Log, LogLine } from "../core/ports.ts";
import { escapeControls, jsonString } from "./escape.ts";
import { createMask, type Mask } from "./mask.ts";
import { isSecretName } from "./named.ts";
import { createOutlet, type Write } from "./outlet.ts";
import { HIDDEN } from "./spans.ts";
import { type Shown, terminalLines } from "./terminal.ts";

const RANKS = { debug: 0, info: 1, warn: 2, error: 3 } as const;
/** A payload in a debug line may be megabytes. */
const MAX_VALUE = 64 * 1024;
/** Names of events and fields are a few dozen, so what was found of them is kept. */
const MAX_NAMES = 1_000;

interface Name {
  readonly shown: string;
  readonly secret: boolean;
}

export interface LogOptions {
  /** Returns a promise while it is busy; lines wait or are dropped meanwhile. */
  readonly write: Write;
  /** People read it. */
  readonly terminal: boolean;
  /** Only on a terminal; without it, as `NO_COLOR` says (no-color.org). */
  readonly colour?: boolean;
  /** Epoch ms. */
  readonly wall: () => number;
  /** The lowest level that is written; default all, as debug lines have switches of their own. */
  readonly level?: LogLine["level"];
  /** Secrets that are hidden wherever they stand; a live set, which may grow. */
  readonly secrets?: ReadonlySet<string>;
}

export function createLog(options: LogOptions): Log {
  const { wall, level = "debug" } = options;
  const colour = options.colour ?? (process.env["NO_COLOR"] ?? "") === "";
  const layout = options.terminal ? terminalLines({ colour }) : jsonLine;
  const show = shower(createMask(options.secrets), options.terminal ? escapeControls : (text) => text);
  const render = (line: LogLine): string => layout(wall(), show(line));
  const out = createOutlet(options.write, (lines) =>
    render({ level: "warn", event: "log-lines-dropped", fields: { lines } }),
  );
  return (line) => {
    try {
      if (RANKS[line.level] >= RANKS[level]) out(render(line));
    } catch {
      // A line that cannot be written down is lost; whoever logged it goes on.
    }
  };
}

/** Returns what makes a line fit to be seen. */
function shower(mask: Mask, escape: (text: string) => string): (line: LogLine) => Shown {
  const clean = (text: string): string => escape(mask(text));
  const names = new Map<string, Name>();
  const nameOf = (name: string): Name => {
    const known = names.get(name) ?? { shown: clean(name), secret: isSecretName(name) };
    if (names.size < MAX_NAMES) names.set(name, known);
    return known;
  };
  return (line) => {
    const fields: [string, string | number | boolean | null][] = [];
    for (const [key, value] of Object.entries(line.fields ?? {})) {
      if (value === undefined) continue;
      const name = nameOf(key);
      if (typeof value !== "string") fields.push([name.shown, plain(value)]);
      else if (name.secret && value !== "") fields.push([name.shown, HIDDEN]);
      else fields.push([name.shown, shorten(value, clean)]);
    }
    return { level: line.level, event: nameOf(line.event).shown, fields };
  };
}

function shorten(text: string, clean: Mask): string {
  if (text.length <= MAX_VALUE) return clean(text);
  return `${clean(text.slice(0, MAX_VALUE))}… (${text.length - MAX_VALUE} more)`;
}

/** What the types forbid still may come: an object is not opened, so that nothing in it is seen. */
function plain(value: unknown): number | boolean | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  return typeof value === "boolean" ? value : null;
}

const RESERVED = new Set(["time", "level", "event"]);

function jsonLine(wall: number, { level, event, fields }: Shown): string {
  let line = `{"time":"${new Date(wall).toISOString()}","level":"${level}","event":${jsonString(event)}`;
  for (const [name, value] of fields) {
    const key = jsonString(RESERVED.has(name) ? `${name}_` : name);
    line += `,${key}:${typeof value === "string" ? jsonString(value) : String(value)}`;
  }
  return `${line}}\n`;
}
