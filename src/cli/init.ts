// `init`: a first config with a fresh client key, so that nobody has to begin with a sample and its known key.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type AccountChoice, configText } from "./init-template.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { openQuestions, type Questions } from "./questions.ts";
import { runCommand } from "./run-command.ts";

const HELP = `Usage: sub2api_simple init [--yes] [-config FILE]

Writes a config with comments and a fresh random client key. Never overwrites a file.

  --yes, -y                    ask nothing: takes $ANTHROPIC_API_KEY and $OPENAI_API_KEY where they are set,
                               else leaves templates of accounts to fill in
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Exit codes: 0 written, 1 the file cannot be written, 2 wrong usage, or the file exists already.
`;

const KEY_VARIABLES = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" } as const;
type KeyPlatform = keyof typeof KEY_VARIABLES;

const OPTIONS = { yes: { type: "boolean", short: "y" } } as const;

export function run(args: string[], io: Io): Promise<number> {
  return runCommand(args, io, { help: HELP, options: OPTIONS }, ({ values, configPath }) =>
    init(configPath, values.yes === true, io),
  );
}

async function init(path: string, yes: boolean, io: Io): Promise<number> {
  const file = resolve(io.cwd, path);
  if (existsSync(file)) return refuse(path, io);
  const accounts = yes ? accountsFromEnv(io.env) : await askForAccount(io);
  if (accounts === undefined) {
    io.stderr.write(`There was no answer. To be asked nothing: ${programName(io.env)} init --yes\n`);
    return EXIT.usage;
  }
  const schema = existsSync(join(dirname(file), "config.schema.json")) ? "./config.schema.json" : undefined;
  const written = await writeNew(file, configText({ clientKey: clientKey(), accounts, schema }));
  if (written === "exists") return refuse(path, io);
  if (written !== "written") {
    io.stderr.write(`${path} cannot be written (${written})\n`);
    return EXIT.failed;
  }
  io.stdout.write(report(path, accounts, programName(io.env)));
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

function isSet(env: Io["env"], platform: KeyPlatform): boolean {
  return (env[KEY_VARIABLES[platform]] ?? "") !== "";
}

function accountsFromEnv(env: Io["env"]): AccountChoice[] {
  const set = (["anthropic", "openai"] as const).filter((platform) => isSet(env, platform));
  return set.map((platform) => ({ kind: platform, key: `\${${KEY_VARIABLES[platform]}}` }));
}

async function askForAccount(io: Io): Promise<AccountChoice[] | undefined> {
  const questions = openQuestions(io);
  try {
    return await choose(questions, io);
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
  const offer = isSet(io.env, platform)
    ? ` [${reference} from the environment]`
    : ` [${reference}, to be set later]`;
  const key = await questions.askSecret(`API key${offer}: `);
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

function report(path: string, accounts: readonly AccountChoice[], program: string): string {
  const lines = [
    `${path} is written; only you can read it. Your client key stands in it, under auth_tokens.`,
  ];
  if (accounts.length === 0)
    lines.push(`No account is set up yet: open ${path} and fill one in under accounts.`);
  const signsIn = accounts.some(({ kind }) => kind === "chatgpt");
  const shown = /^[\w./-]+$/.test(path) ? path : JSON.stringify(path);
  lines.push("Next:", `  ${program} check -config ${shown}`);
  if (signsIn) lines.push(`  ${program} login chatgpt -config ${shown}`);
  lines.push(`  ${program} -config ${shown}`);
  return `${lines.join("\n")}\n`;
}
