// The fuzzing in short: `npm run fuzz` plays a hundred times as many inputs.
import { expect, test } from "bun:test";
import { fuzz } from "./target.ts";
import { TARGETS } from "./targets.ts";

test.each(TARGETS.map((target) => [target.name, target.short, target] as const))(
  "%s: %d inputs are taken as they should be",
  async (_name, inputs, target) => {
    const { findings, inputs: played } = await fuzz(target, { from: 1, inputs, minutes: 2 });
    expect(findings).toEqual([]);
    expect(played).toBe(inputs);
  },
  120_000,
);
