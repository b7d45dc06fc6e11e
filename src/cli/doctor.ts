// `doctor`: what is wrong with a set-up, and what to do about it. It changes nothing and costs no tokens.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import type { Clock } from "../core/ports.ts";
import { checkDatabase, checkDataFolder, checkLogins } from "./doctor-data.ts";
import type { Check, DoctorDesk, Finding, World } from "./doctor-findings.ts";
import { checkCallback, checkListen } from "./doctor-listen.ts";
import { checkConfigFile, checkEnvironment, checkOpenFiles } from "./doctor-machine.ts";
import { checkUpstreams } from "./doctor-upstream.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { paintFor, type Style } from "./style.ts";
import { printable, sentence, wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple doctor [--offline] [-config FILE]

Looks at the config, the machine, the data, the addresses and every account's way to its upstream, and says what to do.
It changes nothing, and asks upstreams only for their models, which costs nothing.

  --offline                    leaves the upstreams out
  --json                       the findings as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple doctor
  sub2api_simple doctor --json -config /etc/sub2api/config.json

Exit codes: 0 nothing is broken, 1 something is, 2 wrong usage.
`;

const OPTIONS = { offline: { type: "boolean" }, json: { type: "boolean" } } as const;
const HERE: readonly Check[] = [
  checkConfigFile,
  checkEnvironment,
  checkOpenFiles,
  checkDataFolder,
  checkDatabase,
  checkLogins,
  checkListen,
  checkCallback,
];

export interface DoctorTools {
  readonly desk: DoctorDesk;
  readonly clock: Clock;
}

export function createDoctorCommand(tools: DoctorTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS }, async ({ values, configPath }) => {
      const checks = values.offline === true ? HERE : [...HERE, checkUpstreams];
      const findings = await examine(tools, io, { configPath: resolve(io.cwd, configPath), checks });
      const broken = findings.some(({ state }) => state === "fail");
      if (values.json === true) io.stdout.write(`${JSON.stringify({ ok: !broken, findings })}\n`);
      else io.stdout.write(page(findings, io));
      return broken ? EXIT.failed : EXIT.done;
    });
}

interface Examined {
  readonly configPath: string;
  readonly checks: readonly Check[];
}

async function examine(
  tools: DoctorTools,
  io: Io,
  { configPath, checks }: Examined,
): Promise<readonly Finding[]> {
  if (!existsSync(configPath)) {
    const todo = `${programName(io.env)} init -config ${configPath}`;
    return [{ check: "config", state: "fail", subject: configPath, what: "is not there", todo }];
  }
  const loaded = await loadConfig(configPath, io.env);
  if (!loaded.ok)
    return loaded.problems.map(({ path, line, message, suggestion }) => {
      const subject = line === undefined ? configPath : `${configPath}:${line}`;
      const what = path === "" ? `: ${message}` : `: ${path} ${message}`;
      return {
        check: "config",
        state: "fail",
        subject,
        what,
        todo: suggestion ?? "see docs/configuration.md",
      };
    });
  const world: World = { io, config: loaded.config, configPath, ...tools };
  return (await Promise.all(checks.map((check) => guarded(check, world)))).flat();
}

/** A check that breaks is a finding of its own, and the others go on. */
async function guarded(check: Check, world: World): Promise<readonly Finding[]> {
  try {
    return await check(world);
  } catch (error) {
    const what = `could not be looked at. ${sentence(wordsOf(error))}`;
    return [
      { check: "machine", state: "fail", subject: "something", what, todo: "run it as the gateway's user" },
    ];
  }
}

const MARKS: Readonly<
  Record<Finding["state"], { readonly mark: string; readonly plain: string; readonly style: Style }>
> = {
  ok: { mark: "✓", plain: "ok", style: "green" },
  warn: { mark: "!", plain: "!!", style: "yellow" },
  fail: { mark: "✗", plain: "XX", style: "red" },
};

function page(findings: readonly Finding[], io: Io): string {
  const paint = paintFor(io, io.stdout);
  const fancy = /utf-?8/i.test(io.env["LC_ALL"] || io.env["LC_CTYPE"] || io.env["LANG"] || "");
  const lines = findings.flatMap(({ state, subject, what, todo }) => {
    const { mark, plain, style } = MARKS[state];
    const space = what.startsWith(":") ? "" : " ";
    const first = `${paint(style, fancy ? mark : plain)} ${paint("bold", printable(subject))}${space}${printable(what)}`;
    return todo === undefined ? [first] : [first, `  ${fancy ? "→" : "->"} ${printable(todo)}`];
  });
  const count = (state: Finding["state"]): number => findings.filter((each) => each.state === state).length;
  const sum = `${count("ok")} good, ${count("warn")} to look at, ${count("fail")} broken.`;
  return `${lines.join("\n")}\n\n${sum}\n`;
}
