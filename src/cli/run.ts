// `run`: starts a client that is pointed at this gateway by its environment alone, so that nothing of it stays.

import { UsageError } from "./arguments.ts";
import { AskError, askGateway } from "./asking.ts";
import { clientNamed, wish } from "./client-wish.ts";
import { CLIENT_NAMES, clientOf } from "./clients.ts";
import { TARGET_HELP, TARGET_OPTIONS } from "./configured.ts";
import { EXIT, type Io } from "./io.ts";
import { runCommand } from "./run-command.ts";

const HELP = `Usage: sub2api_simple run claude|codex|opencode [--model NAME] [-config FILE] [-- ARGS]

Starts that client pointed at this gateway, and ends with its exit code. Nothing is written to its own config.

  --model NAME                 the model the client begins with
${TARGET_HELP}
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple run claude
  sub2api_simple run codex --model gpt-5 -- exec "say hello"

Exit codes: the client's own; 1 it could not be started, 2 wrong usage or config.
`;

const OPTIONS = { ...TARGET_OPTIONS, model: { type: "string" } } as const;
const STARTED = CLIENT_NAMES.filter((name) => clientOf(name).program !== undefined);

export interface RunTools {
  /** Starts a program in this terminal, and waits for it. */
  readonly start: (command: readonly [string, ...string[]], env: Io["env"]) => Promise<number>;
}

export function createRunCommand({ start }: RunTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS, words: Infinity }, async (given) => {
      const { values, configPath } = given;
      const [first, ...rest] = given.words;
      const name = clientNamed(first, STARTED);
      const { program, install, point } = clientOf(name);
      if (program === undefined) throw new UsageError(`${name} is no program`);
      const path = Bun.which(program, { PATH: io.env["PATH"] ?? "", cwd: io.cwd });
      if (path === null) {
        io.stderr.write(`${program} is not installed, or not in your PATH. To install it: ${install}\n`);
        return EXIT.failed;
      }
      const wanted = await wish({ command: "run", name, io, configPath }, values);
      if (wanted === undefined) return EXIT.failed;
      try {
        await askGateway(wanted, "/health", io);
      } catch (error) {
        if (!(error instanceof AskError)) throw error;
        io.stderr.write(`${error.message}\n`);
        return EXIT.failed;
      }
      const { set, unset, args: own } = point(wanted);
      const kept = Object.entries(io.env).filter(([variable]) => !unset.includes(variable));
      return start([path, ...own, ...rest], { ...Object.fromEntries(kept), ...set });
    });
}

/** The client has the terminal and hears its signals; those for this process alone are handed on. */
export async function startInTerminal(command: readonly string[], env: Io["env"]): Promise<number> {
  const child = Bun.spawn([...command], { stdio: ["inherit", "inherit", "inherit"], env: { ...env } });
  const handOn = (): void => child.kill("SIGTERM");
  const leave = (): void => undefined;
  process.on("SIGTERM", handOn).on("SIGINT", leave);
  try {
    // For a client that a signal has ended: 128 and its number, as shells have it.
    return await child.exited;
  } finally {
    process.off("SIGTERM", handOn).off("SIGINT", leave);
  }
}
