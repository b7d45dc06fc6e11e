// Keeps the logins that `import` has chosen, each for its account, and adds the account to the config.

import { replaceConfig } from "../config/edit.ts";
import { type Chosen, ImportError, type Plan } from "./import-choice.ts";
import type { FoundLogin, ImportDesk, ImportTools, LoginFile } from "./import-desk.ts";
import { type Custody, type Imported, replaceQuestion } from "./import-words.ts";
import type { Io } from "./io.ts";
import type { Questions } from "./questions.ts";
import { isTerminal } from "./style.ts";
import { describeWho, printable, sentence, type Who, wordsOf } from "./who.ts";

/** What somebody asked for. Paths are absolute. */
export interface Wish {
  readonly path: string;
  readonly isCodexs: boolean;
  readonly configPath: string;
  readonly name: string | undefined;
  readonly custody: Custody | undefined;
  readonly replace: boolean;
  readonly json: boolean;
}

export interface Job {
  readonly tools: ImportTools;
  readonly wish: Wish;
  readonly io: Io;
  readonly questions: Questions;
}

export interface Decided {
  readonly kind: LoginFile["kind"];
  readonly custody: Custody;
  readonly todo: Plan;
}

interface Taken {
  readonly imported: readonly Imported[];
  /** What was not done, and why. */
  readonly faults: readonly string[];
}

/** @throws ImportError when the logins cannot be opened */
export async function take(job: Job, decided: Decided): Promise<Taken> {
  const { chosen, config, edit } = decided.todo;
  const imported: Imported[] = [];
  const faults: string[] = [];
  const desk = await open(job, decided.todo);
  try {
    for (const each of chosen) {
      const fault = notWanted(each, desk, config.accounts) ?? (await takeOne(job, decided, each, desk));
      if (fault !== undefined) faults.push(`${printable(each.name)} ${fault}`);
      else imported.push({ account: each.name, added: false, custody: decided.custody, login: each.login });
    }
  } finally {
    await desk.close();
  }
  const [first] = imported;
  if (edit === undefined || first === undefined) return { imported, faults };
  // After the login: a gateway that sees the new account finds it signed in.
  const { configPath } = job.wish;
  try {
    await replaceConfig(configPath, edit.after, edit.before);
    return { imported: [{ ...first, added: true }], faults };
  } catch (error) {
    const name = printable(first.account);
    const fault = `${configPath}: ${wordsOf(error)}. The login is kept; add the account "${name}" by hand (platform openai, type oauth).`;
    return { imported, faults: [fault] };
  }
}

async function open({ tools, io }: Job, { config }: Plan): Promise<ImportDesk> {
  try {
    return await tools.open(config, io.env);
  } catch (error) {
    throw new ImportError(`The logins cannot be opened: ${wordsOf(error)}`);
  }
}

function notWanted(
  { name, login }: Chosen,
  desk: ImportDesk,
  accounts: readonly { readonly name: string }[],
): string | undefined {
  const twin = accounts.find((each) => each.name !== name && isSame(desk.identity(each.name), login));
  if (twin === undefined) return undefined;
  const other = printable(twin.name);
  return `was not imported: ${other} is signed in as ${describeWho(login.identity)} already. To give that one this login: --name ${other}`;
}

/** Why a login was not taken; undefined when it was. */
async function takeOne(
  job: Job,
  { kind, custody }: Decided,
  { name, login }: Chosen,
  desk: ImportDesk,
): Promise<string | undefined> {
  const { path, replace } = job.wish;
  const had = desk.identity(name);
  if (had !== undefined && !replace) {
    if (!isTerminal(job.io.stdin))
      return `was not imported: it is signed in already as ${describeWho(had)}. --replace puts this login in its place, which may be older and used up.`;
    const question = replaceQuestion(name, had, login.identity, path);
    if (!isYes(await job.questions.ask(question))) return "keeps the login it had.";
  }
  try {
    if (custody === "follow") await desk.signIn(name, login, "follow", path);
    else await desk.signIn(name, login, kind === "codex" ? "import" : "token_state", undefined);
    return undefined;
  } catch (error) {
    return `was not imported: ${sentence(wordsOf(error))}`;
  }
}

export function isYes(answer: string | undefined): boolean {
  return /^y(?:es)?$/i.test(answer ?? "");
}

/** One person in one workspace has one set of limits; two accounts of the gateway would also fight over the login. */
function isSame(had: Who | undefined, { identity }: FoundLogin): boolean {
  const { accountId, userId } = identity;
  if (had === undefined || accountId === undefined || userId === undefined) return false;
  return had.accountId === accountId && had.userId === userId;
}
