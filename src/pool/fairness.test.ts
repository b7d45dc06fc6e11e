// Keys that ask for more than there is get equal shares of it.
import { expect, test } from "bun:test";
import { memoryRecords } from "../../test/support/memory-records.ts";
import { seeded } from "../../test/support/seeded.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { createPool } from "./pool.ts";
import { account, ask, key, SETTINGS, Trip } from "./rig.test.ts";

test("equal keys get equal shares under a tenfold overload", async () => {
  const names = Array.from({ length: 10 }, (_, at) => `k${at}`);
  const clock = new VirtualClock();
  const pool = createPool({
    accounts: [account("a", { concurrency: 2 }), account("b", { concurrency: 2 })],
    settings: { ...SETTINGS, maxQueue: 60, keys: 10 },
    clock,
    random: seeded(7),
    records: memoryRecords(),
    log: () => undefined,
  });
  const random = seeded(11);
  const served = new Map(names.map((name) => [name, 0]));
  const running = new Set<Trip>();
  const waiting = new Set<Trip>();
  for (let tick = 0; tick < 3_000; tick += 1) {
    // The first key asks ten times as much as the others, and each of them more than its share.
    const asked = tick % 2 === 0 ? names : ["k0", "k0", "k0", "k0", "k0"];
    for (const name of asked) {
      const trip = new Trip(pool, ask({ key: key(name) }), () => true);
      waiting.add(await trip.next());
    }
    for (const trip of running) if (random() < 0.2) running.delete(await trip.end());
    clock.advance(100);
    for (const trip of waiting) {
      if (!trip.isWaiting) waiting.delete(trip);
      if (trip.lease === undefined) continue;
      running.add(trip);
      served.set(trip.ask.key.name, (served.get(trip.ask.key.name) ?? 0) + 1);
    }
  }
  const counts = [...served.values()];
  const sum = counts.reduce((all, count) => all + count, 0);
  const squares = counts.reduce((all, count) => all + count * count, 0);
  expect((sum * sum) / (counts.length * squares)).toBeGreaterThan(0.95);
  expect(sum).toBeGreaterThan(2_000);
});
