// `check`: everything that is wrong with a config, before it is used.

import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import { formatProblems } from "../config/problems.ts";
import type { Config } from "../config/schema.ts";
import { EXIT, type Io } from "./io.ts";
import { runCommand } from "./run-command.ts";

const HELP = `Usage: sub2api_simple check [--json] [-config FILE]

Checks a config and prints every problem with its place and a suggestion.

  --json                       the problems as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Exit codes: 0 the config is good, 1 it is not, 2 wrong usage.
`;

export function run(args: string[], io: Io): Promise<number> {
  const options = { json: { type: "boolean" } } as const;
  return runCommand(args, io, { help: HELP, options }, ({ configPath, values }) =>
    check(configPath, values.json === true, io),
  );
}

async function check(path: string, json: boolean, io: Io): Promise<number> {
  const loaded = await loadConfig(resolve(io.cwd, path), io.env);
  if (json) {
    const problems = loaded.ok ? [] : loaded.problems;
    io.stdout.write(`${JSON.stringify({ ok: loaded.ok, problems })}\n`);
    return loaded.ok ? EXIT.done : EXIT.failed;
  }
  if (loaded.ok) {
    io.stdout.write(`${path} is good: ${summary(loaded.config)}\n`);
    return EXIT.done;
  }
  const { length } = loaded.problems;
  io.stderr.write(`${formatProblems(path, loaded.problems)}${plural(length, "problem")} in ${path}\n`);
  return EXIT.failed;
}

/** How much a good config holds. */
export function summary({ accounts, authTokens, clientKeys, listen }: Config): string {
  const off = accounts.filter((account) => account.disabled).length;
  const disabled = off === 0 ? "" : ` (${off} disabled)`;
  const keys = plural(authTokens.length + clientKeys.length, "client key");
  return `${plural(accounts.length, "account")}${disabled}, ${keys}, listens on ${listen.host ?? "every interface"}, port ${listen.port}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
