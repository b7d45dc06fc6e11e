// Who waits for a slot, fairly between client keys: each key has a line of its own, and the line that was served
// least for its weight goes first. This is start-time fair queueing, which gives the shares of deficit round robin
// also when the first in a line cannot use the slot that is free.

export interface Waiting {
  readonly key: string;
  /** The key's share against other keys. */
  readonly weight: number;
}

interface Line<W> {
  /** Those that lost their account to a failure go before those that were never served. */
  readonly again: Set<W>;
  readonly first: Set<W>;
  /** Virtual time at which its next one is due. */
  due: number;
}

/** Below this a key is not held even if there are many keys. */
const MIN_SHARE = 4;

export class FairQueue<W extends Waiting> {
  readonly #lines = new Map<string, Line<W>>();
  #size = 0;
  /** Virtual time: where the line served last stood. */
  #time = 0;
  #maximum = 0;
  #share = 0;

  get size(): number {
    return this.#size;
  }

  /** `keys` share the queue; one key may have all of it. */
  limit(maximum: number, keys: number): void {
    this.#maximum = maximum;
    this.#share = keys <= 1 ? maximum : Math.max(MIN_SHARE, Math.floor(maximum / keys));
  }

  isFullFor(key: string): boolean {
    const line = this.#lines.get(key);
    return this.#size >= this.#maximum || (line !== undefined && sizeOf(line) >= this.#share);
  }

  add(waiter: W, isAgain: boolean): void {
    let line = this.#lines.get(waiter.key);
    if (line === undefined) {
      line = { again: new Set(), first: new Set(), due: 0 };
      this.#lines.set(waiter.key, line);
    }
    // A line that was empty has no claim to the time in which it was.
    if (sizeOf(line) === 0) line.due = Math.max(line.due, this.#time);
    (isAgain ? line.again : line.first).add(waiter);
    this.#size += 1;
  }

  /** Takes a waiter out without serving it. */
  remove(waiter: W): void {
    const line = this.#lines.get(waiter.key);
    if (line === undefined) return;
    if (line.again.delete(waiter) || line.first.delete(waiter)) this.#size -= 1;
    // With the last waiter all claims end, so that lines of keys long gone do not pile up.
    if (this.#size === 0) this.#lines.clear();
  }

  /** Takes the waiter out whose turn it is among those that pass the test, and charges its key. */
  take(test: (waiter: W) => boolean): W | undefined {
    for (const waiter of this.inTurn()) {
      if (!test(waiter)) continue;
      this.charge(waiter);
      this.remove(waiter);
      return waiter;
    }
    return undefined;
  }

  /** Counts a waiter as served. */
  charge(waiter: W): void {
    const line = this.#lines.get(waiter.key);
    if (line === undefined) return;
    this.#time = Math.max(this.#time, line.due);
    line.due += 1 / waiter.weight;
  }

  /** Everybody: lines by who is due first, each from its front. */
  *inTurn(): Generator<W, void> {
    const lines = [...this.#lines.values()].filter((line) => sizeOf(line) > 0);
    lines.sort((a, b) => a.due - b.due);
    for (const line of lines) {
      yield* line.again;
      yield* line.first;
    }
  }

  /** The line of one key, from its front. */
  *ofKey(key: string): Generator<W, void> {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    yield* line.again;
    yield* line.first;
  }
}

function sizeOf<W>(line: Line<W>): number {
  return line.again.size + line.first.size;
}
