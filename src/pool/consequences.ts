// What an attempt's outcome means for the account, the route and the service it went to.

import { LRUCache } from "lru-cache";
import type { Blame, Outcome } from "../core/outcome.ts";
import type { Clock, Log, Random } from "../core/ports.ts";
import { BrownOut } from "./brown-out.ts";
import { type CoolKind, type Cooldown, setBack, type Setback } from "./cooldown.ts";
import type { Health } from "./health.ts";
import type { PoolLease } from "./lease.ts";
import { isUsable, type LiveAccount, type Route } from "./live-account.ts";
import { type Roster, sameCredential } from "./roster.ts";
import type { SavedCooldowns } from "./saved-cooldowns.ts";

const MAX_ORIGINS = 500;
/** An answer to another account this recent shows that the way and the service are fit. */
const WELL_MS = 30_000;
/** After this a server may have learnt the protocol that it did not have. */
const LACK_MS = 3_600_000;

export interface ConsequencesOptions {
  readonly roster: Roster;
  readonly saved: SavedCooldowns;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Number of the newest lease. */
  readonly newestLease: () => number;
  /** The account serves less than before. */
  readonly worsened: (live: LiveAccount) => void;
  /** The account's session is not to come back to it. */
  readonly unbind: (lease: PoolLease) => void;
}

export class Consequences {
  readonly #options: ConsequencesOptions;
  readonly #brownOuts = new LRUCache<string, BrownOut>({ max: MAX_ORIGINS });

  constructor(options: ConsequencesOptions) {
    this.#options = options;
  }

  /** Content has begun to flow: the account answers, though it may still break off. */
  committed(lease: PoolLease): void {
    const { live, route } = lease;
    this.#warm(live, (each) => concerns(each, lease) && each.after < lease.number);
    for (const health of [live.health, route.health]) this.#restore(health, lease);
    lease.stopProbing();
  }

  ended(lease: PoolLease, outcome: Outcome): void {
    if (outcome.kind === "ok") this.#succeeded(lease);
    if (outcome.kind === "next" || outcome.kind === "cut") this.#failed(lease, outcome.blame);
  }

  /** By hand: the account and its way are fit. */
  clear(live: LiveAccount): void {
    const now = this.#options.clock.now();
    this.#warm(live, () => true);
    for (const health of [live.health, live.route.health]) {
      if (health.ejectedUntil !== undefined) health.restore(now, false);
    }
  }

  /** Whether requests to it cost extra now: then it rests until its plan serves again, unless it is allowed to go on. */
  costsExtra(live: LiveAccount, costs: boolean, forMs: number | undefined): void {
    if (!costs || live.account.allowExtraUsage) return this.#warm(live, ({ kind }) => kind === "extra");
    const known = live.cooldowns.get("extra", "");
    if (known !== undefined && this.#options.clock.now() < known.until) return;
    const lease = this.#options.newestLease();
    this.#setBack(live, { kind: "extra", model: "", forMs, lease });
  }

  /** The account has a new credential. */
  renewed(live: LiveAccount): void {
    this.#warm(live, (each) => each.kind === "credential" || each.kind === "login");
  }

  /** Its login can be used again. */
  signedIn(live: LiveAccount): void {
    this.#warm(live, (each) => each.kind === "login");
  }

  #succeeded(lease: PoolLease): void {
    const { live, route } = lease;
    const now = this.#options.clock.now();
    this.committed(lease);
    live.goodAt = now;
    for (const health of [live.health, route.health]) health.success(now);
    if (this.#brownOut(live).over(now)) live.widen();
  }

  #failed(lease: PoolLease, blame: Blame): void {
    // Clients choose such a path themselves: what it answers says nothing about the account, but for a limit there.
    if (lease.search.ask.errand?.platform !== undefined) {
      if (blame.on === "limit") this.#cool(lease, "limit", "model", blame.forMs);
      return;
    }
    switch (blame.on) {
      case "limit":
        return this.#cool(lease, "limit", blame.scope, blame.forMs);
      case "quota":
        return this.#cool(lease, "quota", "account", blame.forMs);
      case "credential":
        this.#options.unbind(lease);
        return this.#cool(lease, "credential", "account", undefined);
      case "login":
        return this.#cool(lease, "login", "account", undefined);
      case "model":
        return this.#cool(lease, "model", "model", undefined);
      case "api":
        return this.#lacks(lease);
      case "account":
        this.#strikeAccount(lease);
        if (isShared(lease.route)) this.#strikeRoute(lease, false);
        return;
      case "route":
        if (!isShared(lease.route)) return this.#strikeAccount(lease);
        this.#strikeRoute(lease, true);
        return this.#othersDoWell(lease) ? this.#strikeAccount(lease) : undefined;
      case "provider":
        this.#overloaded(lease);
        return this.#othersDoWell(lease) ? this.#strikeAccount(lease) : undefined;
      case "nobody":
    }
  }

  /** Its server does not have the protocol: for a while it is asked in another, or has failed where there is none. */
  #lacks(lease: PoolLease): void {
    const { clock, roster, log, worsened } = this.#options;
    const { live, candidate } = lease;
    const { protocol } = candidate;
    // What it lacks for an errand says nothing about answers.
    if (lease.search.ask.errand !== undefined || !live.speaks.includes(protocol)) return;
    if (!live.lack(protocol, clock.now() + LACK_MS)) return this.#strikeAccount(lease);
    roster.forgetOffers();
    worsened(live);
    log({ level: "info", event: "api-missing", fields: { account: live.account.name, api: protocol } });
  }

  #cool(lease: PoolLease, kind: CoolKind, scope: "account" | "model", forMs: number | undefined): void {
    const { live, candidate } = lease;
    // An answer to the old credential says nothing about the new one.
    if (kind !== "model" && !sameCredential(candidate.account, live.account)) return;
    const model = scope === "model" ? candidate.model : "";
    if (this.#setBack(live, { kind, model, forMs, lease: lease.number })) lease.stopProbing();
  }

  /** True when that is news. */
  #setBack(live: LiveAccount, setback: Setback): boolean {
    const { clock, random, newestLease, saved, log, worsened } = this.#options;
    const { kind, model } = setback;
    const { name } = live.account;
    const now = clock.now();
    const known = live.cooldowns.get(kind, model);
    const cooldown = setBack(known, setback, { now, lease: newestLease(), random });
    if (cooldown === known) return false;
    for (const forgotten of live.cooldowns.set(cooldown)) saved.remove(name, forgotten);
    saved.save(live.account, cooldown);
    const fields = { account: name, kind, model, seconds: Math.round((cooldown.until - now) / 1_000) };
    log({ level: "warn", event: "account-cooled", fields });
    worsened(live);
    return true;
  }

  /** Ends cooldowns. */
  #warm(live: LiveAccount, test: (cooldown: Cooldown) => boolean): void {
    const { saved, log } = this.#options;
    if (live.cooldowns.size === 0) return;
    for (const cooldown of live.cooldowns.remove(test)) {
      const { kind, model } = cooldown;
      saved.remove(live.account.name, cooldown);
      log({
        level: "info",
        event: "account-recovered",
        fields: { account: live.account.name, kind, model },
      });
    }
  }

  /** What looks like the route's or the service's fault is the account's own when others are answered there. */
  #othersDoWell({ live, route }: PoolLease): boolean {
    const since = this.#options.clock.now() - WELL_MS;
    for (const other of route.accounts) if (other !== live && other.goodAt > since) return true;
    return false;
  }

  #strikeAccount(lease: PoolLease): void {
    this.#strike(lease, { health: lease.live.health, accounts: [lease.live], certain: true });
  }

  #strikeRoute(lease: PoolLease, certain: boolean): void {
    this.#strike(lease, { health: lease.route.health, accounts: [...lease.route.accounts], certain });
  }

  #strike(lease: PoolLease, { health, accounts, certain }: Struck): void {
    const { clock, random, newestLease, roster, log, worsened } = this.#options;
    const now = clock.now();
    const { name } = lease.live.account;
    const isDeserved = health.strike({ now, account: name, certain }, accounts.length);
    if (health.ejectedUntil === undefined ? !isDeserved : health.probe !== lease) return;
    if (health.ejectedUntil === undefined && !roster.mayEject(new Set(accounts))) return;
    health.probe = undefined;
    const until = health.eject(now, newestLease(), random);
    const fields = { account: name, accounts: accounts.length, seconds: Math.round((until - now) / 1_000) };
    log({
      level: "warn",
      event: health === lease.route.health ? "route-ejected" : "account-ejected",
      fields,
    });
    for (const live of accounts) worsened(live);
  }

  #restore(health: Health, lease: PoolLease): void {
    if (health.ejectedUntil === undefined || lease.number <= health.after) return;
    health.restore(this.#options.clock.now(), true);
    this.#options.log({
      level: "info",
      event: "account-readmitted",
      fields: { account: lease.live.account.name },
    });
  }

  #overloaded(lease: PoolLease): void {
    const { clock, roster, log } = this.#options;
    const { name, origin } = lease.live.account;
    if (!this.#brownOut(lease.live).overloaded(clock.now(), name)) return;
    for (const live of roster.accounts()) if (live.account.origin === origin) live.halve();
    log({ level: "warn", event: "provider-overloaded", fields: { account: name } });
  }

  #brownOut({ account }: LiveAccount): BrownOut {
    let brownOut = this.#brownOuts.get(account.origin);
    if (brownOut === undefined) this.#brownOuts.set(account.origin, (brownOut = new BrownOut()));
    return brownOut;
  }
}

interface Struck {
  readonly health: Health;
  readonly accounts: readonly LiveAccount[];
  /** See `Strike`. */
  readonly certain: boolean;
}

function concerns(cooldown: Cooldown, { candidate }: PoolLease): boolean {
  return cooldown.model === "" || cooldown.model === candidate.model;
}

function isShared(route: Route): boolean {
  return [...route.accounts].filter((live) => isUsable(live.account)).length > 1;
}
