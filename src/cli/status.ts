// `status`: how the accounts of a running gateway are.

import { arrayAt, type Json, type JsonObject, numberAt, stringAt } from "../core/json.ts";
import type { Clock } from "../core/ports.ts";
import { AskError, askGateway } from "./asking.ts";
import { type Target, TARGET_HELP, TARGET_OPTIONS, targetFor } from "./configured.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { isTerminal, type Paint, paintFor, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";
import { duration } from "./units.ts";
import { printable } from "./who.ts";

const HELP = `Usage: sub2api_simple status [--watch] [-config FILE]

Shows the accounts of a running gateway: state, load, limits, and when the next one recovers.

  --watch, -w                  again and again, every two seconds, until Ctrl-C
${TARGET_HELP}
  --json                       what GET /health answers, on one line
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple status
  sub2api_simple status --watch -config /etc/sub2api/config.json
  SUB2API_KEY=... sub2api_simple status --url https://gateway.example.com --json

Exit codes: 0 the gateway answered, 1 it did not, 2 wrong usage or config.
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  watch: { type: "boolean", short: "w" },
  json: { type: "boolean" },
} as const;
const EVERY_MS = 2_000;
const CLEAR = "\u001B[H\u001B[2J";

export interface StatusTools {
  readonly clock: Clock;
  /** For tests: ends a watch. */
  readonly stop?: AbortSignal;
}

export function createStatusCommand(tools: StatusTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS }, async ({ values, configPath }) => {
      const view: View = {
        target: await targetFor(io, configPath, values),
        json: values.json === true,
        clock: tools.clock,
      };
      if (values.watch !== true) return show(view, io);
      return watch(view, io, tools.stop);
    });
}

interface View {
  readonly target: Target;
  readonly json: boolean;
  readonly clock: Clock;
}

async function watch(view: View, io: Io, stop: AbortSignal | undefined): Promise<number> {
  for (;;) {
    // One write, so that nothing flickers.
    let text = "";
    const kept = { write: (piece: string) => (text += piece), isTTY: isTerminal(io.stdout) };
    const code = await show(view, { ...io, stdout: kept, stderr: view.json ? io.stderr : kept });
    io.stdout.write(!view.json && kept.isTTY ? CLEAR + text : text);
    await new Promise<void>((resolve) => {
      const cancel = view.clock.after(EVERY_MS, resolve);
      stop?.addEventListener("abort", () => (cancel(), resolve()), { once: true });
    });
    if (stop?.aborted === true) return code;
  }
}

async function show({ target, json, clock }: View, io: Io): Promise<number> {
  try {
    const health = await askGateway(target, "/health", io);
    io.stdout.write(
      json ? `${JSON.stringify(health)}\n` : page(health, target.url, { io, wall: clock.wall() }),
    );
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT.failed;
  }
}

interface Moment {
  readonly io: Io;
  /** Epoch ms. */
  readonly wall: number;
}

const WORDS: Readonly<Record<string, Style>> = { ok: "green", degraded: "yellow", down: "red" };
const STATES: Readonly<Record<string, Style>> = {
  ready: "green",
  busy: "yellow",
  cooling: "yellow",
  needs_login: "red",
  disabled: "dim",
};

function page(health: JsonObject, url: string, { io, wall }: Moment): string {
  const paint = paintFor(io, io.stdout);
  const accounts = arrayAt(health, "account_details") ?? [];
  const serving = accounts.filter((each) => ["ready", "busy"].includes(stringAt(each, "state") ?? ""));
  const status = printable(stringAt(health, "status") ?? "unknown");
  const head = `${url} is ${paint(WORDS[status], status)}: ${serving.length} of ${accounts.length} accounts can serve now.\n\n`;
  const heading = ["account", "platform", "type", "priority", "load", "state", "limits"];
  const rows = accounts.map((each) => rowOf(each, wall));
  return head + table(heading, rows, paint) + advice(accounts, { io, wall }, paint);
}

function rowOf(account: Json, wall: number): Cell[] {
  const text = (key: string): Cell => ({ text: stringAt(account, key) ?? "" });
  const state = stringAt(account, "state") ?? "";
  const active = numberAt(account, "active") ?? 0;
  const slots = numberAt(account, "concurrency") ?? 0;
  return [
    { ...text("name"), style: "bold" },
    text("platform"),
    text("type"),
    { text: String(numberAt(account, "priority") ?? ""), right: true },
    { text: `${active}/${slots}`, right: true, style: active >= slots ? "yellow" : undefined },
    { text: state.replace("_", " "), style: STATES[state] },
    { text: (arrayAt(account, "limits") ?? []).map((limit) => limitOf(limit, wall)).join(", ") },
  ];
}

/** `5h 42 %`, and when it begins anew once that matters. */
function limitOf(limit: Json, wall: number): string {
  const used = numberAt(limit, "used");
  const reset = Date.parse(stringAt(limit, "reset_at") ?? "");
  const share = used === undefined ? "" : ` ${Math.round(used * 100)}%`;
  const isTight = used !== undefined && used >= TIGHT && reset > wall;
  return `${stringAt(limit, "name") ?? ""}${share}${isTight ? ` (new in ${duration(reset - wall)})` : ""}`;
}

const TIGHT = 0.8;

/** Why accounts cannot serve, when that ends, and what to do where it does not end by itself. */
function advice(accounts: readonly Json[], { io, wall }: Moment, paint: Paint): string {
  const lines: string[] = [];
  let next: { readonly name: string; readonly until: number } | undefined;
  for (const account of accounts) {
    const name = printable(stringAt(account, "name") ?? "");
    const state = stringAt(account, "state") ?? "";
    const until = Date.parse(stringAt(account, "until") ?? "");
    if (until > wall && (next === undefined || until < next.until)) next = { name, until };
    if (!["cooling", "needs_login"].includes(state)) continue;
    const reason = printable(stringAt(account, "reason") ?? "no reason given");
    const end = until > wall ? `, back in ${duration(until - wall)}` : "";
    const act = state === "needs_login" ? `. Sign it in: ${programName(io.env)} login ${name}` : "";
    lines.push(`${paint("bold", name)}: ${reason}${end}${act}`);
  }
  if (next !== undefined) {
    const at = new Date(next.until).toISOString().slice(0, 19).replace("T", " ");
    lines.push(`Next recovery: ${next.name} in ${duration(next.until - wall)}, at ${at} UTC.`);
  }
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}
