// `import`: takes over a login that another program has made. Who renews it from then on must be clear, because a
// refresh token works once: two programs that renew one login end it.

import { resolve } from "node:path";
import { UsageError } from "./arguments.ts";
import { type Chosen, ImportError, type Plan, plan } from "./import-choice.ts";
import type { ImportTools, LoginFile } from "./import-desk.ts";
import { isYes, type Job, take, type Wish } from "./import-take.ts";
import { adoptQuestion, type Custody, custodyQuestion, tell, tellJson } from "./import-words.ts";
import { codexFile } from "./init-found.ts";
import { EXIT, type Io } from "./io.ts";
import { openQuestions } from "./questions.ts";
import { runCommand } from "./run-command.ts";
import { isTerminal } from "./style.ts";
import { sentence, wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple import [codex | FILE] [--adopt | --follow] [-config FILE]

Takes over a login: of the Codex program ($CODEX_HOME/auth.json or ~/.codex/auth.json; the default), or from
FILE, which is such a file or a token_state.json of the program before this one. An account that is not in the
config yet is added to it; no secret goes there.

  --adopt                      only the gateway renews the login from now on; Codex's own stops working once it
                               has, so sign Codex in anew, or let it use the gateway
  --follow                     Codex goes on renewing it, and the gateway only reads its file
  --name NAME                  the account; default: codex, or the names in the token_state.json
  --replace                    also where the account is signed in already
  --json                       the outcome as one line of JSON; everything else goes to the error output
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Without --adopt or --follow it asks, if there is a terminal.
Exit codes: 0 imported, 1 not imported, or not all, 2 wrong usage or config.
`;

const OPTIONS = {
  adopt: { type: "boolean" },
  follow: { type: "boolean" },
  name: { type: "string" },
  replace: { type: "boolean" },
  json: { type: "boolean" },
} as const;

export function createImportCommand(tools: ImportTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS, words: 1 }, ({ values, words, configPath }) => {
      if (values.adopt === true && values.follow === true)
        throw new UsageError("--adopt and --follow exclude each other");
      if (values.name === "") throw new UsageError("--name needs the name of an account");
      const [what = "codex"] = words;
      const wish: Wish = {
        path: what === "codex" ? codexFile(io) : resolve(io.cwd, what),
        isCodexs: what === "codex",
        configPath: resolve(io.cwd, configPath),
        name: values.name,
        custody: values.adopt === true ? "adopt" : values.follow === true ? "follow" : undefined,
        replace: values.replace === true,
        json: values.json === true,
      };
      return importLogins(tools, wish, io);
    });
}

async function importLogins(tools: ImportTools, wish: Wish, io: Io): Promise<number> {
  // With --json the one line on stdout is for a program; words for people go beside it.
  const people: Io = wish.json ? { ...io, stdout: io.stderr } : io;
  const questions = openQuestions(people);
  try {
    return await run({ tools, wish, io: people, questions }, io);
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    const { path, configPath } = wish;
    if (wish.json) io.stdout.write(tellJson({ path, configPath, imported: [], faults: [error.message] }));
    io.stderr.write(`${error.message}\n`);
    return error.exit;
  } finally {
    questions.close();
  }
}

async function run(job: Job, io: Io): Promise<number> {
  const { path, configPath, json } = job.wish;
  let { kind, todo } = await look(job);
  const custody = job.wish.custody ?? (await ask(job, kind, todo.chosen));
  // While somebody thought about it Codex may have renewed, and what was read before is used up.
  if (job.wish.custody === undefined) ({ kind, todo } = await look(job));
  for (const each of todo.chosen) mayBe(custody, kind, each, path);
  const done = { kind, path, configPath, ...(await take(job, { kind, custody, todo })) };
  io.stdout.write(json ? tellJson(done) : tell(done));
  for (const fault of done.faults) io.stderr.write(`${fault}\n`);
  return done.faults.length === 0 ? EXIT.done : EXIT.failed;
}

async function look({ tools, wish, io }: Job): Promise<{ kind: LoginFile["kind"]; todo: Plan }> {
  const { path, isCodexs, configPath, name: wanted } = wish;
  let file: LoginFile;
  try {
    file = await tools.read(path);
  } catch (error) {
    const missing = error instanceof Error && "problem" in error && error.problem === "missing";
    const words = sentence(wordsOf(error));
    throw new ImportError(missing && isCodexs ? `${words}\n${WHERE_CODEX_KEEPS}` : words);
  }
  return { kind: file.kind, todo: await plan({ path, file, wanted }, configPath, io) };
}

const WHERE_CODEX_KEEPS = `Codex writes it when somebody signs in with ChatGPT (codex login), unless cli_auth_credentials_store in its
config.toml says otherwise: "file" makes it do so.`;

async function ask(job: Job, kind: LoginFile["kind"], chosen: readonly Chosen[]): Promise<Custody> {
  const { path } = job.wish;
  if (!isTerminal(job.io.stdin))
    throw new UsageError(
      kind === "codex"
        ? "import needs --adopt or --follow: who renews the login from now on?"
        : "import needs --adopt: the gateway alone renews from now on",
    );
  if (kind === "token_state") {
    const names = chosen.map(({ name }) => name);
    if (isYes(await job.questions.ask(adoptQuestion(path, names)))) return "adopt";
    throw new ImportError("Nothing was imported.");
  }
  for (;;) {
    const answer = await job.questions.ask(custodyQuestion(path));
    if (answer === undefined) throw new ImportError("There was no answer; nothing was imported.");
    if (answer === "1" || answer === "adopt") return "adopt";
    if (answer === "2" || answer === "follow") return "follow";
  }
}

function mayBe(custody: Custody, kind: LoginFile["kind"], { login: { tokens } }: Chosen, path: string): void {
  if (custody === "follow" && kind === "token_state")
    throw new ImportError(
      `Nobody renews the logins in ${path}, so they cannot be followed: --adopt.`,
      EXIT.usage,
    );
  if (custody === "follow" && tokens.access === "")
    throw new ImportError(`${path} holds no access token, so there is nothing to follow. Use Codex once.`);
  if (custody === "adopt" && tokens.refresh === undefined)
    throw new ImportError(`${path} holds no refresh token, so the gateway could not renew the login.`);
}
