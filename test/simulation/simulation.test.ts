// The simulation in short: `npm run simulate` lives a hundred times as many histories.
import { expect, test } from "bun:test";
import { liveAll, type WorldName } from "./histories.ts";
import { PoolWorld } from "./pool-world.ts";
import { RefreshWorld } from "./refresh-world.ts";
import type { World } from "./world.ts";

const HISTORIES: readonly (readonly [WorldName, number])[] = [
  ["pool", 2_500],
  ["refresh", 200],
];

test.each(HISTORIES)(
  "%s: %d histories break no rule",
  async (world, count) => {
    const { findings, steps } = await liveAll(world, { from: 1, count });
    expect(findings).toEqual([]);
    expect(steps).toBeGreaterThan(count * 10);
  },
  120_000,
);

const PLANTED: readonly (readonly [string, string, (seed: number) => World])[] = [
  ["cooldowns end early", "a cooling account is left alone", (seed) => new PoolWorld(seed, "clock")],
  ["there is a slot too many", "an account's limit is never passed", (seed) => new PoolWorld(seed, "limits")],
  ["everybody may renew", "one renewal of a login at a time", (seed) => new RefreshWorld(seed, "claims")],
  ["nothing is stored", "the token that is good now is kept", (seed) => new RefreshWorld(seed, "commits")],
];

test.each(PLANTED)(
  "finds it when %s: %s",
  async (_defect, rule, create) => {
    const broken = new Set<string>();
    for (let seed = 1; seed <= 60; seed += 1)
      await create(seed)
        .live()
        .catch((error: unknown) => broken.add(String(error)));
    expect([...broken].join("\n")).toContain(rule);
  },
  60_000,
);

test("histories that once broke a rule break none any more", async () => {
  for (const from of [62_418, 75_871, 214_222, 292_301, 397_798, 724_933])
    expect((await liveAll("pool", { from, count: 1 })).findings).toEqual([]);
});
