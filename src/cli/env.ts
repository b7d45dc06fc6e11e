// `env`: the lines that point a client at this gateway, for `eval`; with --write, in the client's own config instead.

import { UsageError } from "./arguments.ts";
import { clientNamed, wish } from "./client-wish.ts";
import { CLIENT_NAMES, type ClientName, clientOf, type Pointing } from "./clients.ts";
import { TARGET_HELP, TARGET_OPTIONS } from "./configured.ts";
import { configOfClient, FileError, undo, write } from "./client-files.ts";
import { EXIT, type Io, programName } from "./io.ts";
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
      const wanted = await wish({ command: "env", name, io, configPath }, values);
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
