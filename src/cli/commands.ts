// The table of commands; `serve` is the default, so that a bare `-config FILE` works as it always did.

import { systemClock } from "../core/clock.ts";
import { VERSION } from "../core/version.ts";
import { nearest } from "../config/nearest.ts";
import { createChatCommand } from "./chat.ts";
import * as check from "./check.ts";
import { createCompletionCommand } from "./completion.ts";
import * as env from "./env.ts";
import { createDoctorCommand } from "./doctor.ts";
import { createExplainCommand } from "./explain.ts";
import * as init from "./init.ts";
import {
  openDoctorDesk,
  openImportDesk,
  openLoginDesk,
  openRecordsDesk,
  openRekeyDesk,
  readLoginFile,
} from "../desks.ts";
import { createImportCommand } from "./import.ts";
import { EXIT, type Io } from "./io.ts";
import { createLoginCommand } from "./login.ts";
import { createRekeyCommand } from "./rekey.ts";
import { createRunCommand, startInTerminal } from "./run.ts";
import * as serve from "./serve.ts";
import { createStatusCommand } from "./status.ts";
import { createUsageCommand } from "./usage.ts";
import { printable } from "./who.ts";

interface Command {
  readonly run: (args: string[], io: Io) => Promise<number>;
  readonly does: string;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { run: serve.run, does: "runs the gateway (the default)" },
  init: { run: init.run, does: "writes a commented config with a fresh client key" },
  check: { run: check.run, does: "names every problem of a config" },
  doctor: {
    run: createDoctorCommand({ open: openDoctorDesk, clock: systemClock }),
    does: "says what is wrong with a set-up, and what to do",
  },
  login: { run: createLoginCommand({ open: openLoginDesk }), does: "signs a ChatGPT plan in" },
  import: {
    run: createImportCommand({ read: readLoginFile, open: openImportDesk }),
    does: "takes over a login of Codex or of another gateway",
  },
  status: {
    run: createStatusCommand({ clock: systemClock }),
    does: "shows the accounts of a running gateway",
  },
  usage: {
    run: createUsageCommand({ open: openRecordsDesk, clock: systemClock }),
    does: "shows tokens and estimated costs by account, key, model, day",
  },
  explain: {
    run: createExplainCommand({ open: openRecordsDesk }),
    does: "says why a request went where it went",
  },
  env: { run: env.run, does: "points a client at this gateway: claude, codex, openai, opencode" },
  run: {
    run: createRunCommand({ start: startInTerminal }),
    does: "starts a client pointed at this gateway: claude, codex, opencode",
  },
  chat: {
    run: createChatCommand({ open: openRecordsDesk, clock: systemClock }),
    does: "talks with a model through the gateway",
  },
  rekey: { run: createRekeyCommand({ open: openRekeyDesk }), does: "seals the logins with a new key" },
  completion: {
    run: createCompletionCommand(() => COMMANDS),
    does: "prints what makes a shell complete all this",
  },
};

export async function command(args: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = args;
  if (first === "help" || first === "--help" || first === "-h") return say(io, usage());
  if (first === "--version" || first === "version") return say(io, `sub2api_simple ${VERSION}\n`);
  const named = first !== undefined && !first.startsWith("-");
  const found = named ? (Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined) : COMMANDS["serve"];
  if (found !== undefined) return await found.run(named ? rest : [...args], io);
  const near = nearest(first ?? "", Object.keys(COMMANDS));
  const meant = near === undefined ? "" : ` Did you mean "${near}"?`;
  io.stderr.write(`There is no command "${printable(first ?? "")}".${meant}\n\n${usage()}`);
  return EXIT.usage;
}

function say(io: Io, text: string): number {
  io.stdout.write(text);
  return EXIT.done;
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { does }]) => `  ${name.padEnd(11)} ${does}`);
  return `Usage: sub2api_simple [command] [-config FILE]\n\n${lines.join("\n")}\n\nEvery command has --help.\n`;
}
