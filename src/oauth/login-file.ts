// A file with logins of whichever program, told apart by its shape: what `import` is given.

import { isObject, type Json, type JsonObject, stringAt } from "../core/json.ts";
import { CODEX_CLIENT, CODEX_ISSUER, type CodexLogin, codexLogin, isCodexFile } from "./codex-file.ts";
import { readForeignFile } from "./foreign-file.ts";
import { type StateLogin, tokenState } from "./token-state.ts";

/** A login found in a file, not kept yet. */
export interface FoundLogin extends StateLogin {
  /** Where it can be renewed, and as which client; undefined when only the account in the configuration knows. */
  readonly site: LoginSite | undefined;
}

export interface LoginSite {
  readonly issuer: string;
  readonly clientId: string;
  /** Whether each is what an account has when its configuration does not name it. */
  readonly usual: { readonly issuer: boolean; readonly clientId: boolean };
}

/** By account name; Codex's has none, and is called so. */
export interface LoginFile {
  readonly kind: "codex" | "token_state";
  readonly logins: ReadonlyMap<string, FoundLogin>;
}

/** @throws LoginFileError with words for the operator */
export async function readLoginFile(path: string): Promise<LoginFile> {
  const file = await readForeignFile(path);
  if (isCodexFile(file))
    return { kind: "codex", logins: new Map([["codex", found(codexLogin(file, path))]]) };
  if (isFlat(file)) {
    const name = stringAt(file, "email") || "codex";
    return { kind: "token_state", logins: new Map([[name, found(codexLogin({ tokens: file }, path))]]) };
  }
  const logins = [...tokenState(file, path)].map(
    ([name, login]) => [name, { ...login, site: undefined }] as const,
  );
  return { kind: "token_state", logins: new Map(logins) };
}

/** CLIProxyAPI keeps each login in a file of its own, with the tokens beside `"type": "codex"`. */
function isFlat(file: Json): file is JsonObject {
  const tokens = [stringAt(file, "access_token"), stringAt(file, "refresh_token")];
  return isObject(file) && stringAt(file, "type") === "codex" && tokens.some((each) => each !== undefined);
}

function found({ tokens, identity, issuer, clientId }: CodexLogin): FoundLogin {
  const usual = { issuer: issuer === CODEX_ISSUER, clientId: clientId === CODEX_CLIENT };
  return { tokens, identity, site: { issuer, clientId, usual } };
}
