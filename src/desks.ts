// The logins of a configuration, for the commands beside the gateway. They renew nothing: a gateway that runs does.

import { join } from "node:path";
import { loadConfig } from "./config/load.ts";
import { formatProblems } from "./config/problems.ts";
import type { Config } from "./config/schema.ts";
import { systemClock } from "./core/clock.ts";
import type { Log } from "./core/ports.ts";
import { type OpenLogins, openLogins } from "./logins.ts";
import { createSignInDesk, type SignInDesk } from "./oauth/desk.ts";
import { type FoundLogin, readLoginFile } from "./oauth/login-file.ts";
import type { Identity, LoginSource } from "./oauth/login.ts";
import { type LoginLook, lookAtLogin } from "./oauth/look.ts";
import { type Rotated, rotateKey } from "./oauth/vault-rotate.ts";
import { PROVIDERS } from "./providers/index.ts";
import { accountOf, loginAccountsOf } from "./settings.ts";
import { type DatabaseLook, lookAtDatabase, lookAtLogins } from "./stores/look.ts";
import { openRecordsReader, type RecordsReader } from "./stores/records-reader.ts";
import { openLoginStore } from "./stores/logins-sqlite.ts";

type Env = Readonly<Record<string, string | undefined>>;

export { readLoginFile };
export type { LoginLook };

interface Closing {
  /** Waits until everything is saved. */
  close(): Promise<void>;
}

/** What `login` works with; what is wrong with the config, in words, when it cannot be used. */
export async function openLoginDesk(
  configPath: string,
  env: Env,
): Promise<(SignInDesk & Closing) | { readonly problems: string }> {
  const loaded = await loadConfig(configPath, env);
  if (!loaded.ok) return { problems: formatProblems(configPath, loaded.problems) };
  const logins = await openQuietly(loaded.config, env);
  const desk = createSignInDesk({
    clock: systemClock,
    log: quiet,
    flows: logins.flows,
    accounts: logins.targets,
    signIn: (account, login) => logins.custody.signIn(account, login),
  });
  return { ...desk, close: () => logins.close() };
}

interface ImportDesk extends Closing {
  identity(name: string): Identity | undefined;
  signIn(name: string, login: FoundLogin, source: LoginSource, follow: string | undefined): Promise<void>;
}

/** What `import` works with. @throws with a message for the operator */
export async function openImportDesk(config: Config, env: Env): Promise<ImportDesk> {
  const logins = await openQuietly(config, env);
  const target = (name: string) => logins.targets().find((each) => each.name === name);
  return {
    identity(name) {
      const standing = logins.custody.standing(name);
      return standing.state === "ready" ? standing.identity : undefined;
    },
    async signIn(name, { tokens, identity, site: found }, source, follow) {
      const site = found ?? target(name)?.site;
      if (site === undefined) throw new Error(`the gateway keeps no login for ${name}`);
      const { issuer, clientId } = site;
      await logins.custody.signIn(name, { tokens, identity, source, issuer, clientId, follow });
    },
    close: () => logins.close(),
  };
}

/** The records of a configuration; undefined when there are none yet. @throws with a message for the operator */
export function openRecordsDesk({ dataDir }: Config): RecordsReader | undefined {
  return openRecordsReader(join(dataDir, "sub2api.sqlite"));
}

interface RekeyDesk extends Closing {
  rekey(): Promise<Rotated>;
}

/** What `rekey` works with. @throws with a message for the operator */
export function openRekeyDesk({ dataDir }: Config, env: Env): Promise<RekeyDesk> {
  const store = openLoginStore({ path: join(dataDir, "sub2api.sqlite"), clock: systemClock, log: quiet });
  return Promise.resolve({
    rekey: () => rotateKey({ dataDir, env, store }),
    close: () => Promise.resolve(store.close()),
  });
}

/** What `doctor` looks at besides files and sockets. It changes nothing. */
export interface DoctorDesk {
  /** @throws with words for the operator */
  database(): DatabaseLook;
  /** Undefined when the gateway keeps no login for this account. @throws with words for the operator */
  login(account: string): Promise<LoginLook | undefined>;
  /** A request with the account's own key that costs nothing; undefined where there is no such key. */
  question(account: string): { readonly url: string; readonly headers: Headers } | undefined;
}

/** What `doctor` works with. Nothing is opened before it is asked for, and nothing is changed. */
export function openDoctorDesk(config: Config, env: Env): DoctorDesk {
  const { dataDir } = config;
  const path = join(dataDir, "sub2api.sqlite");
  const signingIn = loginAccountsOf(config);
  return {
    database: () => lookAtDatabase(path),
    async login(name) {
      const account = signingIn.find((each) => each.name === name);
      if (account === undefined) return undefined;
      const sealed = lookAtLogins(path).get(name);
      return lookAtLogin(account, { sealed, dataDir, env, wall: systemClock.wall() });
    },
    question(name) {
      const found = config.accounts.find((each) => each.name === name);
      if (found === undefined) return undefined;
      const account = accountOf(found, () => ({ state: "needs_login", reason: "is not looked at" }));
      const { credential } = account;
      if (credential === undefined || credential.kind === "login") return undefined;
      return PROVIDERS[account.provider]?.models(account, credential);
    },
  };
}

/** What goes wrong is told by the command itself. */
const quiet: Log = () => {};

function openQuietly(config: Config, env: Env): Promise<OpenLogins> {
  return openLogins({
    config: () => config,
    clock: systemClock,
    random: Math.random,
    log: quiet,
    env,
    renews: false,
    onChange: () => {},
    secrets: new Set(),
  });
}
