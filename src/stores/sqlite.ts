// The durable store of one node: a single SQLite file, written behind the requests.

import { type Database, SQLiteError, type SQLQueryBindings } from "bun:sqlite";
import type { ExchangeRecord } from "../core/exchange.ts";
import type { Clock, Log, Records, SavedState } from "../core/ports.ts";
import { type Batch, failure, isLive, WriteBehind } from "./common.ts";
import { codeOf, openDatabase, transaction } from "./migrations/database.ts";

const HOUR_MS = 3_600_000;
const RETENTION_MS = 90 * 24 * HOUR_MS;
/** Old rows go in small steps with pauses, so that requests hardly feel it. */
const SWEEP_ROWS = 200;
const SWEEP_PAUSE_MS = 50;

export interface SqliteOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Moves a foreign or damaged file aside and begins anew, instead of refusing to start. */
  readonly recover?: boolean;
}

/** @throws with a message for the operator */
export function openRecords({ path, clock, log, recover = false }: SqliteOptions): Records {
  const database = openDatabase({ path, log, recover, wall: () => clock.wall() });
  try {
    return recordsIn(database, clock, log);
  } catch (error) {
    database.close(true);
    throw failure(`the database ${path} lacks what it should hold; put a backup in its place`, error);
  }
}

/** The records in a database of the current schema, which they close. */
export function recordsIn(database: Database, clock: Clock, log: Log): Records {
  return new SqliteRecords(database, clock, log);
}

const COLUMNS = [
  "id",
  "started_at",
  "protocol",
  "stream",
  "key",
  "model",
  "session",
  "account",
  "upstream_model",
  "upstream_protocol",
  "attempts",
  "status",
  "outcome",
  "error",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "reasoning_tokens",
  "waited_ms",
  "first_byte_ms",
  "took_ms",
  "bytes_in",
  "bytes_out",
];

/** The values of COLUMNS, in order. A fraction would be refused where the column holds whole numbers. */
function valuesOf(row: ExchangeRecord): SQLQueryBindings[] {
  const { usage } = row;
  return [
    row.id,
    Math.round(row.startedAt),
    row.protocol,
    row.stream ? 1 : 0,
    row.key,
    row.model,
    row.session,
    row.account ?? null,
    row.upstreamModel ?? null,
    row.upstreamProtocol ?? null,
    JSON.stringify(row.attempts),
    row.status,
    row.outcome,
    row.error ?? null,
    whole(usage?.input),
    whole(usage?.cacheRead),
    whole(usage?.cacheWrite),
    whole(usage?.output),
    whole(usage?.reasoning),
    row.waitedMs,
    row.firstByteMs ?? null,
    row.tookMs,
    row.bytesIn,
    row.bytesOut,
  ];
}

/** Counts come from an upstream's JSON, where anything can stand. */
function whole(count: number | undefined): number | null {
  return Number.isFinite(count) ? Math.round(Number(count)) : null;
}

/** Errors that come from the row itself: it would fail again tomorrow, on an empty disk. */
function isOfTheRow(error: unknown): boolean {
  if (!(error instanceof SQLiteError)) return true;
  return /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(codeOf(error));
}

function prepare(database: Database) {
  const places = COLUMNS.map(() => "?").join(", ");
  return {
    insert: database.prepare(
      `INSERT INTO exchanges (${COLUMNS.join(", ")}) VALUES (${places}) ON CONFLICT (id) DO NOTHING`,
    ),
    put: database.prepare("INSERT OR REPLACE INTO state (kind, key, value, expires_at) VALUES (?, ?, ?, ?)"),
    drop: database.prepare("DELETE FROM state WHERE kind = ? AND key = ?"),
    live: database.prepare<{ key: string; value: string; expires_at: number }, [string, number]>(
      "SELECT key, value, expires_at FROM state WHERE kind = ? AND expires_at > ?",
    ),
    sweepRows: database.prepare(
      "DELETE FROM exchanges WHERE seq IN (SELECT seq FROM exchanges WHERE started_at < ? ORDER BY started_at LIMIT ?)",
    ),
    sweepStates: database.prepare(
      "DELETE FROM state WHERE (kind, key) IN (SELECT kind, key FROM state WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
    ),
  };
}

class SqliteRecords implements Records {
  #open = true;
  #cancelSweep: () => void;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #queue: WriteBehind;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(database: Database, clock: Clock, log: Log) {
    this.#database = database;
    this.#clock = clock;
    this.#log = log;
    this.#sql = prepare(database);
    this.#queue = new WriteBehind({ clock, log, write: (batch) => this.#write(batch) });
    this.#cancelSweep = clock.after(SWEEP_PAUSE_MS, () => this.#sweep());
  }

  append(record: ExchangeRecord): void {
    this.#queue.append(record);
  }

  save(state: SavedState): void {
    this.#queue.save(state);
  }

  load(kind: SavedState["kind"], now: number): readonly SavedState[] {
    if (!this.#open) return [];
    const found = new Map<string, SavedState>();
    for (const { key, value, expires_at: expiresAt } of this.#sql.live.all(kind, now)) {
      found.set(key, { kind, key, value, expiresAt });
    }
    for (const state of this.#queue.pending(kind)) found.set(state.key, state);
    const live = [...found.values()].filter((state) => isLive(state, now));
    return live.sort((a, b) => a.expiresAt - b.expiresAt);
  }

  flush(): void {
    if (this.#open) this.#queue.flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#queue.close();
    this.#cancelSweep();
    this.#open = false;
    try {
      this.#database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      // The journal beside the file keeps what could not be brought into it; the next start replays it.
      this.#log({ level: "warn", event: "database-not-merged", fields: { error: String(error) } });
    }
    this.#database.close(true);
  }

  #write({ rows, states }: Batch): number {
    const wall = this.#clock.wall();
    return transaction(this.#database, () => {
      let refused = 0;
      for (const state of states) if (!this.#take(() => this.#writeState(state, wall))) refused++;
      for (const row of rows) if (!this.#take(() => this.#sql.insert.run(...valuesOf(row)))) refused++;
      return refused;
    });
  }

  #writeState(state: SavedState, wall: number): void {
    if (!isLive(state, wall)) this.#sql.drop.run(state.kind, state.key);
    else this.#sql.put.run(state.kind, state.key, state.value, state.expiresAt);
  }

  /** False when the store will never take it. @throws when the store takes nothing now */
  #take(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!isOfTheRow(error)) throw error;
      return false;
    }
  }

  /** Deletes one step of what is too old, and comes back soon while there is more. */
  #sweep(): void {
    let more = false;
    const wall = this.#clock.wall();
    try {
      const rows = this.#sql.sweepRows.run(wall - RETENTION_MS, SWEEP_ROWS).changes;
      const states = this.#sql.sweepStates.run(wall, SWEEP_ROWS).changes;
      more = Math.max(rows, states) >= SWEEP_ROWS;
    } catch (error) {
      this.#log({ level: "warn", event: "records-not-swept", fields: { error: String(error) } });
    }
    this.#cancelSweep = this.#clock.after(more ? SWEEP_PAUSE_MS : HOUR_MS, () => this.#sweep());
  }
}
