// `env`: the lines that point a client at this gateway, for `eval`; with --write, in the client's own config instead.

import { nearest } from "../config/nearest.ts";
import { UsageError } from "./arguments.ts";
import { CLIENT_NAMES, type ClientName, clientOf, type Pointing, type Wanted } from "./clients.ts";
import { readConfigFor, type Target, TARGET_HELP, TARGET_OPTIONS, targetFor } from "./configured.ts";
import { configOfClient, FileError, undo, write } from "./client-files.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { configuredModels, listedModels } from "./known-models.ts";
import { runCommand } from "./run-command.ts";
import { isTerminal } from "./style.ts";
import { type Shell, SHELL_WORDS, shellNamed, shellOf } from "./shells.ts";

const HELP = `Usage: sub2api_simple env claude|codex|openai|opencode [--shell SHELL] [--write | --undo] [-config FILE]

Prints the lines that point a client at this gateway, for this shell alone. They hold the client key.

  --shell bash|zsh|fish|pwsh   default: by $SHELL
  --model NAME                 the model the client begins with; not for openai
${TARGET_HELP}
  --write                      put it into the client's own config instead (~/.claude/settings.json,
                               ~/.codex/config.toml, ~/.config/opencode/opencode.json), and keep a backup beside it
  --undo                       put the backup back
  --json                       the variables and arguments as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  eval "$(sub2api_simple env claude)" && claude
  sub2api_simple env codex --shell fish | source
  sub2api_simple env opencode --write --model gpt-5

Exit codes: 0 done, 1 failed, 2 wrong usage or config.
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  shell: { type: "string" },
  model: { type: "string" },
  write: { type: "boolean" },
  undo: { type: "boolean" },
  json: { type: "boolean" },
} as const;

export function run(args: string[], io: Io): Promise<number> {
  return runCommand(args, io, { help: HELP, options: OPTIONS, words: 1 }, async (given) => {
    const { values, words, configPath } = given;
    const name = clientNamed(words[0], CLIENT_NAMES);
    const shell = values.shell === undefined ? shellOf(io.env) : shellNamed(values.shell);
    if (values.write === true && values.undo === true)
      throw new UsageError("--write and --undo exclude each other");
    try {
      if (values.undo === true)
        return say(io, values.json === true, await undo(configOfClient(name, io.env)));
      const wanted = await wish({ name, io, configPath }, values);
      if (wanted === undefined) return EXIT.failed;
      if (values.write === true)
        return say(io, values.json === true, await write(configOfClient(name, io.env), wanted));
      const pointing = clientOf(name).point(wanted);
      io.stdout.write(values.json === true ? `${JSON.stringify(pointing)}\n` : lines(name, pointing, shell));
      hint({ io, name, shell, json: values.json === true });
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      io.stderr.write(`${error.message}\n`);
      return EXIT.failed;
    }
  });
}

/** @throws UsageError with the nearest name */
function clientNamed<N extends string>(name: string | undefined, names: readonly N[]): N {
  const found = names.find((each) => each === name);
  if (found !== undefined) return found;
  if (name === undefined) throw new UsageError(`which client? One of ${names.join(", ")}`);
  const near = nearest(name, names);
  const meant = near === undefined ? `it knows ${names.join(", ")}` : `did you mean "${near}"?`;
  throw new UsageError(`there is no client "${name}"; ${meant}`);
}

interface Asking {
  readonly name: ClientName;
  readonly io: Io;
  readonly configPath: string;
}

/** What the client is to be told; undefined, with words on stderr, when that cannot be known. */
async function wish(
  { name, io, configPath }: Asking,
  values: { readonly url?: string; readonly key?: string; readonly model?: string },
): Promise<Wanted | undefined> {
  const { takesModel, needsModels } = clientOf(name);
  const { model } = values;
  if (model !== undefined && !takesModel)
    throw new UsageError(`${name} takes no --model from its environment`);
  const target = await targetFor(io, configPath, values);
  if (needsModels !== true) return { ...target, model, models: [] };
  const models = await modelsAt(target, io, configPath);
  if (models.length > 0 || model !== undefined) return { ...target, model, models };
  io.stderr.write(
    `${name} wants to know its models, and nobody names any: no gateway answers at ${target.url}, and the config ` +
      `has only patterns.\nStart the gateway, or choose one: ${programName(io.env)} env ${name} --model NAME\n`,
  );
  return undefined;
}

async function modelsAt(target: Target, io: Io, configPath: string): Promise<readonly string[]> {
  const listed = await listedModels(target, io);
  if (listed !== undefined && listed.length > 0) return listed;
  try {
    return configuredModels(await readConfigFor(io, configPath));
  } catch {
    // With --url and a key from the environment there may be no config here.
    return [];
  }
}

function lines(name: ClientName, { set, unset, args }: Pointing, shell: Shell): string {
  const words = SHELL_WORDS[shell];
  const all = [
    ...Object.entries(set).map(([variable, value]) => words.set(variable, value)),
    ...unset.map((variable) => words.unset(variable)),
    ...(args.length === 0 ? [] : [words.wrap(name, args)]),
  ];
  return `${all.join("\n")}\n`;
}

interface Hint {
  readonly io: Io;
  readonly name: ClientName;
  readonly shell: Shell;
  readonly json: boolean;
}

/** Somebody looks at the lines, which do nothing by being looked at. */
function hint({ io, name, shell, json }: Hint): void {
  if (json || !isTerminal(io.stdout)) return;
  // npm says what it starts, unless it is told not to.
  const program = programName(io.env).replace("npm start", "npm start -s");
  const use = SHELL_WORDS[shell].use(`${program} env ${name}`);
  io.stderr.write(`# These lines hold your client key. To use them: ${use}\n`);
}

function say(io: Io, json: boolean, done: { readonly told: string }): number {
  io.stdout.write(json ? `${JSON.stringify(done)}\n` : `${done.told}\n`);
  return EXIT.done;
}
