// Who sealed which reasoning, for conversations that had to move: their clients go on sending what the account before
// has sealed, and nothing but the account it came from tells it from the rest. What is not remembered counts as foreign.

import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { IsForeign } from "../core/ports.ts";

const MAX_SEALS = 50_000;

export class Issuers {
  readonly #accounts = new LRUCache<string, string>({ maxSize: MAX_SEALS, sizeCalculation: () => 1 });

  note(sealed: string, account: string): void {
    this.#accounts.set(nameOf(sealed), account);
  }

  foreignTo(account: string): IsForeign {
    return (sealed) => this.#accounts.get(nameOf(sealed)) !== account;
  }
}

function nameOf(sealed: string): string {
  return hash("sha256", sealed, "base64url").slice(0, 22);
}
