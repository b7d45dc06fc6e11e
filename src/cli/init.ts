// `init`: a first config with a fresh client key, so that nobody has to begin with a sample and its known key.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { configJsonSchema } from "../config/json-schema.ts";
import { configSchema } from "../config/schema.ts";
import { UsageError } from "./arguments.ts";
import { type FoundAccount, findAccounts, KEY_VARIABLES } from "./init-found.ts";
import { type AccountChoice, configText, nameOf } from "./init-template.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { openQuestions, type Questions } from "./questions.ts";
import { runCommand } from "./run-command.ts";
import { printable } from "./who.ts";

const HELP = `Usage: sub2api_simple init [--yes] [--json] [-config FILE]

Writes a config with comments and a fresh random client key, and its schema for your editor beside it. Offers the keys in
$ANTHROPIC_API_KEY and $OPENAI_API_KEY and the login of the Codex program where they are there. Never overwrites a file.

  --yes, -y                    ask nothing: takes all of these, or leaves templates of accounts to fill in
  --listen ADDR                host and port to listen on; default: 127.0.0.1:8080. ":8080" is open to the network,
                               as it has to be in a container
  --json                       what was written, as one line of JSON; questions go to the error output
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple init
  ANTHROPIC_API_KEY=... sub2api_simple init --yes -config gateway.json

Exit codes: 0 written, 1 the file cannot be written, 2 wrong usage, or the file exists already.
`;

const SCHEMA_FILE = "config.schema.json";

const OPTIONS = {
  yes: { type: "boolean", short: "y" },
  listen: { type: "string" },
  json: { type: "boolean" },
} as const;

export function run(args: string[], io: Io): Promise<number> {
  return runCommand(args, io, { help: HELP, options: OPTIONS }, ({ values, configPath }) => {
    const { listen = "127.0.0.1:8080", yes, json } = values;
    const { success } = configSchema.shape.listen_addr.safeParse(listen);
    if (!success) throw new UsageError(`--listen needs an address such as ":8080", not "${listen}"`);
    return init({ path: configPath, asks: yes !== true, json: json === true, listen }, io);
  });
}

interface Wish {
  readonly path: string;
  readonly asks: boolean;
  readonly json: boolean;
  readonly listen: string;
}

async function init({ path, asks, json, listen }: Wish, io: Io): Promise<number> {
  const file = resolve(io.cwd, path);
  if (existsSync(file)) return refuse(path, io);
  const found = findAccounts(io);
  // With --json the one line on stdout is for a program; words for people go beside it.
  const people: Io = json ? { ...io, stdout: io.stderr } : io;
  const accounts = asks ? await askForAccounts(found, people) : found.map(({ choice }) => choice);
  if (accounts === undefined) {
    io.stderr.write(`There was no answer. To be asked nothing: ${programName(io.env)} init --yes\n`);
    return EXIT.usage;
  }
  const schema = join(dirname(file), SCHEMA_FILE);
  const text = configText({ clientKey: clientKey(), listen, accounts, schema: `./${SCHEMA_FILE}` });
  const written = await writeNew(file, text);
  if (written === "exists") return refuse(path, io);
  if (written !== "written") {
    io.stderr.write(`${path} cannot be written (${written})\n`);
    return EXIT.failed;
  }
  // An older one is left: editors go without what it lacks.
  await writeNew(schema, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  const next = nextSteps(path, accounts, programName(io.env));
  io.stdout.write(
    json ? `${JSON.stringify({ file, accounts: accounts.map(nameOf), next })}\n` : report(path, next),
  );
  return EXIT.done;
}

function refuse(path: string, io: Io): number {
  io.stderr.write(
    `${path} exists already and is left as it is. For another file: ${programName(io.env)} init -config FILE\n`,
  );
  return EXIT.usage;
}

/** 256 random bits; the prefix tells people and secret scanners whose key it is. */
function clientKey(): string {
  return `s2a-${randomBytes(32).toString("base64url")}`;
}

/** At most five questions: whether to take each of what was found, and if none, which account and its key. */
async function askForAccounts(
  found: readonly FoundAccount[],
  io: Io,
): Promise<readonly AccountChoice[] | undefined> {
  const questions = openQuestions(io);
  try {
    const taken: AccountChoice[] = [];
    for (const { what, choice } of found) {
      const answer = await questions.ask(`Use ${printable(what)}? [Y/n] `);
      if (answer === undefined) return undefined;
      if (!/^no?$/i.test(answer)) taken.push(choice);
    }
    return taken.length > 0 ? taken : await choose(questions, io);
  } finally {
    questions.close();
  }
}

async function choose(questions: Questions, io: Io): Promise<AccountChoice[] | undefined> {
  const menu = [
    "Which account shall the gateway use first? More can be added to the file later.",
    "  1  Anthropic API key",
    "  2  OpenAI API key",
    "  3  ChatGPT plan (you sign in with a browser)",
    "",
  ].join("\n");
  io.stdout.write(menu);
  let answer: string | undefined;
  do {
    answer = await questions.ask("1, 2 or 3 [1]: ");
    if (answer === undefined) return undefined;
  } while (!["", "1", "2", "3"].includes(answer));
  if (answer === "3") return [{ kind: "chatgpt" }];
  const platform = answer === "2" ? "openai" : "anthropic";
  const reference = `\${${KEY_VARIABLES[platform]}}`;
  const key = await questions.askSecret(`API key [${reference}, to be set later]: `);
  if (key === undefined) return undefined;
  // Typed text is a key as it is, so a `${` in it must not be read as a reference.
  return [{ kind: platform, key: key === "" ? reference : key.replaceAll("${", () => "$${") }];
}

async function writeNew(file: string, text: string): Promise<"written" | "exists" | string> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return "written";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return code === "EEXIST" ? "exists" : code;
  }
}

/** The commands to type next, in order. */
function nextSteps(path: string, accounts: readonly AccountChoice[], program: string): string[] {
  const shown = /^[\w./-]+$/.test(path) ? path : JSON.stringify(path);
  const signIns = accounts.flatMap(({ kind }) =>
    kind === "chatgpt" ? ["login chatgpt"] : kind === "codex" ? ["import codex"] : [],
  );
  const config = path === "config.json" ? "" : ` -config ${shown}`;
  const edit = accounts.length === 0 ? [`edit ${shown}: fill in an account`] : [];
  return [...edit, ...signIns.map((words) => `${program} ${words}${config}`), `${program} -config ${shown}`];
}

function report(path: string, next: readonly string[]): string {
  const [first = ""] = next;
  const lines = [
    `${path} is written; only you can read it. Your client key stands in it, under auth_tokens.`,
    ...(first.startsWith("edit ") ? ["No account is set up yet."] : []),
    "Next:",
    ...next.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}
