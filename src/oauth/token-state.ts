// The token_state.json of the program this one replaces. Read once, never written:
// {"accounts": {NAME: {"refresh_token", "access_token", "chatgpt_account_id", "expires_at": "<RFC 3339>"}}}.
// A bare map and a list with names are taken as well, for files that somebody made by hand.

import { arrayAt, isObject, type Json, type JsonObject, numberAt, objectAt, stringAt } from "../core/json.ts";
import { expiryOf, identityOf } from "./claims.ts";
import { LoginFileError, readForeignFile } from "./foreign-file.ts";
import type { SignedIn } from "./login.ts";

/** A login as far as that file knows it: issuer and client are those of the account in the configuration. */
export type StateLogin = Pick<SignedIn, "tokens" | "identity">;

/** The first moment at which a number of seconds would be a date of this century's, taken as milliseconds. */
const FIRST_MS = 1e11;

/**
 * The logins in a file, by account name; entries without any token are left out. `expiresAt` is 0 when nothing tells,
 * and `access` "" when only a refresh token was kept: to be renewed before it is used.
 * @throws LoginFileError with words for the operator
 */
export async function readTokenState(path: string): Promise<ReadonlyMap<string, StateLogin>> {
  return tokenState(await readForeignFile(path), path);
}

/** The logins in the content of a token_state.json. @throws LoginFileError when it has another shape */
export function tokenState(file: Json, path: string): ReadonlyMap<string, StateLogin> {
  const entries = entriesOf(file);
  if (entries === undefined)
    throw new LoginFileError("no_login", path, `${path} is no token_state.json: it names no accounts`);
  const logins = new Map<string, StateLogin>();
  for (const [name, entry] of entries) {
    const login = loginOf(entry);
    if (name !== "" && login !== undefined) logins.set(name, login);
  }
  return logins;
}

type Entry = readonly [name: string, entry: JsonObject];

/** Undefined when the file has no such shape. An empty map of accounts is one: nobody had signed in yet. */
function entriesOf(file: Json): readonly Entry[] | undefined {
  const list = Array.isArray(file) ? file : arrayAt(file, "accounts");
  if (list !== undefined) {
    const named = objectsIn(list).map((entry): Entry => [stringAt(entry, "name") ?? "", entry]);
    return named.every(([name]) => name !== "") ? named : undefined;
  }
  const accounts = objectAt(file, "accounts");
  const map = accounts ?? (isObject(file) ? file : {});
  const entries = Object.entries(map).flatMap(([name, entry]): Entry[] =>
    isObject(entry) ? [[name, entry]] : [],
  );
  const known = accounts !== undefined || entries.some(([, entry]) => loginOf(entry) !== undefined);
  return known ? entries : undefined;
}

function objectsIn(list: readonly Json[]): JsonObject[] {
  return list.filter((each) => isObject(each));
}

function loginOf(entry: JsonObject): StateLogin | undefined {
  const text = (key: string): string | undefined => stringAt(entry, key)?.trim() || undefined;
  const access = text("access_token") ?? "";
  const refresh = text("refresh_token");
  if (access === "" && refresh === undefined) return undefined;
  const identity = identityOf(text("id_token"), access);
  return {
    tokens: { access, refresh, expiresAt: access === "" ? 0 : (endOf(entry) ?? expiryOf(access) ?? 0) },
    identity: { ...identity, accountId: text("chatgpt_account_id") ?? identity.accountId },
  };
}

/** Epoch ms. Go writes the year 1 where it knows no time. */
function endOf(entry: JsonObject): number | undefined {
  for (const key of ["expires_at", "expiry"]) {
    const time = numberAt(entry, key) ?? Date.parse(stringAt(entry, key) ?? "");
    const ms = typeof entry[key] === "number" && time < FIRST_MS ? time * 1000 : time;
    if (ms > 0) return ms;
  }
  return undefined;
}
