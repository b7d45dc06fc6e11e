// A slot of an account, taken for one request.

import type { Candidate } from "../core/exchange.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Lease } from "../core/ports.ts";
import type { Search } from "./choice.ts";
import type { LiveAccount, Route } from "./live-account.ts";
import type { Entry } from "./offer.ts";

/** What a lease needs of those who gave it. */
export interface LeaseKeeper {
  end(lease: PoolLease, outcome: Outcome): void;
  hasOthers(search: Search): boolean;
}

export class PoolLease implements Lease {
  readonly candidate: Candidate;
  readonly live: LiveAccount;
  /** As it was when the lease was taken: a reload may move the account. */
  readonly route: Route;
  readonly search: Search;
  /** Leases are numbered in the order they were taken, to tell what came before a failure from what came after. */
  readonly number: number;
  readonly #keeper: LeaseKeeper;
  #isOut = true;
  #moved: boolean;

  constructor(entry: Entry, search: Search, number: number, keeper: LeaseKeeper) {
    this.candidate = entry.candidate;
    this.live = entry.live;
    this.route = entry.live.route;
    this.search = search;
    this.number = number;
    this.#keeper = keeper;
    const { home } = search;
    this.#moved = home !== undefined && (home.moved || home.account !== entry.live.account.name);
  }

  get moved(): boolean {
    return this.#moved;
  }

  disown(): void {
    this.#moved = true;
  }

  release(outcome: Outcome): void {
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#keeper.end(this, outcome);
  }

  hasOthers(): boolean {
    return this.#keeper.hasOthers(this.search);
  }

  /** Enters the lease as the one that probes what has run out. */
  probe(now: number): void {
    const { live, route, candidate } = this;
    if (live.cooldowns.probeAt(candidate.model) !== undefined) live.probe ??= this;
    for (const health of [live.health, route.health]) {
      if (health.ejectedUntil !== undefined && now >= health.ejectedUntil) health.probe ??= this;
    }
  }

  /** Lets another lease probe. */
  stopProbing(): void {
    if (this.live.probe === this) this.live.probe = undefined;
    for (const health of [this.live.health, this.route.health]) {
      if (health.probe === this) health.probe = undefined;
    }
  }
}
