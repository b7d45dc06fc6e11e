// `doctor`: what is wrong, with the config, the machine, the files, the ports and the accounts, and what to do about it.

import { resolve } from "node:path";
import { checkUpstreams } from "./doctor-accounts.ts";
import { checkConfig } from "./doctor-config.ts";
import { checkDatabase, checkDataDir } from "./doctor-data.ts";
import { about, type DoctorTools, type Finding, type Patient } from "./doctor-finding.ts";
import { checkCallback, checkListen } from "./doctor-listen.ts";
import { checkLogins } from "./doctor-logins.ts";
import { checkMachine } from "./doctor-machine.ts";
import { page } from "./doctor-page.ts";
import { EXIT, type Io } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple doctor [--json] [--offline] [-config FILE]

Looks at the config, the machine, data_dir, the ports, every account's login and the road to its upstream, and says
what is wrong and what to do about it. It changes nothing, sends no request that costs tokens, and shows no secret:
each upstream is asked once for its list of models.

  --offline                    asks nobody beyond this machine
  --json                       one line of JSON: {"ok", "findings": [{check, state, subject, message, advice}]}
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple doctor
  sub2api_simple doctor --offline -config /etc/sub2api/config.json
  sub2api_simple doctor --json | jq '.findings[] | select(.state != "ok")'

Exit codes: 0 nothing failed (there may be warnings), 1 something did, 2 wrong usage.
`;

const OPTIONS = { offline: { type: "boolean" }, json: { type: "boolean" } } as const;

interface Check {
  readonly name: string;
  /** Whether it asks anybody beyond this machine. */
  readonly isRemote?: boolean;
  readonly run: (patient: Patient) => readonly Finding[] | Promise<readonly Finding[]>;
}

/** In the order in which they are told. Each needs a config that can be used. */
const CHECKS: readonly Check[] = [
  { name: "environment", run: ({ io, config }) => checkMachine(io, config) },
  { name: "data_dir", run: checkDataDir },
  { name: "database", run: checkDatabase },
  { name: "listen_addr", run: checkListen },
  { name: "login", run: checkLogins },
  { name: "login port", run: checkCallback },
  { name: "upstream", isRemote: true, run: checkUpstreams },
];

export function createDoctorCommand(tools: DoctorTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS }, async ({ values, configPath }) => {
      const findings = await examine(resolve(io.cwd, configPath), io, {
        tools,
        isOffline: values.offline === true,
      });
      const ok = findings.every(({ state }) => state !== "fail");
      io.stdout.write(values.json === true ? `${JSON.stringify({ ok, findings })}\n` : page(findings, io));
      return ok ? EXIT.done : EXIT.failed;
    });
}

interface Manner {
  readonly tools: DoctorTools;
  readonly isOffline: boolean;
}

async function examine(
  configPath: string,
  io: Io,
  { tools, isOffline }: Manner,
): Promise<readonly Finding[]> {
  const { loaded, findings } = await checkConfig(configPath, io);
  if (!loaded.ok) return [...findings, ...checkMachine(io, undefined)];
  const { config } = loaded;
  const patient = { io, configPath, config, desk: tools.open(config, io.env), tools };
  const due = CHECKS.filter(({ isRemote = false }) => !(isOffline && isRemote));
  return [...findings, ...(await Promise.all(due.map((check) => careful(check, patient)))).flat()];
}

/** One check that fails by itself must not hide what the others find. */
async function careful({ name, run }: Check, patient: Patient): Promise<readonly Finding[]> {
  try {
    return await run(patient);
  } catch (error) {
    return [
      about(name, "this check").fail(
        `could not be made: ${wordsOf(error)}`,
        "mend what it names, and run doctor again",
      ),
    ];
  }
}
