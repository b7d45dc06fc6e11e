// Records kept in memory, so that a test sees every exchange the gateway recorded and can restart it on the same state.
import type { ExchangeRecord } from "../../src/core/exchange.ts";
import type { Records, SavedState } from "../../src/core/ports.ts";

export interface MemoryRecords extends Records {
  readonly exchanges: readonly ExchangeRecord[];
}

export function memoryRecords(): MemoryRecords {
  const exchanges: ExchangeRecord[] = [];
  const states = new Map<string, SavedState>();
  return {
    exchanges,
    append: (record) => void exchanges.push(record),
    save: (state) => void states.set(`${state.kind} ${state.key}`, state),
    load: (kind, now) => [...states.values()].filter((state) => state.kind === kind && state.expiresAt > now),
    flush: () => undefined,
    close: () => undefined,
  };
}
