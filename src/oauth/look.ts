// How a login stands, for the command that says what is wrong: nothing is renewed, saved or asked for.

import type { SealedLogin } from "../core/login.ts";
import { readCodexFile } from "./codex-file.ts";
import { type LoginDocument, readDocument, withSeed } from "./custody-document.ts";
import type { LoginAccount } from "./login.ts";
import { openVault } from "./vault.ts";
import type { VaultOptions } from "./vault-keys.ts";

export type LoginLook =
  | { readonly state: "none" }
  /** It has nothing but the refresh token of the configuration. */
  | { readonly state: "untried" }
  | { readonly state: "unreadable"; readonly reason: string }
  | { readonly state: "lost"; readonly reason: string }
  | {
      readonly state: "kept";
      /** Epoch ms; 0: the token does not say. */
      readonly expiresAt: number;
      readonly isRenewable: boolean;
      /** The file of the program that renews it. */
      readonly follow: string | undefined;
    };

export interface LookOptions extends Omit<VaultOptions, "log" | "looksOnly"> {
  /** Undefined: none is kept. */
  readonly sealed: SealedLogin | undefined;
  /** Epoch ms. */
  readonly wall: number;
}

/** Never throws: what cannot be read is told. */
export async function lookAtLogin(account: LoginAccount, options: LookOptions): Promise<LoginLook> {
  const { sealed, wall, ...place } = options;
  try {
    const kept =
      sealed === undefined ? undefined : readDocument(openVault({ ...place, looksOnly: true }).open(sealed));
    if (sealed !== undefined && kept === undefined)
      return { state: "unreadable", reason: "it holds no login that this version knows" };
    return await standing(withSeed(kept, account, wall));
  } catch (error) {
    return { state: "unreadable", reason: error instanceof Error ? error.message : "unknown" };
  }
}

async function standing(document: LoginDocument | undefined): Promise<LoginLook> {
  if (document === undefined) return { state: "none" };
  const { lost, tokens, follow } = document;
  if (follow !== undefined) return followed(follow);
  if (lost !== undefined) return { state: "lost", reason: lost };
  if (tokens.access === "") return { state: "untried" };
  const { expiresAt, refresh } = tokens;
  return { state: "kept", expiresAt, isRenewable: refresh !== undefined, follow };
}

/** What counts is in that file by now. */
async function followed(path: string): Promise<LoginLook> {
  try {
    const { tokens } = await readCodexFile(path);
    return { state: "kept", expiresAt: tokens.expiresAt, isRenewable: true, follow: path };
  } catch (error) {
    return { state: "lost", reason: error instanceof Error ? error.message : `${path} cannot be read` };
  }
}
