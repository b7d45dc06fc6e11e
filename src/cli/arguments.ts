// Reads command lines. `-config X` was always allowed, though by today's custom a long option has two dashes.

import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearest } from "../config/nearest.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Options = NonNullable<ParseArgsConfig["options"]>;

const COMMON = {
  config: { type: "string", short: "c" },
  help: { type: "boolean", short: "h" },
} as const satisfies Options;

/** A command line that cannot be understood; the message is for the person who typed it. */
export class UsageError extends Error {}

function withTwoDashes(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  const ours = end === -1 ? args.length : end;
  return args.map((arg, i) => (i < ours && /^-config(?:=|$)/.test(arg) ? `-${arg}` : arg));
}

/**
 * The options and words of a command line; `--config` and `--help` are always known.
 * @throws UsageError
 */
export function readArguments<O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({
      args: withTwoDashes(args),
      options: { ...COMMON, ...options },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(words(error, Object.keys({ ...COMMON, ...options })));
  }
}

/** What is wrong with a command line, with the option that was probably meant. */
function words(error: unknown, known: readonly string[]): string {
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /^Unknown option '-{1,2}([^']*)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const near = unknown.length < 2 ? undefined : nearest(unknown, known);
  const meant = near === undefined ? "" : `; did you mean --${near}?`;
  return `there is no option ${unknown.length === 1 ? "-" : "--"}${unknown}${meant}`;
}

/**
 * The config file that a command line means: the option (the last one, if it is repeated), then
 * `$SUB2API_CONFIG`, then `config.json`. Options of other commands are passed over.
 * @throws UsageError when the option has no value
 */
export function parseConfigPath(args: readonly string[], env: Env): string {
  const { values } = parseArgs({
    args: withTwoDashes(args),
    options: COMMON,
    allowPositionals: true,
    strict: false,
  });
  const { config } = values;
  if (config === true || config === "") throw new UsageError("-config needs the path of a file");
  if (typeof config === "string") return config;
  return env["SUB2API_CONFIG"] || "config.json";
}
