// Time that moves only when a test says so. The wall clock can be stepped on its own, as NTP does.

import type { Clock } from "../../src/core/ports.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly work: () => void;
}

/** 2026-01-01T00:00:00Z */
const START_WALL = 1_767_225_600_000;

export class VirtualClock implements Clock {
  #now = 1_000;
  #wall: number;
  #order = 0;
  /** By time, then in the order in which they were set. */
  readonly #timers: Timer[] = [];

  constructor(wall: number = START_WALL) {
    this.#wall = wall;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall;
  }

  after(ms: number, work: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order, work };
    this.#order += 1;
    this.#timers.splice(this.#placeOf(timer), 0, timer);
    return () => this.#cancel(timer);
  }

  /** Timers set and not yet run or cancelled. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Monotonic time of the next timer. */
  get next(): number | undefined {
    return this.#timers[0]?.at;
  }

  /** Moves both clocks and runs what falls due, in order of time, at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.#runNext(end));
    this.#to(end);
  }

  /** As `advance`, but lets promises settle before, between and after the timers. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    // One after another, because what one timer's promises do may set the next timer.
    while (this.#runNext(end)) await settle();
    this.#to(end);
    await settle();
  }

  /** Steps the wall clock alone. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  #runNext(end: number): boolean {
    const timer = this.#timers[0];
    if (timer === undefined || timer.at > end) return false;
    this.#timers.shift();
    this.#to(timer.at);
    timer.work();
    return true;
  }

  #to(now: number): void {
    if (now <= this.#now) return;
    this.#wall += now - this.#now;
    this.#now = now;
  }

  #cancel(timer: Timer): void {
    const place = this.#placeOf(timer);
    if (this.#timers[place] === timer) this.#timers.splice(place, 1);
  }

  /** The place of the first timer that is not before this one. */
  #placeOf({ at, order }: Timer): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      const before = other !== undefined && (other.at < at || (other.at === at && other.order < order));
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Lets everything that is already resolved run, also through several awaits. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
}
