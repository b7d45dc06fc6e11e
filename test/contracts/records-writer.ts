// A process that writes records until it is killed: `bun records-writer.ts FILE`. It names each batch on its
// output once `flush` has returned.

import { writeSync } from "node:fs";
import { systemClock } from "../../src/core/clock.ts";
import { openRecords } from "../../src/stores/sqlite.ts";
import { exchangeOf, stateOf } from "./records.ts";

export const ROWS = 7;

if (import.meta.main) {
  const [, , path = ""] = process.argv;
  const log = (): void => {};
  const records = openRecords({ path, clock: systemClock, log });
  const [last] = records.load("sticky", systemClock.wall());
  for (let batch = Number(last?.value ?? 0) + 1; ; batch++) {
    const startedAt = systemClock.wall();
    for (let n = 0; n < ROWS; n++) records.append(exchangeOf(`${batch}-${n}`, { startedAt }));
    records.save(stateOf("batch", { value: String(batch), expiresAt: startedAt + 3_600_000 }));
    records.flush();
    writeSync(1, `${batch}\n`);
    // Timers get their turn, so that old rows are looked for as well.
    if (batch % 10 === 0) await Bun.sleep(0);
  }
}
