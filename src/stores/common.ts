// What every durable store does before it writes: rows wait in memory, bounded, and are written in batches, so
// that no request ever waits for a disk and none fails because a disk is full.

import type { ExchangeRecord } from "../core/exchange.ts";
import type { Clock, Log, SavedState } from "../core/ports.ts";

const FLUSH_MS = 250;
/** At most so many rows, and so many states, in one transaction: a longer one would be felt by requests. */
const BATCH = 500;
const MAX_ROWS = 10_000;
/** Above so many states waiting for a broken disk, those that have expired meanwhile are given up. */
const MANY_STATES = 10_000;
const MAX_RETRY_MS = 5_000;
const TELL_MS = 60_000;

export interface Batch {
  readonly rows: readonly ExchangeRecord[];
  readonly states: readonly SavedState[];
}

export interface WriteBehindOptions {
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Writes a batch whole or not at all. Returns how many of it the store will never take, whatever the state of
   * the disk; they must not hold up the others.
   * @throws when the store cannot write now
   */
  readonly write: (batch: Batch) => number;
}

export function isLive(state: SavedState, now: number): boolean {
  return state.expiresAt > now;
}

/** An error for the operator, with the gateway's words first. */
export function failure(what: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${what}: ${why}`, { cause });
}

/** Lets the first of many equal complaints through, then one a minute with the sum since. */
class Complaint {
  #sum = 0;
  #toldAt: number | undefined;
  #told = false;
  readonly #clock: Clock;
  readonly #tell: (sum: number) => void;

  constructor(clock: Clock, tell: (sum: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(count: number): void {
    this.#sum += count;
    const now = this.#clock.now();
    if (this.#toldAt !== undefined && now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.rest();
  }

  /** Tells what has not been told. */
  rest(): void {
    if (this.#sum === 0) return;
    const sum = this.#sum;
    this.#sum = 0;
    this.#told = true;
    this.#tell(sum);
  }

  /** The trouble is over. Returns whether anything was told of it. */
  end(): boolean {
    const told = this.#told;
    this.#told = false;
    this.#sum = 0;
    return told;
  }
}

/** The queue before a store. `append` and `save` never throw and never write by themselves. */
export class WriteBehind {
  /** Rows from `#head` on wait; those before are gone. */
  #rows: ExchangeRecord[] = [];
  #head = 0;
  /** By kind and key: of several states of one key only the last is written. */
  readonly #states = new Map<string, SavedState>();
  #failures = 0;
  #closed = false;
  #cancel: (() => void) | undefined;
  readonly #options: WriteBehindOptions;
  readonly #unwritten: Complaint;
  readonly #dropped: Complaint;
  #why = "";

  constructor(options: WriteBehindOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#unwritten = new Complaint(clock, (tries) => {
      const fields = { error: this.#why, tries, rows: this.#waiting, states: this.#states.size };
      log({ level: "error", event: "records-unwritten", fields });
    });
    this.#dropped = new Complaint(clock, (rows) => {
      log({ level: "error", event: "records-dropped", fields: { rows } });
    });
  }

  get #waiting(): number {
    return this.#rows.length - this.#head;
  }

  append(row: ExchangeRecord): void {
    if (this.#closed) return;
    this.#rows.push(row);
    if (this.#waiting > MAX_ROWS) {
      this.#skipRows(1);
      this.#dropped.add(1);
    }
    this.#wake(this.#waiting);
  }

  save(state: SavedState): void {
    if (this.#closed) return;
    this.#states.set(`${state.kind}\0${state.key}`, state);
    this.#wake(this.#states.size);
  }

  /** States that `load` would not find in the store yet. */
  pending(kind: SavedState["kind"]): readonly SavedState[] {
    return [...this.#states.values()].filter((state) => state.kind === kind);
  }

  /**
   * Writes everything; what it could not write goes on waiting.
   * @throws when the store cannot write now
   */
  flush(): void {
    this.#sleep();
    try {
      while (this.#waiting + this.#states.size > 0) this.#writeBatch();
    } catch (error) {
      this.#retryLater();
      throw failure("the records could not be written", error);
    }
  }

  /** Writes what can be written, and takes nothing any more. Never throws. */
  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
    } catch (error) {
      const fields = { error: String(error), rows: this.#waiting, states: this.#states.size };
      this.#options.log({ level: "error", event: "records-lost", fields });
    }
    this.#dropped.rest();
    this.#closed = true;
    this.#sleep();
  }

  #wake(waiting: number): void {
    if (this.#cancel === undefined) this.#sleepFor(FLUSH_MS);
    else if (waiting === BATCH && this.#failures === 0) this.#sleepFor(0);
  }

  #sleepFor(ms: number): void {
    this.#sleep();
    this.#cancel = this.#options.clock.after(ms, () => this.#onTime());
  }

  #sleep(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #onTime(): void {
    this.#cancel = undefined;
    try {
      this.#writeBatch();
    } catch {
      this.#retryLater();
      return;
    }
    // One batch at a time: between two of them requests get their turn.
    if (this.#waiting + this.#states.size > 0) this.#sleepFor(0);
  }

  #retryLater(): void {
    if (this.#states.size > MANY_STATES) this.#forgetExpired();
    this.#sleepFor(Math.min(MAX_RETRY_MS, FLUSH_MS * 2 ** Math.min(this.#failures, 10)));
  }

  #writeBatch(): void {
    const rows = this.#rows.slice(this.#head, this.#head + BATCH);
    const states = this.#states.entries().take(BATCH).toArray();
    let refused: number;
    try {
      refused = this.#options.write({ rows, states: states.map(([, state]) => state) });
    } catch (error) {
      this.#failures++;
      this.#why = error instanceof Error ? error.message : String(error);
      this.#unwritten.add(1);
      throw error;
    }
    this.#skipRows(rows.length);
    for (const [key] of states) this.#states.delete(key);
    if (refused > 0) this.#dropped.add(refused);
    if (this.#failures > 0) this.#recovered();
  }

  #recovered(): void {
    this.#failures = 0;
    this.#dropped.rest();
    if (this.#unwritten.end()) this.#options.log({ level: "info", event: "records-written-again" });
  }

  #skipRows(count: number): void {
    this.#head += count;
    if (this.#head < this.#rows.length && this.#head < MAX_ROWS) return;
    this.#rows = this.#rows.slice(this.#head);
    this.#head = 0;
  }

  #forgetExpired(): void {
    const now = this.#options.clock.wall();
    for (const [key, state] of this.#states) if (!isLive(state, now)) this.#states.delete(key);
  }
}
