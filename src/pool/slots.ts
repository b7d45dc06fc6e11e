// Slots are taken and given back here and nowhere else. Taking is one synchronous step, so no limit is ever
// passed; a slot that comes back goes straight to the waiter whose turn it is.

import { GatewayError } from "../core/errors.ts";
import type { ClientKey } from "../core/exchange.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Clock } from "../core/ports.ts";
import { isServable, type Search, select, takes, takeTurn } from "./choice.ts";
import { FairQueue } from "./fair-queue.ts";
import { type LeaseKeeper, PoolLease } from "./lease.ts";
import type { LiveAccount } from "./live-account.ts";
import type { Entry, Kind, Offer } from "./offer.ts";

/** A slot; or nobody can serve; or the queue is full or the wait was too long. */
export type Seat = PoolLease | "nobody" | "busy";

interface Waiter {
  readonly key: string;
  readonly weight: number;
  readonly search: Search;
  /** Ends the wait. */
  readonly settle: (seat: Seat) => void;
  readonly fail: (reason: unknown) => void;
  stopPatience: (() => void) | undefined;
}

export interface SlotsOptions {
  readonly clock: Clock;
  /** A lease came back, its slot is free already; what its outcome means is still to be found. */
  readonly ended: (lease: PoolLease, outcome: Outcome) => void;
}

export class Slots {
  readonly #clock: Clock;
  readonly #ended: SlotsOptions["ended"];
  readonly #queue = new FairQueue<Waiter>();
  /** Leases out by client key. */
  readonly #keys = new Map<string, number>();
  readonly #keeper: LeaseKeeper = {
    end: (lease, outcome) => this.#end(lease, outcome),
    hasOthers: (search) => isServable(search, this.#clock.now()),
  };
  #queueTimeoutMs = 0;
  #number = 0;
  #active = 0;

  constructor({ clock, ended }: SlotsOptions) {
    this.#clock = clock;
    this.#ended = ended;
  }

  get active(): number {
    return this.#active;
  }

  /** Number of the newest lease. */
  get newest(): number {
    return this.#number;
  }

  limit(settings: { maxQueue: number; keys: number; queueTimeoutMs: number }): void {
    this.#queue.limit(settings.maxQueue, settings.keys);
    this.#queueTimeoutMs = settings.queueTimeoutMs;
  }

  /** A slot at once, or the advice to wait, or undefined when nobody can serve. */
  take(search: Search): PoolLease | "wait" | undefined {
    const selection = select(search, this.#clock.now());
    if (selection === undefined) return undefined;
    if (selection === "wait" || !this.#hasRoom(search.ask.key)) return "wait";
    return this.#lease(selection, search);
  }

  /** Waits for a slot. @throws the signal's reason, or `shutting_down` */
  wait(search: Search, signal: AbortSignal): Promise<Seat> {
    const { key } = search.ask;
    if (this.#queue.isFullFor(key.name)) return Promise.resolve(this.#hurried(search));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        stopTimeout();
        waiter.stopPatience?.();
        signal.removeEventListener("abort", abort);
        this.#queue.remove(waiter);
      };
      const waiter: Waiter = {
        key: key.name,
        weight: key.weight,
        search,
        stopPatience: undefined,
        settle: (seat) => (leave(), resolve(seat)),
        fail: (reason) => (leave(), reject(reason)),
      };
      const abort = (): void => waiter.fail(signal.reason);
      const stopTimeout = this.#clock.after(this.#queueTimeoutMs, () => this.#timedOut(waiter));
      signal.addEventListener("abort", abort);
      this.#queue.add(waiter, search.tried.size > 0);
      this.#watchPatience(waiter);
    });
  }

  /** An account may have room or be fit again: its slots go to those whose turn it is. */
  offer(live: LiveAccount): void {
    const now = this.#clock.now();
    while (this.#queue.size > 0 && live.hasRoom) {
      let entry: Entry | undefined;
      const waiter = this.#queue.take((each) => {
        if (!this.#hasRoom(each.search.ask.key)) return false;
        entry = takes(each.search, live, now);
        return entry !== undefined;
      });
      if (waiter === undefined || entry === undefined) return;
      waiter.settle(this.#lease(entry, waiter.search));
    }
  }

  /** An account serves less than before: whoever has nobody left to wait for is told so. */
  worsened(live: LiveAccount): void {
    const now = this.#clock.now();
    const hopes = new Map<Offer, boolean>();
    for (const waiter of [...this.#queue.inTurn()]) {
      const { offer, tried, bound } = waiter.search;
      if (!offer.byAccount.has(live)) continue;
      let hope = hopes.get(offer);
      if (hope === undefined) hopes.set(offer, (hope = hasHope(offer, now)));
      if (!hope || tried.size > 0 || bound?.live === live) this.#reconsider(waiter);
    }
  }

  /** The accounts have changed, and with them what each waiter waits for. */
  reload(offerOf: (kind: Kind) => Offer): void {
    for (const waiter of [...this.#queue.inTurn()]) {
      waiter.search.offer = offerOf(waiter.search.kind);
      this.#reconsider(waiter);
    }
  }

  close(): void {
    for (const waiter of [...this.#queue.inTurn()]) {
      waiter.fail(new GatewayError("shutting_down", "the gateway is shutting down"));
    }
  }

  #lease(entry: Entry, search: Search): PoolLease {
    const { live, candidate } = entry;
    const now = this.#clock.now();
    const standing = live.standing(candidate.model, now);
    if (live !== search.bound?.live) takeTurn(entry);
    this.#number += 1;
    const lease = new PoolLease(entry, search, this.#number, this.#keeper);
    live.count(1);
    this.#active += 1;
    this.#count(search.ask.key.name, 1);
    if (standing !== "open") lease.probe(now);
    if (standing === "probe") search.hasProbed = true;
    search.tried.add(live);
    return lease;
  }

  #end(lease: PoolLease, outcome: Outcome): void {
    const { live, search } = lease;
    const { key } = search.ask;
    const wasFull = !this.#hasRoom(key);
    live.count(-1);
    this.#active -= 1;
    this.#count(key.name, -1);
    this.#ended(lease, outcome);
    this.offer(live);
    if (wasFull) this.#offerToKey(key);
  }

  /** A key below its limit again takes what any account has free. */
  #offerToKey(key: ClientKey): void {
    const stuck = new Set<Offer>();
    for (const waiter of [...this.#queue.ofKey(key.name)]) {
      if (!this.#hasRoom(key)) return;
      const { offer, bound, tried } = waiter.search;
      if (stuck.has(offer)) continue;
      // Where one that would take anybody finds nobody, the others like it need not look.
      if (this.#reconsider(waiter) === "wait" && bound === undefined && tried.size === 0) stuck.add(offer);
    }
  }

  /** Looks again on a waiter's behalf at all accounts. */
  #reconsider(waiter: Waiter): Seat | "wait" {
    const seat = this.take(waiter.search) ?? "nobody";
    if (seat instanceof PoolLease) this.#queue.charge(waiter);
    if (seat === "wait") this.#watchPatience(waiter);
    else waiter.settle(seat);
    return seat;
  }

  /** Once a waiter has begun to wait for its session's account only, that must come to an end. */
  #watchPatience(waiter: Waiter): void {
    const { patientUntil } = waiter.search;
    const leftMs = (patientUntil ?? 0) - this.#clock.now();
    if (waiter.stopPatience !== undefined || leftMs <= 0 || leftMs === Number.POSITIVE_INFINITY) return;
    waiter.stopPatience = this.#clock.after(leftMs, () => {
      losePatience(waiter.search);
      this.#reconsider(waiter);
    });
  }

  #timedOut(waiter: Waiter): void {
    const seat = this.#hurried(waiter.search);
    if (seat instanceof PoolLease) this.#queue.charge(waiter);
    waiter.settle(seat);
  }

  /** There is no more waiting, so any account will do. */
  #hurried(search: Search): Seat {
    losePatience(search);
    const seat = this.take(search) ?? "nobody";
    return seat === "wait" ? "busy" : seat;
  }

  #hasRoom(key: ClientKey): boolean {
    return key.concurrency === undefined || (this.#keys.get(key.name) ?? 0) < key.concurrency;
  }

  #count(key: string, change: 1 | -1): void {
    const count = (this.#keys.get(key) ?? 0) + change;
    if (count === 0) this.#keys.delete(key);
    else this.#keys.set(key, count);
  }
}

/** From now on it takes any account, unless only its own knows what it asks for. */
function losePatience(search: Search): void {
  if (search.bound?.hard !== true) search.patientUntil = Number.NEGATIVE_INFINITY;
}

/** Whether anybody but an ejected account serves or soon will. */
function hasHope(offer: Offer, now: number): boolean {
  for (const [live, entries] of offer.byAccount) {
    for (const { candidate } of entries) {
      const standing = live.standing(candidate.model, now);
      if (standing !== "cooling" && standing !== "ejected") return true;
    }
  }
  return false;
}
