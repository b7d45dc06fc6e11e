// What every command does with its command line before its own work: help, wrong usage, the config's path.

import { parseConfigPath, readArguments, UsageError } from "./arguments.ts";
import { ConfigError } from "./configured.ts";
import { EXIT, type Io } from "./io.ts";

export interface CommandLine<O> {
  readonly help: string;
  readonly options: O;
  /** How many words it takes besides its options; none unless it says so. */
  readonly words?: number;
}

type Options = Parameters<typeof readArguments>[1];
type Values<O extends Options> = ReturnType<typeof readArguments<O>>["values"];

export interface Given<O extends Options> {
  readonly values: Values<O>;
  readonly words: readonly string[];
  /** As it was given: relative to `io.cwd`. */
  readonly configPath: string;
}

/** Runs `work` with what was given. Its UsageError shows the help and exits 2, a ConfigError only exits 2. */
export async function runCommand<O extends Options>(
  args: readonly string[],
  io: Io,
  line: CommandLine<O>,
  work: (given: Given<O>) => Promise<number>,
): Promise<number> {
  try {
    const { values, positionals: words } = readArguments(args, line.options);
    if ("help" in values && values.help === true) {
      io.stdout.write(line.help);
      return EXIT.done;
    }
    const extra = words[line.words ?? 0];
    if (extra !== undefined) throw new UsageError(`unexpected "${extra}"`);
    return await work({ values, words, configPath: parseConfigPath(args, io.env) });
  } catch (error) {
    if (error instanceof ConfigError) io.stderr.write(`${error.message}\n`);
    else if (error instanceof UsageError) io.stderr.write(`${error.message}\n\n${line.help}`);
    else throw error;
    return EXIT.usage;
  }
}
