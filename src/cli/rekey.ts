// `rekey`: puts a new master key in place of the one that seals the logins.

import type { Config } from "../config/schema.ts";
import { readConfigFor } from "./configured.ts";
import { EXIT, type Io } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple rekey [-config FILE]

Makes a new master key and seals every login that the gateway keeps with it. Nobody has to sign in again. What is
interrupted can be run again: no login is lost. Backups made before need the key they were made with.

  --json                       the outcome as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Exit codes: 0 done, 1 failed, 2 wrong usage or config.
`;

export interface Rekeyed {
  /** How many logins are sealed with the new key. */
  readonly logins: number;
  /** Where the new key lies. */
  readonly key: string;
}

/** What the command needs of the logins. */
export interface RekeyDesk {
  /** @throws with words for the operator */
  rekey(): Promise<Rekeyed>;
  close(): Promise<void>;
}

export interface RekeyTools {
  /** @throws with words for the operator */
  readonly open: (config: Config, env: Io["env"]) => Promise<RekeyDesk>;
}

export function createRekeyCommand(tools: RekeyTools): (args: string[], io: Io) => Promise<number> {
  const options = { json: { type: "boolean" } } as const;
  return (args, io) =>
    runCommand(args, io, { help: HELP, options }, async ({ values, configPath }) => {
      const outcome = await rekey(tools, await readConfigFor(io, configPath), io.env);
      if (values.json === true) io.stdout.write(`${JSON.stringify(outcome)}\n`);
      else if (outcome.rekeyed) io.stdout.write(tell(outcome));
      if (!outcome.rekeyed) io.stderr.write(`The master key could not be changed: ${outcome.reason}\n`);
      return outcome.rekeyed ? EXIT.done : EXIT.failed;
    });
}

type Outcome = ({ readonly rekeyed: true } & Rekeyed) | { readonly rekeyed: false; readonly reason: string };

async function rekey(tools: RekeyTools, config: Config, env: Io["env"]): Promise<Outcome> {
  try {
    const desk = await tools.open(config, env);
    try {
      const { logins, key } = await desk.rekey();
      return { rekeyed: true, logins, key };
    } finally {
      await desk.close();
    }
  } catch (error) {
    return { rekeyed: false, reason: wordsOf(error) };
  }
}

function tell({ logins, key }: Rekeyed): string {
  const sealed = logins === 1 ? "1 login is" : `${logins} logins are`;
  return `The master key is a new one, in ${key}. ${sealed} sealed with it. Keep a copy of the key apart from the data.\n`;
}
