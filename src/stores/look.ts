// A look at the database that changes nothing in it and makes none, for the command that says what is wrong.

import { Database } from "bun:sqlite";
import type { SealedLogin } from "../core/login.ts";
import { failure } from "./common.ts";
import { troubleIn } from "./migrations/database.ts";
import { sizeOf } from "./migrations/files.ts";

export interface DatabaseLook {
  /** Undefined: there is none yet. */
  readonly bytes: number | undefined;
  /** What is wrong with it, as the end of a sentence. */
  readonly trouble: string | undefined;
}

/** Looks through all of its structure. @throws with a message for the operator, when it cannot be read */
export function lookAtDatabase(path: string): DatabaseLook {
  return { bytes: sizeOf(path), trouble: troubleIn(path, { check: "PRAGMA quick_check" }) };
}

/** The kept logins, by account. @throws with a message for the operator */
export function lookAtLogins(path: string): ReadonlyMap<string, SealedLogin> {
  if (sizeOf(path) === undefined) return new Map();
  let database: Database | undefined;
  try {
    database = new Database(path, { readonly: true });
    database.run("PRAGMA busy_timeout = 5000");
    const rows = database.query<SealedLogin, []>("SELECT account, version, sealed FROM logins").all();
    return new Map(rows.map((row) => [row.account, row]));
  } catch (error) {
    throw failure(`the logins in ${path} cannot be read`, error);
  } finally {
    database?.close(true);
  }
}
