// Which logins of a file `import` takes, for which accounts of the config. Nothing is changed here.

import { dirname } from "node:path";
import type { Account } from "../config/account.ts";
import { addAccount, ConfigEditError, readConfigText } from "../config/edit.ts";
import { type Loaded, readConfig } from "../config/load.ts";
import { formatProblems, type Problem } from "../config/problems.ts";
import type { Config } from "../config/schema.ts";
import type { FoundLogin, LoginFile } from "./import-desk.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { printable } from "./who.ts";

/** Why nothing can be imported, in words for whoever asked for it. */
export class ImportError extends Error {
  readonly exit: number;

  constructor(message: string, exit: number = EXIT.failed) {
    super(message);
    this.exit = exit;
  }
}

export interface Chosen {
  readonly name: string;
  readonly login: FoundLogin;
}

export interface Plan {
  readonly chosen: readonly Chosen[];
  /** As it will be. */
  readonly config: Config;
  /** The text of the config before and after, when an account has to be added to it. */
  readonly edit: { readonly before: string; readonly after: string } | undefined;
}

export interface Source {
  readonly path: string;
  readonly file: LoginFile;
  /** `--name`. */
  readonly wanted: string | undefined;
}

/** @throws ImportError */
export async function plan(source: Source, configPath: string, io: Io): Promise<Plan> {
  const { before, loaded } = await load(configPath, io);
  const accounts = loaded.ok ? loaded.config.accounts : [];
  const chosen = choose(source, accounts);
  const [first, ...others] = chosen;
  const isNew =
    first !== undefined && others.length === 0 && !accounts.some(({ name }) => name === first.name);
  if (!isNew && loaded.ok) {
    for (const each of chosen) fits(each, accounts, source.path);
    return { chosen, config: loaded.config, edit: undefined };
  }
  if (first === undefined || !isNew) throw broken(configPath, loaded);
  const after = extend(before, first, configPath, loaded);
  const extended = await readConfig(after, dirname(configPath), io.env);
  // A config without any account is not good yet, but for nothing else.
  if (!extended.ok)
    throw loaded.ok ? unfit(first, configPath, extended.problems) : broken(configPath, loaded);
  return { chosen, config: extended.config, edit: { before, after } };
}

async function load(path: string, io: Io): Promise<{ readonly before: string; readonly loaded: Loaded }> {
  let before: string;
  try {
    before = await readConfigText(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "not UTF-8 text";
    if (code !== "ENOENT") throw new ImportError(`${path} cannot be read (${code}).`, EXIT.usage);
    const make = `${programName(io.env)} init -config ${path}`;
    throw new ImportError(`There is no config at ${path}.\nMake one with: ${make}`, EXIT.usage);
  }
  return { before, loaded: await readConfig(before, dirname(path), io.env) };
}

function unfit({ name }: Chosen, path: string, problems: readonly Problem[]): ImportError {
  const why = problems.map((problem) => `${problem.path} ${problem.message}`).join("; ");
  const shown = printable(name);
  return new ImportError(`The account "${shown}" cannot be added to ${path}: ${why}.`, EXIT.usage);
}

function broken(path: string, loaded: Loaded): ImportError {
  const problems = loaded.ok ? [] : loaded.problems;
  return new ImportError(formatProblems(path, problems).trimEnd(), EXIT.usage);
}

function choose({ file, path, wanted }: Source, accounts: readonly Account[]): Chosen[] {
  const entries = [...file.logins].map(([name, login]) => ({ name, login }));
  const [first, second] = entries;
  if (first === undefined) throw new ImportError(`${path} holds no login.`);
  const named = entries.filter(({ name }) => name === wanted);
  if (named.length > 0) return named;
  if (second === undefined) return [{ ...first, name: wanted ?? first.name }];
  const names = printable(entries.map(({ name }) => name).join(", "));
  if (wanted !== undefined)
    throw new ImportError(`${path} has no login for "${printable(wanted)}"; it has: ${names}.`);
  // Accounts that have left the config do not come back by themselves.
  const known = entries.filter(({ name }) => accounts.some((each) => each.name === name && signsIn(each)));
  if (known.length > 0) return known;
  throw new ImportError(
    `${path} has logins for ${names}; none of these is an OpenAI account of type oauth in the config.\n` +
      "--name NAME takes the one you name, and adds the account.",
  );
}

/** Whether the gateway keeps a login for it: a fixed token is used as it is. */
function signsIn({ platform, type, oauthToken }: Account): boolean {
  return platform === "openai" && type === "oauth" && oauthToken === undefined;
}

function fits({ name, login: { site } }: Chosen, accounts: readonly Account[], path: string): void {
  const account = accounts.find((each) => each.name === name);
  if (account === undefined) return;
  const shown = printable(name);
  if (!signsIn(account))
    throw new ImportError(
      account.oauthToken === undefined
        ? `The account "${shown}" does not sign in: only OpenAI accounts of type oauth do. --name gives another.`
        : `The account "${shown}" has a fixed oauth_token; take that out of the config first.`,
    );
  if (site === undefined) return;
  const sameClient =
    account.clientId === undefined ? site.usual.clientId : account.clientId === site.clientId;
  if (sameClient && account.oauthIssuer.replace(/\/+$/, "") === site.issuer) return;
  throw new ImportError(
    `The login in ${path} is of client ${printable(site.clientId)} at ${printable(site.issuer)}, and the account ` +
      `"${shown}" signs in elsewhere. Give that account this client_id and oauth_issuer, or choose another --name.`,
  );
}

function extend(text: string, { name, login: { site } }: Chosen, path: string, loaded: Loaded): string {
  // A name is what it says; it must not be read as a reference.
  const plain = name.replaceAll("${", () => "$${");
  const client = site === undefined || site.usual.clientId ? {} : { client_id: site.clientId };
  const issuer = site === undefined || site.usual.issuer ? {} : { oauth_issuer: site.issuer };
  try {
    return addAccount(text, { name: plain, platform: "openai", type: "oauth", ...client, ...issuer });
  } catch (error) {
    if (!(error instanceof ConfigEditError)) throw error;
    if (!loaded.ok) throw broken(path, loaded);
    throw new ImportError(
      `The account "${printable(name)}" cannot be added to ${path}: ${error.message}.`,
      EXIT.usage,
    );
  }
}
