// Brings a database file to the current schema, or says why it must not be touched. A file that is not ours, or
// not sound, is left byte for byte as it is unless the operator asks for it to be moved aside.

import { constants, Database, SQLiteError } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Log } from "../../core/ports.ts";
import { failure } from "../common.ts";
import first from "./0001-first.sql" with { type: "text" };
import logins from "./0002-logins.sql" with { type: "text" };
import {
  journalOf,
  moveAside,
  privateEmptyFile,
  privateFiles,
  privateFolder,
  publish,
  remove,
  sizeOf,
} from "./files.ts";

/** In order; each ends by setting `user_version` to its place in this list. */
const MIGRATIONS = [first, logins];

const APPLICATION_ID = 0x73_32_61_73;
/** Checks by the largest file they are for, as a start must not take long: 11 ms a MiB, 1.3 ms a MiB, nothing. */
const CHECKS = [
  { upTo: 8 * 1024 * 1024, sql: "PRAGMA integrity_check(1)" },
  { upTo: 64 * 1024 * 1024, sql: "PRAGMA quick_check(1)" },
  { upTo: Number.POSITIVE_INFINITY, sql: "PRAGMA quick_check(state)" },
];

export interface DatabaseOptions {
  readonly path: string;
  readonly log: Log;
  readonly wall: () => number;
  /** Moves a foreign or damaged file aside and begins anew, instead of refusing to start. */
  readonly recover: boolean;
}

/** @throws with a message for the operator */
export function openDatabase(options: DatabaseOptions): Database {
  const { path, log } = options;
  privateFolder(dirname(path), log);
  const trouble = troubleWith(path, log);
  if (trouble !== undefined) {
    if (!options.recover) throw new Error(refusal(path, trouble));
    const moved = moveAside(path, options.wall());
    log({ level: "error", event: "database-moved-aside", fields: { path, moved, trouble } });
  }
  try {
    if (sizeOf(path) === undefined) create(path, log);
    return ready(path, log);
  } catch (error) {
    throw failure(
      `the database ${path} cannot be used; see that its folder can be written and has room`,
      error,
    );
  }
}

function refusal(path: string, trouble: string): string {
  return (
    `the database ${path} ${trouble}. It was left as it is. Put a backup in its place, ` +
    `or start the gateway once with --recover, which moves it aside and begins with an empty one`
  );
}

function troubleWith(path: string, log: Log): string | undefined {
  // It is ours then, so its mode is too; what SQLite lays beside it takes the same one.
  return troubleIn(path, { onOwn: () => privateFiles(path, log) });
}

export interface Looking {
  /** Called before SQLite looks into a file that is ours. */
  readonly onOwn?: () => void;
  /** The check of its structure; else one that fits its size. */
  readonly check?: string;
}

/**
 * Why the file must not be written to, as the end of a sentence; undefined when it is sound or missing.
 * @throws when it cannot be read, or a newer version has written it
 */
export function troubleIn(path: string, { onOwn, check }: Looking = {}): string | undefined {
  const size = sizeOf(path);
  if (size === undefined) {
    const journal = journalOf(path);
    return journal === undefined ? undefined : `is missing, but its journal ${journal} is there`;
  }
  // A new database gets its name only when it is whole, so an empty one has lost its content.
  if (size === 0) return "is empty";
  const foreign = foreignness(path);
  if (foreign !== undefined) return foreign;
  onOwn?.();
  return damageIn(path, check ?? CHECKS.find(({ upTo }) => size <= upTo)?.sql ?? "");
}

/**
 * Looks at the head of the file alone: no lock, no journal, nothing laid beside it. SQLite has to do even this. When
 * a process closes a file it has opened by itself, POSIX drops every lock the process has on it, also those of its
 * open connections, and another process may then take itself for the last and delete their journal
 * (sqlite.org/howtocorrupt.html §2.2; newer versions of SQLite guard the journal, a Mac's own may not).
 */
function foreignness(path: string): string | undefined {
  let database: Database | undefined;
  try {
    const head = `${pathToFileURL(path).href}?immutable=1`;
    database = new Database(head, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
    return numberOf(database, "application_id") === APPLICATION_ID ? undefined : "belongs to another program";
  } catch (error) {
    if (codeOf(error) === "SQLITE_NOTADB") return "is not an SQLite database";
    // Without its journal a sound file may look cut, while it is being brought up to date.
    if (codeOf(error).startsWith("SQLITE_CORRUPT")) return undefined;
    throw failure(`the database ${path} cannot be read`, error);
  } finally {
    database?.close(true);
  }
}

/** Looks through a connection that cannot write, not even by a checkpoint when it closes. */
function damageIn(path: string, check: string): string | undefined {
  let database: Database | undefined;
  try {
    database = new Database(path, { readonly: true });
    database.run("PRAGMA busy_timeout = 5000");
    database.run("PRAGMA cell_size_check = ON");
    if (numberOf(database, "application_id") !== APPLICATION_ID) return "belongs to another program";
    if (numberOf(database, "user_version") > MIGRATIONS.length) throw newer(path);
    const found = database.query(check).values()[0]?.[0];
    return found === "ok" ? undefined : `is damaged (${String(found).replaceAll("\n", " ")})`;
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error))) return `is damaged (${error.message})`;
    // Somebody else's rollback journal: opening it for writing plays it back.
    if (codeOf(error) === "SQLITE_READONLY_ROLLBACK") return undefined;
    throw failure(`the database ${path} cannot be read`, error);
  } finally {
    database?.close(true);
  }
}

function newer(path: string): Error {
  return new Error(
    `the database ${path} was written by a newer version. It was left as it is. Start that version, or move the file away`,
  );
}

/** Made under another name and renamed when it is whole: a crash leaves no half of a database. */
function create(path: string, log: Log): void {
  const made = `${path}.new-${randomUUID()}`;
  try {
    privateEmptyFile(made);
    const database = ready(made, log);
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    database.close(true);
    publish(made, path);
  } finally {
    remove(made);
  }
}

function ready(path: string, log: Log): Database {
  const database = new Database(path, { readwrite: true });
  try {
    database.run("PRAGMA busy_timeout = 5000");
    const mode = database.query("PRAGMA journal_mode = WAL").values()[0]?.[0];
    if (mode !== "wal")
      log({ level: "warn", event: "database-without-wal", fields: { path, mode: String(mode) } });
    // No wait for the disk at a commit: no record is worth stalling requests. What may not be lost, such as a login,
    // has a connection of its own that raises this to FULL.
    database.run("PRAGMA synchronous = NORMAL");
    // Whoever moves the journal into the file moves the logins in it too (macOS; elsewhere without effect).
    database.run("PRAGMA checkpoint_fullfsync = ON");
    database.run("PRAGMA cell_size_check = ON");
    database.run("PRAGMA temp_store = MEMORY");
    database.run("PRAGMA trusted_schema = OFF");
    migrate(database);
    // From here on requests share the thread, so a lock held by another process is waited for only briefly.
    database.run("PRAGMA busy_timeout = 100");
    return database;
  } catch (error) {
    database.close(true);
    throw error;
  }
}

/** Each step in a transaction of its own. The first lock also proves that the file can be written. */
function migrate(database: Database): void {
  const step = (): boolean => {
    const sql = MIGRATIONS[numberOf(database, "user_version")];
    if (sql !== undefined) database.run(sql);
    return sql !== undefined;
  };
  while (transaction(database, step));
}

/** Does all of `work` or nothing of it, alone among all writers. @throws when it could not */
export function transaction<T>(database: Database, work: () => T): T {
  database.run("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.run("COMMIT");
    return result;
  } catch (error) {
    // A full disk may have rolled back already.
    if (database.inTransaction) database.run("ROLLBACK");
    throw error;
  }
}

function numberOf(database: Database, pragma: "application_id" | "user_version"): number {
  return Number(database.query(`PRAGMA ${pragma}`).values()[0]?.[0]);
}

/** SQLite's name for what went wrong; "" for errors that are not its own. */
export function codeOf(error: unknown): string {
  return error instanceof SQLiteError ? (error.code ?? "") : "";
}
