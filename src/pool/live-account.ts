// One account as it stands at this moment. Nothing here decides; it remembers and answers.

import type { Account, Protocol } from "../core/account.ts";
import type { LimitWindow } from "../core/limits.ts";
import { burden } from "../core/schedule.ts";
import { Cooldowns } from "./cooldowns.ts";
import { Health } from "./health.ts";

/** What accounts with the same origin and proxy share: the way to the upstream. */
export interface Route {
  readonly name: string;
  readonly health: Health;
  readonly accounts: Set<LiveAccount>;
}

/**
 * Whether an account may take a request for a model, slots aside.
 * - `open`: yes
 * - `probe`: a cooldown or ejection has run out and nobody probes yet
 * - `probing`: a cooldown has run out and somebody probes; whether it is over will be known soon
 * - `ejected`: it keeps failing; only if there is nobody else
 * - `cooling`: no
 */
export type Standing = "open" | "probe" | "probing" | "ejected" | "cooling";

const MAX_WINDOWS = 32;

export class LiveAccount {
  account: Account;
  route: Route;
  readonly cooldowns = new Cooldowns();
  readonly health = new Health();
  /** The lease that probes a cooldown, while one is out. */
  probe: object | undefined;
  /** Leases out; changed by `count` only. */
  active = 0;
  /** Kept beside `active`, because a choice among many accounts reads it of all of them. */
  load = 0;
  hasRoom = true;
  /** Virtual time of the last new session (see core/schedule.ts). */
  turn = 0;
  /** When it last gave a whole answer. */
  goodAt = Number.NEGATIVE_INFINITY;
  /** True once the configuration no longer names it; it is dropped with its last lease. */
  isRemoved = false;
  /** Cancels the timer that offers its slots when a cooldown or ejection runs out. */
  stopWatch: (() => void) | undefined;
  /** How many leases may be out: `concurrency`, or less after a brown-out. */
  room: number;
  readonly #windows = new Map<string, LimitWindow>();
  /** Protocols that its server turned out not to have, and until when that is believed. */
  readonly #lacks = new Map<Protocol, number>();

  constructor(account: Account, route: Route) {
    this.account = account;
    this.route = route;
    this.room = account.concurrency;
  }

  count(change: 1 | -1): void {
    this.active += change;
    this.#measure();
  }

  /** Itself or its route, also past the time until a probe has succeeded. */
  get isEjected(): boolean {
    return this.health.ejectedUntil !== undefined || this.route.health.ejectedUntil !== undefined;
  }

  /** Cheap in the common case, because it is asked of every account for every new session. */
  standing(model: string, now: number): Standing {
    const { health, route, isEjected: ejected } = this;
    if (!ejected && this.cooldowns.size === 0) return "open";
    const probeAt = this.cooldowns.probeAt(model);
    if (probeAt !== undefined && now < probeAt) return "cooling";
    // One at a time probes a cooldown, also where an ejected account is better than none.
    if (probeAt !== undefined && this.probe !== undefined) return "probing";
    if (isHeldOut(health, now) || isHeldOut(route.health, now)) return "ejected";
    if (probeAt !== undefined) return "probe";
    return ejected ? "probe" : "open";
  }

  /** What it is configured to speak, as far as its server does. */
  get speaks(): readonly Protocol[] {
    const { apis } = this.account;
    return this.#lacks.size === 0 ? apis : apis.filter((api) => !this.#lacks.has(api));
  }

  /** Its server has no such endpoint. False when it had nothing else. */
  lack(protocol: Protocol, until: number): boolean {
    if (this.speaks.every((api) => api === protocol)) return false;
    this.#lacks.set(protocol, until);
    return true;
  }

  /** Believes again what it is configured to speak. True when that is more than before. */
  relearn(now: number): boolean {
    const over = [...this.#lacks].filter(([, until]) => until <= now);
    for (const [protocol] of over) this.#lacks.delete(protocol);
    return over.length > 0;
  }

  /** The next moment at which time alone may let more requests through. */
  nextChange(now: number): number | undefined {
    const ends = [
      this.cooldowns.nextAfter(now),
      ...this.#lacks.values(),
      this.health.ejectedUntil,
      this.route.health.ejectedUntil,
    ].filter((end) => end !== undefined && end > now);
    return ends.length === 0 ? undefined : Math.min(...ends.map(Number));
  }

  /** Takes a changed configuration over; a lower limit is reached as leases come back. */
  configure(account: Account): void {
    const { baseUrl, apis } = this.account;
    if (account.baseUrl !== baseUrl || account.apis.join() !== apis.join()) this.#lacks.clear();
    const reduced = this.room < this.account.concurrency;
    this.account = account;
    this.isRemoved = false;
    this.room = reduced ? Math.min(this.room, account.concurrency) : account.concurrency;
    this.#measure();
  }

  halve(): void {
    this.room = Math.max(1, Math.floor(this.room / 2));
    this.#measure();
  }

  widen(): void {
    this.room = Math.min(this.account.concurrency, this.room + 1);
    this.#measure();
  }

  observe(windows: readonly LimitWindow[]): void {
    for (const window of windows) {
      const known = this.#windows.get(window.name);
      if (known === undefined ? this.#windows.size >= MAX_WINDOWS : known.seenAt > window.seenAt) continue;
      this.#windows.set(window.name, window);
    }
  }

  get windows(): readonly LimitWindow[] {
    return [...this.#windows.values()];
  }

  #measure(): void {
    this.load = burden(this.active, this.account.weight);
    this.hasRoom = this.active < this.room;
  }
}

/** Ejected, and its time is not up or somebody probes already. */
function isHeldOut(health: Health, now: number): boolean {
  return health.ejectedUntil !== undefined && (now < health.ejectedUntil || health.probe !== undefined);
}

/** Whether the configuration lets it serve at all. */
export function isUsable(account: Account): boolean {
  return !account.disabled && account.credential !== undefined;
}
