// Keeps the logins of all accounts: in memory for requests, sealed in the store for everything else.

import type { Access, Account } from "../core/account.ts";
import type { Logins, LoginStore, Renewal } from "../core/login.ts";
import type { Clock, Log, Random } from "../core/ports.ts";
import { signedIn } from "./custody-document.ts";
import { createFollower, type Followed, type Follower } from "./custody-follow.ts";
import { Held } from "./custody-held.ts";
import { openSafe, type Safe } from "./custody-safe.ts";
import { createWatch, type Watch } from "./custody-watch.ts";
import type { LoginAccount, LoginStanding, SignedIn } from "./login.ts";
import { createFlights, type Flights, within } from "./refresh-flight.ts";
import { lose } from "./refresh.ts";
import type { Vault } from "./vault.ts";

export interface Custody extends Logins {
  /**
   * Takes over the configured accounts, at the start and at every reload. Renewals that are due begin afterwards.
   * @param first signs in whom it can, before anything is renewed
   * @throws when the store cannot be read
   */
  load(accounts: readonly LoginAccount[], first?: () => Promise<void>): Promise<void>;
  standing(name: string): LoginStanding;
  /** Whether it has nothing but a refresh token yet: nobody knows whether that is good. */
  isUntried(name: string): boolean;
  /** Resolves when it is kept durably. @throws when it could not be saved; then everything is as it was */
  signIn(account: string, login: SignedIn): Promise<void>;
  /** Waits for a renewal under way and saves what could not be saved (bounded). */
  close(): Promise<void>;
}

export interface CustodyOptions {
  readonly store: LoginStore;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Standing of an account may have changed. */
  readonly onChange: (account: string) => void;
  /** It has a token that is good again. */
  readonly onRenewed?: (account: string) => void;
  /** Learnt secrets, for the log's mask. */
  readonly onSecret?: (secret: string) => void;
  /** False: it begins no renewal by itself (a command beside a gateway). */
  readonly renews?: boolean;
  /** Reads the file of another program that renews a login. */
  readonly readFollowed?: (path: string) => Promise<Followed>;
}

const LOOK_MS = 3_000;
const FOLLOW_MS = 5_000;
/** A renewal may take so long: a request to the issuer, and saving. */
const CLOSE_MS = 40_000;
const SAVE_MS = 10_000;
const HURRY_MS = 200;
const FILE_MS = 5_000;
/** Others change one login so often only when something is broken. */
const TRIES = 20;

export function createCustody(options: CustodyOptions): Custody {
  return new Keeper(options);
}

class Keeper implements Custody {
  #accounts: ReadonlyMap<string, Held> = new Map();
  /** Not configured any more, but not saved either. */
  readonly #leaving = new Set<Held>();
  #isClosed = false;
  readonly #watch: Watch;
  readonly #options: CustodyOptions;
  readonly #safe: Safe;
  readonly #flights: Flights;
  readonly #follower: Follower;

  constructor(options: CustodyOptions) {
    const { store, vault, clock, random, log, readFollowed } = options;
    const none = (): Promise<Followed> => Promise.reject(new Error("nobody reads such files here"));
    this.#options = options;
    this.#safe = openSafe(store, vault);
    this.#flights = createFlights({
      safe: this.#safe,
      clock,
      random,
      log,
      isClosed: () => this.#isClosed,
      onEnd: (held) => {
        this.#changed(held);
        if (held.access !== undefined) options.onRenewed?.(held.name);
      },
    });
    this.#follower = createFollower({ clock, log, read: readFollowed ?? none });
    this.#watch = createWatch(clock);
  }

  async load(accounts: readonly LoginAccount[], first?: () => Promise<void>): Promise<void> {
    const versions = await this.#safe.versions();
    const before = this.#accounts;
    const after = new Map(accounts.map((account) => [account.name, this.#heldFor(account, before)]));
    this.#accounts = after;
    for (const held of before.values()) if (after.get(held.name) !== held) this.#dismiss(held);
    await first?.();
    await Promise.all([...after.values()].map((held) => this.#reload(held, versions)));
    if (this.#isClosed || after.size === 0) return;
    this.#watch.begin([
      { ms: LOOK_MS, work: () => this.#lookAtStore() },
      { ms: FOLLOW_MS, work: () => this.#lookAtFiles() },
    ]);
  }

  #heldFor(account: LoginAccount, before: ReadonlyMap<string, Held>): Held {
    const known = before.get(account.name);
    if (known === undefined)
      return new Held(account, {
        clock: this.#options.clock,
        random: this.#options.random,
        onSecret: (secret) => this.#options.onSecret?.(secret),
        onAdopt: (held) => this.#changed(held),
      });
    known.account = account;
    return known;
  }

  #dismiss(held: Held): void {
    held.isGone = true;
    held.cancelTimer();
    if (held.unsaved !== undefined) this.#leaving.add(held);
  }

  /** Reads what may be new: the row in the store, or the configuration's token. */
  async #reload(held: Held, versions: ReadonlyMap<string, number>): Promise<void> {
    const version = versions.get(held.name) ?? 0;
    const { document } = held;
    if (version === 0 && held.version === 0) held.adopt({ kind: "none", version: 0 });
    else if (version !== held.version || document === undefined || held.problem !== undefined)
      await this.#read(held);
    else held.adopt({ kind: "login", version, document });
    this.#compareSite(held);
    if (document === undefined && held.document?.follow !== undefined) void this.#lookAtFile(held);
  }

  /** A login belongs to the issuer and the client that it was made with, whatever the configuration says by now. */
  #compareSite(held: Held): void {
    const { document, account, warnedOf } = held;
    if (document === undefined || document.follow !== undefined) return;
    const wanted = JSON.stringify([withoutSlash(account.issuer), account.clientId]);
    const isOther = wanted !== JSON.stringify([withoutSlash(document.issuer), document.clientId]);
    held.warnedOf = isOther ? wanted : undefined;
    if (!isOther || warnedOf === wanted) return;
    const reason =
      "it is renewed where it was made; sign in anew to use the oauth_issuer and client_id of the config";
    const fields = { account: held.name, issuer: document.issuer, reason };
    this.#options.log({ level: "warn", event: "login-of-other-issuer", fields });
  }

  async #read(held: Held): Promise<void> {
    const had = held.problem;
    held.adopt(await this.#safe.read(held.name));
    if (held.problem === undefined || held.problem === had) return;
    const fields = { account: held.name, reason: held.problem };
    this.#options.log({ level: "error", event: "login-unreadable", fields });
  }

  standing(name: string): LoginStanding {
    const held = this.#accounts.get(name);
    return held?.standing ?? { state: "needs_login", reason: "has never signed in" };
  }

  isUntried(name: string): boolean {
    return this.#accounts.get(name)?.document?.tokens.access === "";
  }

  access({ name }: Pick<Account, "name">): Access | Promise<Access | "later" | "lost"> {
    const held = this.#accounts.get(name);
    if (held === undefined) return Promise.resolve("lost");
    const { access } = held;
    if (access === undefined) return this.#awaited(held);
    this.#renewIfDue(held);
    return access;
  }

  async refused({ name }: Pick<Account, "name">, { secret }: Access): Promise<Renewal> {
    const held = this.#accounts.get(name);
    const document = held?.document;
    if (held === undefined || document === undefined) return "lost";
    if (document.tokens.access === secret) {
      const how = held.refuse(secret);
      if (how === "fresh") return "later";
      if (how === "never")
        await this.#lose(held, "the provider refuses every token that the issuer has just given out");
      else if (document.tokens.refresh === undefined)
        await this.#lose(
          held,
          "the provider refuses its token, and there is no refresh token to renew it with",
        );
    }
    const access = held.access ?? (await this.#awaited(held));
    return typeof access === "string" ? access : "renewed";
  }

  async #lose(held: Held, reason: string): Promise<void> {
    if (!held.isRenewable) return;
    // Many requests may have been refused at once.
    held.ending ??= lose(held, reason, { ...this.#options, safe: this.#safe }).finally(() => {
      held.ending = undefined;
    });
    await held.ending;
  }

  /** What comes of a login whose token is not good any more. */
  async #awaited(held: Held): Promise<Access | "later" | "lost"> {
    const { clock } = this.#options;
    if (this.#isClosed) return held.lostWhy === undefined ? "later" : "lost";
    if (held.document?.follow !== undefined) await within(clock, FILE_MS, this.#lookAtFile(held), undefined);
    else if (held.isRenewable && (!held.isResting || held.flight !== undefined))
      await this.#flights.wait(held);
    this.#changed(held);
    return held.access ?? (held.lostWhy === undefined ? "later" : "lost");
  }

  async signIn(account: string, login: SignedIn): Promise<void> {
    const { clock, log } = this.#options;
    const held = this.#accounts.get(account);
    for (let tries = 0; tries < TRIES; tries++) {
      const kept = await this.#safe.read(account);
      const stored = kept.kind === "login" ? kept.document : undefined;
      const generation = Math.max(stored?.generation ?? 0, held?.document?.generation ?? 0) + 1;
      const seeds = stored?.seeds ?? held?.document?.seeds ?? [];
      const document = signedIn(login, { generation, seeds, seed: held?.account.seed, wall: clock.wall() });
      const version = kept.version + 1;
      if (!(await this.#safe.write(account, version, document))) continue;
      // What was not saved belongs to the login before.
      if (held !== undefined) held.unsaved = undefined;
      if (held !== undefined && held.version <= version) held.replace(document, version);
      log({ level: "info", event: "login-kept", fields: { account, source: login.source } });
      return;
    }
    throw new Error("the login is changed by others all the time; try again");
  }

  #renewIfDue(held: Held): void {
    if (this.#isClosed || held.isGone || held.flight !== undefined || this.#options.renews === false) return;
    if (held.isDue && held.isRenewable && !held.isResting) this.#flights.start(held);
  }

  /** Its standing may be another one, and so may the time at which something is to be done about it. */
  #changed(held: Held): void {
    held.cancelTimer();
    if (this.#isClosed || held.isGone) return;
    const standing = JSON.stringify(held.standing);
    if (standing !== held.told) {
      held.told = standing;
      this.#options.onChange(held.name);
    }
    const { wakeAt } = held;
    if (wakeAt === undefined || held.flight !== undefined) return;
    const { clock } = this.#options;
    held.cancelTimer = clock.after(Math.max(0, wakeAt - clock.now()), () => {
      this.#renewIfDue(held);
      this.#changed(held);
    });
  }

  /** Another process, or a command beside this one, may have kept a newer login. */
  async #lookAtStore(): Promise<void> {
    const versions = await this.#safe.versions();
    const newer = [...this.#accounts.values()].filter(
      (held) => held.unsaved === undefined && (versions.get(held.name) ?? 0) > held.version,
    );
    await Promise.all(newer.map((held) => this.#read(held)));
  }

  async #lookAtFiles(): Promise<void> {
    const due = [...this.#accounts.values()].filter(
      (held) => held.document?.follow !== undefined && held.isDue,
    );
    await Promise.all(due.map((held) => this.#lookAtFile(held)));
  }

  async #lookAtFile(held: Held): Promise<void> {
    await this.#follower.look(held);
    this.#changed(held);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch.end();
    for (const held of this.#accounts.values()) held.cancelTimer();
    const { clock, log } = this.#options;
    await this.#flights.settled(CLOSE_MS);
    const unsaved = (): Held[] =>
      [...this.#accounts.values(), ...this.#leaving].filter((held) => held.unsaved !== undefined);
    const end = clock.now() + SAVE_MS;
    for (let rest = unsaved(); rest.length > 0 && clock.now() < end; rest = unsaved()) {
      for (const held of rest) held.hurry();
      await new Promise<void>((resolve) => void clock.after(HURRY_MS, resolve));
    }
    for (const held of unsaved()) {
      held.isGivenUp = true;
      held.hurry();
      log({ level: "error", event: "login-not-saved", fields: { account: held.name } });
    }
  }
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, "");
}
