// Logins in the database of the records, but on a connection of their own that waits for the disk: a login that is
// lost after its renewal has to be made again by a person.
//
// How this lives with the connection of the records, and with other processes on the same file:
// - Within a process both run on one thread and end each transaction before they give it up, so they never meet.
// - Another process holds the write lock for one transaction at a time. Whoever comes second looks again every
//   RETRY_MS while requests go on, and after PATIENCE_MS gets the error.
// - All write to one journal. A commit here syncs it up to its end, with what the records wrote before; the records'
//   own connection syncs it before it moves it into the file. Neither can lose what this one has acknowledged.

import type { Database } from "bun:sqlite";
import type { LoginStore, SealedLogin } from "../core/login.ts";
import type { Clock, Log } from "../core/ports.ts";
import { failure } from "./common.ts";
import { codeOf, openDatabase, transaction } from "./migrations/database.ts";

const PATIENCE_MS = 5_000;
const RETRY_MS = 10;

export interface LoginStoreOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the database and its schema where they are missing. @throws with a message for the operator */
export function openLoginStore({ path, clock, log }: LoginStoreOptions): LoginStore {
  const database = openDatabase({ path, log, recover: false, wall: () => clock.wall() });
  try {
    return loginsIn(database, clock, log);
  } catch (error) {
    database.close(true);
    throw failure(`the database ${path} lacks what it should hold; put a backup in its place`, error);
  }
}

/** The logins in a database of the current schema, on a connection that nobody else uses; they close it. */
export function loginsIn(database: Database, clock: Clock, log: Log): LoginStore {
  database.run("PRAGMA synchronous = FULL");
  // Without it a Mac's disk may keep in its own memory what it says it has written.
  database.run("PRAGMA fullfsync = ON");
  // SQLite would wait with the thread in its hands.
  database.run("PRAGMA busy_timeout = 0");
  return new SqliteLogins(database, clock, log);
}

interface Claim {
  readonly owner: string;
  readonly length_ms: number;
  readonly ends_at: number;
}

function prepare(database: Database) {
  return {
    load: database.prepare<SealedLogin, [string]>(
      "SELECT account, version, sealed FROM logins WHERE account = ?",
    ),
    changed: database.prepare<{ data_version: number }, []>("PRAGMA data_version"),
    versions: database.prepare<{ account: string; version: number }, []>(
      "SELECT account, version FROM logins",
    ),
    insert: database.prepare<void, [string, number, string]>(
      "INSERT INTO logins (account, version, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    ),
    replace: database.prepare<void, [number, string, string, number]>(
      "UPDATE logins SET version = ?, sealed = ? WHERE account = ? AND version = ?",
    ),
    claim: database.prepare<Claim, [string]>(
      "SELECT owner, length_ms, ends_at FROM login_claims WHERE account = ?",
    ),
    take: database.prepare<void, [string, string, number, number]>(
      "INSERT OR REPLACE INTO login_claims (account, owner, length_ms, ends_at) VALUES (?, ?, ?, ?)",
    ),
    renounce: database.prepare<void, [string, string]>(
      "DELETE FROM login_claims WHERE account = ? AND owner = ?",
    ),
  };
}

function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(codeOf(error));
}

/**
 * Whether a claim still binds others. Processes share no clock but the host's, which may be stepped: a step forward
 * ends claims early, a step back prolongs them. One by less than the claim's length must not put two owners to work,
 * so the end may seem up to twice the length away; from there on it was made before a larger step, and is void.
 */
function isHeld({ length_ms: length, ends_at: endsAt }: Claim, wall: number): boolean {
  const left = endsAt - wall;
  return left > 0 && left <= 2 * length;
}

class SqliteLogins implements LoginStore {
  #open = true;
  /** As of `#seen`, SQLite's count of what other connections have committed. */
  #versions: ReadonlyMap<string, number> = new Map();
  #seen: number | undefined;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(database: Database, clock: Clock, log: Log) {
    this.#database = database;
    this.#clock = clock;
    this.#log = log;
    this.#sql = prepare(database);
  }

  async load(account: string): Promise<SealedLogin | undefined> {
    return this.#patiently("read", () => this.#sql.load.get(account) ?? undefined);
  }

  async versions(): Promise<ReadonlyMap<string, number>> {
    return this.#patiently("read", () => {
      // Asked first: a commit between the two questions is looked at twice rather than never.
      const seen = this.#sql.changed.get()?.data_version;
      if (seen === undefined || seen !== this.#seen) {
        const rows = this.#sql.versions.all();
        this.#versions = new Map(rows.map(({ account, version }) => [account, version]));
        this.#seen = seen;
      }
      return this.#versions;
    });
  }

  async commit({ account, version, sealed }: SealedLogin): Promise<boolean> {
    return this.#write(() => {
      const { insert, replace } = this.#sql;
      const { changes } =
        version === 1
          ? insert.run(account, version, sealed)
          : replace.run(version, sealed, account, version - 1);
      return changes === 1;
    });
  }

  async claim(
    account: string,
    owner: string,
    ms: number,
    isDead: (owner: string) => boolean = () => false,
  ): Promise<boolean> {
    return this.#write(() => {
      const wall = this.#clock.wall();
      const held = this.#sql.claim.get(account);
      if (held !== null && held.owner !== owner && isHeld(held, wall) && !isDead(held.owner)) return false;
      this.#sql.take.run(account, owner, ms, wall + ms);
      return true;
    });
  }

  async renounce(account: string, owner: string): Promise<void> {
    try {
      await this.#write(() => this.#sql.renounce.run(account, owner));
    } catch (error) {
      // The claim ends by itself, and whoever gives it back can do no more about it.
      this.#log({ level: "warn", event: "claim-not-renounced", fields: { account, error: String(error) } });
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#database.close(true);
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#patiently("written", () => {
      // SQLite does not count what this connection itself commits.
      this.#seen = undefined;
      return transaction(this.#database, work);
    });
  }

  /** Tries again while another process is at it. */
  async #patiently<T>(done: "read" | "written", work: () => T): Promise<T> {
    const end = this.#clock.now() + PATIENCE_MS;
    for (;;) {
      if (!this.#open) throw new Error("the login store is closed");
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || this.#clock.now() >= end)
          throw failure(`the logins could not be ${done}`, error);
      }
      await new Promise<void>((resolve) => void this.#clock.after(RETRY_MS, resolve));
    }
  }
}
