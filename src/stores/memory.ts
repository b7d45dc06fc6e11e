// Records that live and die with the process: for tests, and for whoever wants no file.

import type { ExchangeRecord } from "../core/exchange.ts";
import type { Records, SavedState } from "../core/ports.ts";
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
