// `login`: signs an account in, whether a gateway is running or not: both keep logins in the same store.

import { resolve } from "node:path";
import { UsageError } from "./arguments.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { openInBrowser } from "./open-url.ts";
import { openQuestions, type Questions } from "./questions.ts";
import { runCommand } from "./run-command.ts";
import { isTerminal } from "./style.ts";
import { printable, wordsOf } from "./who.ts";

const HELP = `Usage: sub2api_simple login NAME [--device | --paste] [-config FILE]

Signs the OpenAI account NAME in with a browser. A running gateway takes the login up by itself.

  --device                     show a code to type in a browser anywhere
  --paste                      for a browser on another machine: paste the address it ends at
  --no-browser                 only print the address, open nothing
  --json                       the outcome as one line of JSON; everything else goes to the error output
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Exit codes: 0 signed in, 1 not signed in, 2 wrong usage or config.
`;

const OPTIONS = {
  device: { type: "boolean" },
  paste: { type: "boolean" },
  "no-browser": { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** Who somebody is at the issuer. */
interface Who {
  readonly email: string | undefined;
  readonly accountId: string | undefined;
  readonly plan: string | undefined;
}

type End =
  | { readonly kind: "signed-in"; readonly identity: Who }
  | { readonly kind: "denied"; readonly error: string; readonly description: string | undefined }
  | { readonly kind: "failed"; readonly reason: string; readonly detail?: string }
  | { readonly kind: "kept" }
  | { readonly kind: "expired" };

interface Question {
  readonly kind: "question";
  readonly had: Who;
  readonly got: Who;
  confirm(yes: boolean): Promise<End>;
}

/** One sign-in that is open. */
interface SignIn {
  readonly url: string;
  readonly ended: Promise<End>;
  paste(
    text: string,
  ): Promise<End | Question | { readonly kind: "stray"; readonly why: "unknown" | "used" | "unreadable" }>;
  confirm(yes: boolean): Promise<End>;
}

/** What the command needs of the logins. */
export interface LoginDesk {
  account(name: string): "known" | "unknown" | "keeps-no-login";
  begin(
    name: string,
    mode: "browser" | "paste",
  ): Promise<SignIn | { readonly kind: "failed"; readonly reason: string }>;
  device(
    name: string,
    onCode: (code: { readonly url: string; readonly userCode: string; readonly expiresAt: number }) => void,
    signal: AbortSignal,
  ): Promise<End | Question>;
  /** Ends what is open and waits until everything is saved. */
  close(): Promise<void>;
}

/**
 * Opens the logins that a config means; what is wrong with it, in words, when it cannot be used.
 * @throws with words for the operator, when the logins cannot be opened
 */
export type OpenDesk = (
  configPath: string,
  env: Io["env"],
) => Promise<LoginDesk | { readonly problems: string }>;

export interface LoginTools {
  readonly open: OpenDesk;
  /** Opens an address in the user's browser; false when that cannot be. */
  readonly browse?: (url: string) => Promise<boolean>;
}

interface Way {
  readonly name: string;
  readonly mode: "browser" | "paste" | "device";
  readonly browse: ((url: string) => Promise<boolean>) | undefined;
  readonly json: boolean;
}

export function createLoginCommand(tools: LoginTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(
      args,
      io,
      { help: HELP, options: OPTIONS, words: 1 },
      async ({ values, words, configPath }) => {
        const [name] = words;
        if (name === undefined) throw new UsageError("login needs the NAME of an account");
        if (values.device === true && values.paste === true)
          throw new UsageError("--device and --paste exclude each other");
        const mode = values.device === true ? "device" : values.paste === true ? "paste" : "browser";
        const browse = values["no-browser"] === true ? undefined : (tools.browse ?? browserOf(io));
        const way = { name, mode, browse, json: values.json === true } as const;
        return openAndLogin(tools, resolve(io.cwd, configPath), way, io);
      },
    );
}

async function openAndLogin({ open }: LoginTools, configPath: string, way: Way, io: Io): Promise<number> {
  let desk: Awaited<ReturnType<OpenDesk>>;
  try {
    desk = await open(configPath, io.env);
  } catch (error) {
    return report({ kind: "failed", reason: "the logins cannot be opened", detail: wordsOf(error) }, way, io);
  }
  if ("problems" in desk) {
    io.stderr.write(desk.problems);
    return EXIT.usage;
  }
  try {
    return await login(desk, way, io);
  } finally {
    await desk.close();
  }
}

/** A program in a pipe opens no windows. */
function browserOf(io: Io): ((url: string) => Promise<boolean>) | undefined {
  return isTerminal(io.stdout) ? openInBrowser : undefined;
}

async function login(desk: LoginDesk, way: Way, io: Io): Promise<number> {
  const standing = desk.account(way.name);
  if (standing !== "known") {
    io.stderr.write(
      standing === "unknown"
        ? `The config has no account named "${way.name}".\n`
        : `The account "${way.name}" does not sign in: only OpenAI accounts of type oauth do.\n`,
    );
    return EXIT.usage;
  }
  // With --json the one line on stdout is for a program; words for people go beside it.
  const people: Io = way.json ? { ...io, stdout: io.stderr } : io;
  return report(await signIn(desk, way, people), way, io);
}

/** Only while something is asked: on a terminal, Ctrl-C would otherwise not reach a command that waits. */
async function withQuestions<T>(io: Io, work: (questions: Questions) => Promise<T>): Promise<T> {
  const questions = openQuestions(io);
  try {
    return await work(questions);
  } finally {
    questions.close();
  }
}

async function signIn(desk: LoginDesk, way: Way, io: Io): Promise<End> {
  const { name, mode } = way;
  if (mode === "device") {
    const show = ({ url, userCode }: { url: string; userCode: string }): void => {
      io.stdout.write(
        `Open this address in any browser and type the code, within 15 minutes:\n\n  ${url}\n  ${userCode}\n\n` +
          "Type only a code that you asked for yourself. Waiting ...\n",
      );
    };
    // Ctrl-C ends the process, and the wait with it.
    const step = await desk.device(name, show, new AbortController().signal);
    if (step.kind !== "question") return step;
    return withQuestions(io, (questions) => ask(step, name, questions));
  }
  const open = await desk.begin(name, mode);
  if ("kind" in open) return open;
  if (mode === "browser") return byBrowser(open, way, io);
  return withQuestions(io, (questions) => byPaste(open, name, io, questions));
}

async function byBrowser(open: SignIn, { browse, name }: Way, io: Io): Promise<End> {
  io.stdout.write(
    `To sign ${name} in, open this address in a browser on this machine, within 10 minutes:\n\n  ${open.url}\n\n` +
      "(Is the browser on another machine? Then use --device or --paste.) Waiting ...\n",
  );
  if (browse !== undefined && !(await browse(open.url))) io.stdout.write("No browser could be opened.\n");
  return open.ended;
}

const PASTE_FAULTS = {
  unreadable: "That is not the address of an answered sign-in: it has to hold code=... and state=...",
  unknown: "That address belongs to another sign-in. Use the one that came of the address above.",
  used: "That address has been used already.",
} as const;

async function byPaste(open: SignIn, name: string, io: Io, questions: Questions): Promise<End> {
  io.stdout.write(
    `To sign ${name} in, open this address in a browser:\n\n  ${open.url}\n\n` +
      "At the end the browser shows an error page at localhost: that is as it should be. Copy the whole address of\n" +
      "that page here. Never paste an address that somebody else gave you, and give yours to nobody.\n",
  );
  for (;;) {
    const answer = await Promise.race([questions.askSecret("Address (not shown): "), open.ended]);
    if (answer === undefined) return { kind: "failed", reason: "no address was pasted" };
    if (typeof answer !== "string") return answer;
    const step = await open.paste(answer);
    if (step.kind === "question")
      return ask({ ...step, confirm: (yes) => open.confirm(yes) }, name, questions);
    if (step.kind !== "stray") return step;
    io.stdout.write(`${PASTE_FAULTS[step.why]}\n`);
  }
}

async function ask(question: Question, name: string, questions: Questions): Promise<End> {
  const answer = await questions.ask(
    `${name} was ${describe(question.had)}.\nYou have signed in as ${describe(question.got)}.\n` +
      `Shall ${name} be that from now on? yes or no [no]: `,
  );
  return question.confirm(/^y(?:es)?$/i.test(answer ?? ""));
}

function describe({ email, accountId, plan }: Who): string {
  const known = [email, accountId === undefined ? undefined : `workspace ${accountId}`, plan].filter(
    (each) => each !== undefined,
  );
  return known.length === 0 ? "somebody unknown" : printable(known.join(", "));
}

function report(end: End, { name, json }: Way, io: Io): number {
  const done = end.kind === "signed-in";
  if (json) {
    const { email, accountId, plan } = done ? end.identity : NOBODY;
    const who = { email: email ?? null, account_id: accountId ?? null, plan: plan ?? null };
    const outcome = done ? who : { reason: whyNot(end) };
    io.stdout.write(`${JSON.stringify({ account: name, signed_in: done, ...outcome })}\n`);
  } else if (done) io.stdout.write(`${name} is signed in: ${describe(end.identity)}.\n`);
  else io.stderr.write(`${name} was not signed in: ${whyNot(end)}.\n${advice(end, io)}`);
  return done ? EXIT.done : EXIT.failed;
}

const NOBODY: Who = { email: undefined, accountId: undefined, plan: undefined };

function whyNot(end: Exclude<End, { kind: "signed-in" }>): string {
  if (end.kind === "failed") return end.detail === undefined ? end.reason : `${end.reason}: ${end.detail}`;
  if (end.kind === "kept") return "the identity was not confirmed, so the login it had stays";
  if (end.kind === "expired") return "nobody signed in within 10 minutes";
  const said = end.description === undefined ? end.error : `${end.error}: ${end.description}`;
  return `the issuer did not grant it (${printable(said)})`;
}

function advice(end: End, { env }: Io): string {
  // Where nothing can be kept, no other way helps.
  return end.kind === "kept" || (end.kind === "failed" && end.detail !== undefined)
    ? ""
    : `Other ways: ${programName(env)} login --help\n`;
}
