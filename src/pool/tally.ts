// Two counts over a sliding stretch of time, in fixed memory: the stretch is cut into buckets that are reused.

export class Tally {
  readonly #bucketMs: number;
  readonly #first: number[];
  readonly #second: number[];
  /** Number of the newest bucket since time 0. */
  #newest = 0;

  constructor(spanMs: number, buckets: number) {
    this.#bucketMs = spanMs / buckets;
    this.#first = Array.from({ length: buckets }, () => 0);
    this.#second = Array.from({ length: buckets }, () => 0);
  }

  add(now: number, first: number, second: number): void {
    const at = this.#turn(now);
    this.#first[at] = (this.#first[at] ?? 0) + first;
    this.#second[at] = (this.#second[at] ?? 0) + second;
  }

  sums(now: number): { readonly first: number; readonly second: number } {
    this.#turn(now);
    return { first: sum(this.#first), second: sum(this.#second) };
  }

  clear(): void {
    this.#first.fill(0);
    this.#second.fill(0);
  }

  /** Empties the buckets that time has passed over; returns the place of the present one. */
  #turn(now: number): number {
    const size = this.#first.length;
    const number = Math.floor(now / this.#bucketMs);
    const stale = Math.min(size, number - this.#newest);
    for (let step = 0; step < stale; step += 1) {
      const place = (number - step) % size;
      this.#first[place] = 0;
      this.#second[place] = 0;
    }
    this.#newest = Math.max(this.#newest, number);
    return this.#newest % size;
  }
}

function sum(counts: readonly number[]): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
