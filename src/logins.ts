// Logins put together: custody, sign-in, and the store and key beneath them. The gateway and the commands beside it
// open the same ones.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { adminTokenOf } from "./config/admin-token.ts";
import type { Config } from "./config/schema.ts";
import type { LoginStore } from "./core/login.ts";
import type { Clock, Log } from "./core/ports.ts";
import { createGuard } from "./http/guard.ts";
import { readCodexFile } from "./oauth/codex-file.ts";
import { createCustody, type Custody } from "./oauth/custody.ts";
import { LoginFileError } from "./oauth/foreign-file.ts";
import { createFlows, type Flows } from "./oauth/flows.ts";
import { createLoginRoutes, type LoginRoutes } from "./oauth/login-routes.ts";
import type { SignInTarget } from "./oauth/steps.ts";
import { createTickets } from "./oauth/tickets.ts";
import { readTokenState } from "./oauth/token-state.ts";
import { newKey, openKeyRing, type VaultOptions } from "./oauth/vault-keys.ts";
import { openVault, type Vault } from "./oauth/vault.ts";
import { loginAccountsOf } from "./settings.ts";
import { openLoginStore } from "./stores/logins-sqlite.ts";

/** Of each account the log's mask knows so many tokens; older ones have long been replaced. */
const MASKED = 6;

export interface LoginsOptions {
  /** The one in force. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Instead of the SQLite file in `data_dir`. */
  readonly store?: LoginStore | undefined;
  /** An account's login may stand differently now. */
  readonly onChange: (account: string) => void;
  /** An account's login is good again. */
  readonly onRenewed?: (account: string) => void;
  /** What the log has to hide. */
  readonly secrets: Set<string>;
  /** The `token_state.json` of an older program: of what it holds, accounts without a login take theirs. */
  readonly tokenState?: string | undefined;
  /** The database may have been moved aside, and with it what the configuration's tokens have become. */
  readonly recover?: boolean;
  /** False for a command beside the gateway: it begins no renewal of its own. */
  readonly renews?: boolean;
  /** For tests: any port. */
  readonly callbackPort?: number | undefined;
}

/** An account as a sign-in sees it; `site` only where the gateway keeps a login. */
export type Target = Omit<SignInTarget, "site"> & Partial<Pick<SignInTarget, "site">>;

export interface OpenLogins {
  readonly custody: Custody;
  readonly flows: Flows;
  /** Every configured account. */
  readonly targets: () => readonly Target[];
  /** The newest first, for what clients carry between two requests. */
  readonly masterKeys: () => readonly Uint8Array[];
  /** Takes over what the configuration says now. */
  reload(): Promise<void>;
  /** Ends open sign-ins, waits for a renewal under way and saves what is not saved. */
  close(): Promise<void>;
}

/** @throws with a message for the operator */
export async function openLogins(options: LoginsOptions): Promise<OpenLogins> {
  const { config, clock, random, log, onChange, secrets } = options;
  const { dataDir } = config();
  const store = options.store ?? openFile(dataDir, clock, log);
  const custody = createCustody({
    store,
    vault: lazily(() => openVault({ dataDir, env: options.env, log })),
    clock,
    random,
    log,
    onChange,
    onRenewed: (account) => options.onRenewed?.(account),
    onSecret: maskOf(secrets, () => loginAccountsOf(config()).length),
    readFollowed: readCodexFile,
    renews: options.renews ?? true,
  });
  const known = await store.versions();
  const { tokenState } = options;
  if (options.recover === true) warnOfUsed(config(), known, log);
  await custody.load(loginAccountsOf(config()), async () => {
    if (tokenState !== undefined) await takeIn(tokenState, { config, custody, known, log });
  });
  const flows = createFlows({
    clock,
    log,
    signIn: (account, login) => custody.signIn(account, login),
    ...(options.callbackPort === undefined ? {} : { callbackPort: options.callbackPort }),
  });
  return {
    custody,
    flows,
    masterKeys: () => keysFor({ dataDir, env: options.env, log }, known.size === 0),
    targets: () => targetsOf(config(), custody),
    reload: () => custody.load(loginAccountsOf(config())),
    async close() {
      flows.close();
      await custody.close();
      store.close();
    },
  };
}

interface TakingIn {
  readonly config: () => Config;
  readonly custody: Custody;
  /** The accounts that have, or have had, a login here. */
  readonly known: ReadonlyMap<string, number>;
  readonly log: Log;
}

/**
 * That program has renewed the configuration's tokens, so its file is newer than they are: it is taken in at once,
 * before anything is renewed.
 */
async function takeIn(path: string, { config, custody, known, log }: TakingIn): Promise<void> {
  const accounts = loginAccountsOf(config()).filter(({ name }) => !known.has(name));
  if (accounts.length === 0) return;
  try {
    const found = await readTokenState(path);
    for (const { name, issuer, clientId } of accounts) {
      const login = found.get(name);
      if (login !== undefined)
        await custody.signIn(name, { ...login, source: "token_state", issuer, clientId });
    }
  } catch (error) {
    if (error instanceof LoginFileError && error.problem === "missing") return;
    log({ level: "error", event: "token-state-not-taken-in", fields: { error: String(error) } });
  }
}

function warnOfUsed(config: Config, known: ReadonlyMap<string, number>, log: Log): void {
  for (const { name, seed } of loginAccountsOf(config)) {
    if (seed === undefined || known.has(name)) continue;
    const reason =
      "its login is not in the database, so the refresh_token of the config is tried: it may have been used up long since; then sign in anew";
    log({ level: "warn", event: "login-from-config", fields: { account: name, reason } });
  }
}

function openFile(dataDir: string, clock: Clock, log: Log): LoginStore {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return openLoginStore({ path: join(dataDir, "sub2api.sqlite"), clock, log });
}

/** Where none can be had, what clients carry is worth nothing after a restart. */
function keysFor(options: VaultOptions, mayMake: boolean): readonly Uint8Array[] {
  try {
    const ring = openKeyRing(options);
    return [ring.current(mayMake), ...ring.all()];
  } catch (error) {
    options.log?.({ level: "error", event: "no-master-key", fields: { error: String(error) } });
    return [newKey()];
  }
}

/** Whoever keeps no login needs no key. */
function lazily(open: () => Vault): Vault {
  let vault: Vault | undefined;
  const opened = (): Vault => (vault ??= open());
  return {
    seal: (place, text, isFirst) => opened().seal(place, text, isFirst),
    open: (login) => opened().open(login),
  };
}

function targetsOf(config: Config, custody: Custody): readonly Target[] {
  const signingIn = new Map(loginAccountsOf(config).map((account) => [account.name, account]));
  return config.accounts.map(({ name }) => {
    const site = signingIn.get(name);
    if (site === undefined) return { name };
    return { name, site, identity: custody.standing(name).identity };
  });
}

/** The newest secrets join those of the configuration; as many of the oldest are forgotten. */
function maskOf(secrets: Set<string>, accounts: () => number): (secret: string) => void {
  const learnt = new Set<string>();
  return (secret) => {
    if (secrets.has(secret)) return;
    secrets.add(secret);
    learnt.add(secret);
    for (const oldest of learnt) {
      if (learnt.size <= MASKED * Math.max(1, accounts())) return;
      learnt.delete(oldest);
      secrets.delete(oldest);
    }
  };
}

/** Where people sign accounts in. */
export interface Door {
  readonly routes: LoginRoutes;
  /** The address for one account; undefined when the gateway keeps no login for it. */
  urlFor(account: string, port: number): string | undefined;
}

export interface DoorOptions {
  /** The one in force. */
  readonly config: () => Config;
  readonly clock: Clock;
}

/** @throws with a message for the operator */
export function openDoor({ flows, targets }: OpenLogins, { config, clock }: DoorOptions): Door {
  const made = adminTokenOf(config());
  const tickets = createTickets(clock);
  const publicUrl = (): string | undefined => config().publicUrl;
  const guard = createGuard({
    clock,
    adminToken: () => config().adminToken ?? made,
    publicUrl,
    listenHost: () => config().listen.host,
  });
  return {
    routes: createLoginRoutes({ flows, accounts: targets, tickets, guard, clock, publicUrl }),
    urlFor(account, port) {
      if (targets().find(({ name }) => name === account)?.site === undefined) return undefined;
      const home = publicUrl() ?? homeOf(config().listen.host, port);
      const url = new URL(`${home}/auth/login`);
      url.searchParams.set("account", account);
      // A browser on this machine needs no ticket; one elsewhere has nothing else to show.
      if (url.hostname !== "localhost") url.searchParams.set("ticket", tickets.issue(account));
      return url.href;
    },
  };
}

/** @param host undefined: every interface */
function homeOf(host: string | undefined, port: number): string {
  const isHere = host === undefined || /^(?:127\.|localhost$|::1$|::$|0\.0\.0\.0$)/.test(host);
  const name = isHere ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
