// `explain`: why a request went where it went, from its record.

import type { Config } from "../config/schema.ts";
import { ERRORS } from "../core/errors.ts";
import type { ExchangeRecord } from "../core/exchange.ts";
import { UsageError } from "./arguments.ts";
import { readConfigFor } from "./configured.ts";
import { attemptOf, endOf } from "./explain-words.ts";
import { EXIT, type Io } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { type Paint, paintFor } from "./style.ts";
import { table } from "./table.ts";
import { count, millis } from "./units.ts";
import { printable, sentence, wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple explain ID|last [--json] [-config FILE]

Says why a request went where it went: which accounts were tried, what each answered, and how long it took. ID is
what the client got as x-request-id, or the beginning of it; last is the newest request. It reads the records in
data_dir, which go back 90 days.

  --json                       the record as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple explain last
  sub2api_simple explain req_01a20a4968527304af257a8e27b78ead

Exit codes: 0 done, 1 there is no such record, 2 wrong usage or config.
`;

const OPTIONS = { json: { type: "boolean" } } as const;
/** More than these are not worth showing. */
const ALIKE = 5;

/** What the command needs of the records. */
export interface ExplainRecords {
  find(id: string, limit: number): readonly ExchangeRecord[];
  latest(): ExchangeRecord | undefined;
  close(): void;
}

export interface ExplainTools {
  /** Undefined when there are none yet. @throws with words for the operator */
  readonly open: (config: Config) => ExplainRecords | undefined;
}

export function createExplainCommand({ open }: ExplainTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(
      args,
      io,
      { help: HELP, options: OPTIONS, words: 1 },
      async ({ values, words, configPath }) => {
        const [id] = words;
        if (id === undefined || id === "") throw new UsageError("explain needs the ID of a request, or last");
        const config = await readConfigFor(io, configPath);
        const found = look(() => open(config), id);
        if ("problem" in found) {
          io.stderr.write(`${found.problem}\n`);
          return EXIT.failed;
        }
        const json = values.json === true;
        io.stdout.write(json ? `${JSON.stringify(plain(found))}\n` : page(found, paintFor(io, io.stdout)));
        return EXIT.done;
      },
    );
}

function look(
  open: () => ExplainRecords | undefined,
  id: string,
): ExchangeRecord | { readonly problem: string } {
  try {
    const records = open();
    const found = id === "last" ? [records?.latest()] : records?.find(id, ALIKE);
    records?.close();
    const [first, second] = (found ?? []).filter((each) => each !== undefined);
    if (first === undefined) return { problem: missing(id) };
    if (second === undefined || first.id === id) return first;
    const ids = (found ?? []).map((each) => `  ${printable(each?.id ?? "")}`);
    return { problem: `Several requests begin so:\n${ids.join("\n")}` };
  } catch (error) {
    return { problem: sentence(wordsOf(error)) };
  }
}

function missing(id: string): string {
  if (id === "last") return "Nothing is recorded yet in the data_dir of this config.";
  return (
    `No request ${printable(id)} is recorded. Look whether -config names the gateway's own config: records lie in its ` +
    "data_dir, for 90 days, from the moment the request has ended. Requests without a good client key leave none."
  );
}

/** In the words of docs/storage.md, with what each attempt means. */
function plain(record: ExchangeRecord) {
  const { attempts, startedAt, usage, ...rest } = record;
  return {
    ...snakeCased(rest),
    started_at: new Date(startedAt).toISOString(),
    attempts: attempts.map(attemptOf),
    usage: usage === undefined ? null : snakeCased(usage),
  };
}

function snakeCased(values: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

function page(record: ExchangeRecord, paint: Paint): string {
  const at = new Date(record.startedAt)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z/, " UTC");
  const how = record.stream ? "streamed" : "not streamed";
  const lines = [
    `${paint("bold", printable(record.id))}  ${at}`,
    printable(`${record.protocol}, ${how}, model ${record.model}, client key ${record.key}`),
    printable(`conversation ${record.session}`),
    "",
    tried(record, paint).trimEnd(),
    "",
    ...ending(record, paint),
    spent(record),
    timing(record),
  ];
  return `${lines.join("\n")}\n`;
}

function tried({ attempts }: ExchangeRecord, paint: Paint): string {
  if (attempts.length === 0) return "No account was tried.";
  const rows = attempts
    .map(attemptOf)
    .map(({ account, outcome, meaning }, at) => [
      { text: String(at + 1), right: true },
      { text: account, style: "bold" as const },
      { text: outcome, style: outcome === "ok" ? ("green" as const) : ("yellow" as const) },
      { text: meaning },
    ]);
  return table(["try", "account", "outcome", "what happened"], rows, paint);
}

function ending(record: ExchangeRecord, paint: Paint): string[] {
  const { account, upstreamModel, upstreamProtocol, protocol, status, outcome, error } = record;
  const style = outcome === "ok" ? "green" : "red";
  const lines = [
    `The client got ${paint(style, `status ${status}, ${printable(outcome)}`)}. ${endOf(outcome)}`,
  ];
  if (error !== undefined) lines.push(`Error: ${printable(error)}.${advice(error)}`);
  if (account !== undefined && upstreamModel !== undefined) {
    const translated =
      upstreamProtocol === undefined || upstreamProtocol === protocol
        ? ""
        : `, translated to ${upstreamProtocol}`;
    lines.push(printable(`The last one asked was ${account}, for ${upstreamModel}${translated}.`));
  }
  return lines;
}

/** Codes of our own have a page. */
function advice(code: string): string {
  return Object.hasOwn(ERRORS, code) ? " docs/errors.md says what to do." : "";
}

function spent({ usage, bytesIn, bytesOut }: ExchangeRecord): string {
  const bytes = `${count(bytesIn)} bytes in, ${count(bytesOut)} out`;
  if (usage === undefined) return `Tokens: nobody told. ${bytes}.`;
  const { input, cacheRead, cacheWrite, output, reasoning } = usage;
  const cached = `${count(cacheRead)} from the cache, ${count(cacheWrite)} into it`;
  return `Tokens: ${count(input)} in, ${cached}, ${count(output)} out (${count(reasoning)} of it reasoning). ${bytes}.`;
}

function timing({ waitedMs, firstByteMs, tookMs }: ExchangeRecord): string {
  const first = firstByteMs === undefined ? "no byte sent" : `first byte after ${millis(firstByteMs)}`;
  return `Time: ${millis(waitedMs)} waiting for a slot, ${first}, ${millis(tookMs)} in all.`;
}
