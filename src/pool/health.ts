// Ejection of what keeps failing in passing ways: an account, or a route that several accounts share. Whether it
// may be ejected at all is the roster's to say (never more than half of a platform).

import type { Random } from "../core/ports.ts";
import { Tally } from "./tally.ts";

const STREAK = 5;
const RATIO = 0.5;
const RATIO_SAMPLES = 10;
const SPAN_MS = 30_000;
const BUCKETS = 10;
const EJECT_MS = 30_000;
const MAX_EJECT_MS = 300_000;
const JITTER = 0.2;

export interface Strike {
  readonly now: number;
  /** The account it came by. */
  readonly account: string;
  /** True when the thing itself failed beyond doubt; else it takes two accounts to blame a shared route. */
  readonly certain: boolean;
}

export class Health {
  /** Monotonic ms; set while ejected, also past its time until a probe succeeds. */
  ejectedUntil: number | undefined;
  /** The lease that probes, while one is out. */
  probe: object | undefined;
  /** Leases up to this number say nothing about the ejection. */
  after = 0;
  #streak = 0;
  #certain = false;
  readonly #struckBy = new Set<string>();
  readonly #tally = new Tally(SPAN_MS, BUCKETS);
  #ejections = 0;
  #returnedAt = Number.NEGATIVE_INFINITY;

  /** Counts it; true when ejecting would be deserved. `accounts` is how many share it. */
  strike({ now, account, certain }: Strike, accounts: number): boolean {
    this.#tally.add(now, 0, 1);
    this.#streak += 1;
    this.#certain ||= certain;
    if (this.#struckBy.size < STREAK) this.#struckBy.add(account);
    if (accounts > 1 && !this.#certain && this.#struckBy.size < 2) return false;
    const { first: good, second: bad } = this.#tally.sums(now);
    return this.#streak >= STREAK || (good + bad >= RATIO_SAMPLES && bad >= RATIO * (good + bad));
  }

  success(now: number): void {
    this.#tally.add(now, 1, 0);
    this.#forgive(0);
  }

  /** `lease` is the number of the newest lease given out. */
  eject(now: number, lease: number, random: Random): number {
    if (now - this.#returnedAt > MAX_EJECT_MS) this.#ejections = 0;
    this.#ejections += 1;
    const waitMs = Math.min(MAX_EJECT_MS, EJECT_MS * this.#ejections);
    this.ejectedUntil = now + waitMs * (1 - JITTER + 2 * JITTER * random());
    this.#returnedAt = Number.POSITIVE_INFINITY;
    this.after = lease;
    return this.ejectedUntil;
  }

  /**
   * Back in service. `suspect`: content has begun to flow, but whether it comes to its end is open; one more
   * strike ejects it again.
   */
  restore(now: number, suspect: boolean): void {
    this.ejectedUntil = undefined;
    this.#returnedAt = now;
    this.#tally.clear();
    this.#forgive(suspect ? STREAK - 1 : 0);
  }

  #forgive(streak: number): void {
    this.#streak = streak;
    if (streak > 0) return;
    this.#certain = false;
    this.#struckBy.clear();
  }
}
