// Which account something lives at: a session or a response. Bounded, with a sliding end and an absolute one,
// and remembered over a restart. Times are monotonic; wall time is only for what is saved.

import { LRUCache } from "lru-cache";
import { booleanAt, numberAt, parseObject, stringAt } from "../core/json.ts";
import type { Clock, Records, SavedState } from "../core/ports.ts";

const MAX_BINDINGS = 100_000;
const LONGEST_MS = 24 * 3_600_000;
const FORGOTTEN_FOR_ONE = 2;

export interface Binding {
  readonly account: string;
  readonly bornAt: number;
  expiresAt: number;
  /** Until when the saved state holds. A slid end is written down when half of that time is gone, and at the end. */
  savedUntil: number;
  /** It has been at another account before. */
  moved: boolean;
  /** Slow first events in a row. */
  slow: number;
}

export interface BindingsOptions {
  readonly kind: Extract<SavedState["kind"], "sticky" | "response">;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly records: Pick<Records, "save" | "load">;
}

export class Bindings {
  readonly #options: BindingsOptions;
  /** Bounded by size, not by `max`, which would set memory for all of them aside at the start. */
  readonly #map = new LRUCache<string, Binding>({ maxSize: MAX_BINDINGS, sizeCalculation: () => 1 });
  #ttlMs: number;

  constructor(options: BindingsOptions) {
    this.#options = options;
    this.#ttlMs = Math.min(LONGEST_MS, options.ttlMs);
    this.#load();
  }

  /** How long a binding holds after its last use, from now on. */
  setTtl(ttlMs: number): void {
    this.#ttlMs = Math.min(LONGEST_MS, ttlMs);
  }

  get(key: string): Binding | undefined {
    const binding = this.#map.get(key);
    if (binding === undefined || binding.expiresAt > this.#options.clock.now()) return binding;
    this.#map.delete(key);
    return undefined;
  }

  /** Binds, or slides the end of a binding to the same account. */
  bind(key: string, account: string, moved = false): Binding {
    const now = this.#options.clock.now();
    let binding = this.get(key);
    if (binding?.account !== account) {
      this.#forgetOver(now);
      binding = { account, bornAt: now, expiresAt: 0, savedUntil: 0, moved, slow: 0 };
      this.#map.set(key, binding);
    }
    if (moved && !binding.moved) {
      binding.moved = true;
      binding.savedUntil = 0;
    }
    binding.expiresAt = Math.min(now + this.#ttlMs, binding.bornAt + LONGEST_MS);
    const isDue = binding.savedUntil - now < this.#ttlMs / 2;
    if (isDue && binding.savedUntil < binding.expiresAt) this.#save(key, binding);
    return binding;
  }

  remove(key: string): void {
    if (!this.#map.delete(key)) return;
    this.#options.records.save({ kind: this.#options.kind, key, value: "", expiresAt: 0 });
  }

  /** How many are kept, also of those that are over. */
  get size(): number {
    return this.#map.size;
  }

  /** What has rested longest is over first. Some go for each that comes, so that they do not pile up to the bound. */
  #forgetOver(now: number): void {
    let left = FORGOTTEN_FOR_ONE;
    for (const key of this.#map.rkeys()) {
      const oldest = this.#map.peek(key);
      if (left-- === 0 || oldest === undefined || oldest.expiresAt > now) return;
      this.#map.delete(key);
    }
  }

  /** Writes down what has slid since it was saved. */
  save(): void {
    for (const [key, binding] of this.#map.entries()) {
      if (binding.savedUntil < binding.expiresAt) this.#save(key, binding);
    }
  }

  #save(key: string, binding: Binding): void {
    const { kind, clock, records } = this.#options;
    const toWall = clock.wall() - clock.now();
    binding.savedUntil = binding.expiresAt;
    const { account, moved } = binding;
    const value = JSON.stringify({ account, bornAt: binding.bornAt + toWall, ...(moved && { moved }) });
    records.save({ kind, key, value, expiresAt: binding.expiresAt + toWall });
  }

  #load(): void {
    const { kind, clock, records } = this.#options;
    const now = clock.now();
    const wall = clock.wall();
    for (const { key, value, expiresAt } of records.load(kind, wall)) {
      const saved = parseObject(value);
      const account = stringAt(saved, "account");
      if (account === undefined) continue;
      // The wall clock may have been stepped since: nothing is older than just born, or lives longer than a fresh one.
      const ageMs = Math.max(0, wall - (numberAt(saved, "bornAt") ?? wall));
      const bornAt = now - ageMs;
      const end = Math.min(now + Math.min(this.#ttlMs, expiresAt - wall), bornAt + LONGEST_MS);
      if (end <= now) continue;
      const moved = booleanAt(saved, "moved") === true;
      this.#map.set(key, { account, bornAt, expiresAt: end, savedUntil: end, moved, slow: 0 });
    }
  }
}
