// The login that the Codex program keeps in its auth.json, read and never written.
// Seen of Codex 0.169.0: {"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{"id_token","access_token",
// "refresh_token","account_id","oauth_provenance":{"issuer","client_id"},"login_owner_id"},"last_refresh":"..."}.
// Older versions lack auth_mode and the last two of the tokens.

import { isObject, type Json, objectAt, stringAt } from "../core/json.ts";
import { expiryOf, identityOf } from "./claims.ts";
import { LoginFileError, readForeignFile } from "./foreign-file.ts";
import type { Identity, Tokens } from "./login.ts";

export const CODEX_ISSUER = "https://auth.openai.com";
/** Codex's public client. */
export const CODEX_CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann";

export interface CodexLogin {
  /** `expiresAt` is 0 when the access token does not say when it ends: to be renewed before it is used. */
  readonly tokens: Tokens;
  readonly identity: Identity;
  /** Without a slash at its end. */
  readonly issuer: string;
  readonly clientId: string;
}

/** @throws LoginFileError with words for the operator */
export async function readCodexFile(path: string): Promise<CodexLogin> {
  return codexLogin(await readForeignFile(path), path);
}

/** Whether a file is Codex's, by its shape. */
export function isCodexFile(file: Json): boolean {
  if (!isObject(file)) return false;
  return "OPENAI_API_KEY" in file || "auth_mode" in file || textAt(file["tokens"], "access_token") !== "";
}

/** The login in the content of an auth.json. @throws LoginFileError */
export function codexLogin(file: Json, path: string): CodexLogin {
  const tokens = objectAt(file, "tokens");
  const access = textAt(tokens, "access_token");
  const refresh = textAt(tokens, "refresh_token") || undefined;
  if (access === "" && refresh === undefined) throw without(file, path);
  const provenance = objectAt(tokens, "oauth_provenance");
  const identity = identityOf(stringAt(tokens, "id_token"), access);
  return {
    tokens: { access, refresh, expiresAt: expiryOf(access) ?? 0 },
    // What Codex sends is its own field: it follows when somebody changes the workspace there.
    identity: { ...identity, accountId: textAt(tokens, "account_id") || identity.accountId },
    issuer: (textAt(provenance, "issuer") || CODEX_ISSUER).replace(/\/+$/, ""),
    clientId: textAt(provenance, "client_id") || CODEX_CLIENT,
  };
}

function without(file: Json, path: string): LoginFileError {
  if (textAt(file, "OPENAI_API_KEY") !== "")
    return new LoginFileError(
      "api_key_only",
      path,
      `${path} holds an API key and no ChatGPT login: give that key to an account as its api_key, or sign in ` +
        "with `codex login`",
    );
  return new LoginFileError("no_login", path, `${path} holds no login: sign in with \`codex login\` first`);
}

function textAt(value: Json | undefined, key: string): string {
  return stringAt(value, key)?.trim() ?? "";
}
