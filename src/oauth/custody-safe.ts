// The store as custody sees it: documents instead of sealed texts.

import type { LoginStore, SealedLogin } from "../core/login.ts";
import { type LoginDocument, readDocument, writeDocument } from "./custody-document.ts";
import { hasDied } from "./owner.ts";
import type { Vault } from "./vault.ts";

export type Kept =
  | { readonly kind: "none"; readonly version: 0 }
  | { readonly kind: "login"; readonly version: number; readonly document: LoginDocument }
  /** Words for the operator: another key, or damage. */
  | { readonly kind: "unreadable"; readonly version: number; readonly reason: string };

export interface Safe extends Pick<LoginStore, "versions" | "claim" | "renounce"> {
  /** @throws when the store cannot be read */
  read(account: string): Promise<Kept>;
  /** As `LoginStore.commit`. @throws when the store cannot write now, or nothing can be sealed */
  write(account: string, version: number, document: LoginDocument): Promise<boolean>;
}

export function openSafe(store: LoginStore, vault: Vault): Safe {
  return {
    async read(account) {
      const login = await store.load(account);
      return login === undefined ? { kind: "none", version: 0 } : unseal(vault, login);
    },
    // Not a plain function: what sealing throws must come as a rejection.
    async write(account, version, document) {
      const isFirst = version === 1 && (await store.versions()).size === 0;
      const sealed = vault.seal({ account, version }, writeDocument(document), isFirst);
      return store.commit({ account, version, sealed });
    },
    versions: () => store.versions(),
    claim: (account, owner, ms) => store.claim(account, owner, ms, hasDied),
    renounce: (account, owner) => store.renounce(account, owner),
  };
}

function unseal(vault: Vault, login: SealedLogin): Kept {
  const { version } = login;
  try {
    const document = readDocument(vault.open(login));
    if (document !== undefined) return { kind: "login", version, document };
    return { kind: "unreadable", version, reason: "it holds no login that this version knows" };
  } catch (error) {
    return { kind: "unreadable", version, reason: error instanceof Error ? error.message : "unknown" };
  }
}
