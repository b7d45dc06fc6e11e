// Records and logins that live and die with the process: for tests, and for whoever wants no file.

import type { ExchangeRecord } from "../core/exchange.ts";
import type { LoginStore, SealedLogin } from "../core/login.ts";
import type { Clock, Records, SavedState } from "../core/ports.ts";
import { isLive } from "./common.ts";

const MAX_ROWS = 10_000;

export interface MemoryRecords extends Records {
  /** The newest exchanges, oldest first. */
  readonly rows: readonly ExchangeRecord[];
}

export function memoryRecords(): MemoryRecords {
  const rows = new Map<string, ExchangeRecord>();
  const states = new Map<string, SavedState>();
  let open = true;
  return {
    get rows() {
      return [...rows.values()];
    },
    append(record) {
      if (!open || rows.has(record.id)) return;
      rows.set(record.id, record);
      const [oldest] = rows.keys();
      if (rows.size > MAX_ROWS && oldest !== undefined) rows.delete(oldest);
    },
    save(state) {
      if (open) states.set(`${state.kind}\0${state.key}`, state);
    },
    load(kind, now) {
      if (!open) return [];
      for (const [key, state] of states) if (!isLive(state, now)) states.delete(key);
      const found = [...states.values()].filter((state) => state.kind === kind);
      return found.sort((a, b) => a.expiresAt - b.expiresAt);
    },
    flush() {},
    close() {
      open = false;
    },
  };
}

/** Several keepers of one process may share it. `close` does nothing: the next keeper finds what the last one left. */
export function memoryLoginStore(clock: Clock): LoginStore {
  const logins = new Map<string, SealedLogin>();
  const claims = new Map<string, { readonly owner: string; readonly endsAt: number }>();
  return {
    load: async (account) => logins.get(account),
    versions: async () => new Map([...logins].map(([account, { version }]) => [account, version])),
    commit: async ({ account, version, sealed }) => {
      if (version !== (logins.get(account)?.version ?? 0) + 1) return false;
      logins.set(account, { account, version, sealed });
      return true;
    },
    claim: async (account, owner, ms, isDead = () => false) => {
      const held = claims.get(account);
      const now = clock.now();
      if (held !== undefined && held.owner !== owner && held.endsAt > now && !isDead(held.owner))
        return false;
      claims.set(account, { owner, endsAt: now + ms });
      return true;
    },
    renounce: async (account, owner) => {
      if (claims.get(account)?.owner === owner) claims.delete(account);
    },
    close() {},
  };
}
