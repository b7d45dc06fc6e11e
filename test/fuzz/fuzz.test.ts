// Fuzzing in short: `npm run fuzz` tries as many inputs as are asked for.
import { expect, test } from "bun:test";
import { SseReader } from "../../src/core/sse.ts";
import { PROTOCOLS, sampleStream } from "../support/samples.ts";
import { fuzz } from "./target.ts";
import { TARGETS } from "./targets.ts";
import { literal } from "./whatwg.ts";

for (const target of TARGETS) {
  test(`${target.short} inputs of ${target.name} are read as they should be`, () => {
    expect(fuzz(target, { from: 1, count: target.short }).findings).toEqual([]);
  }, 60_000);
}

test("what is wrong is found, with the seed that finds it again", () => {
  const picky = { ...target("even"), check: (input: number) => (input % 7 === 3 ? "a three" : undefined) };
  const { findings } = fuzz(picky, { from: 1, count: 200 });
  expect(findings.length).toBeGreaterThan(3);
  const [first] = findings;
  expect(fuzz(picky, { from: first?.seed ?? 0, count: 1 }).findings).toEqual(
    first === undefined ? [] : [first],
  );
});

function target(name: string): {
  name: string;
  short: number;
  make(chance: () => number): number;
  show(input: number): string;
} {
  return { name, short: 1, make: (chance) => Math.floor(chance() * 1_000), show: String };
}

for (const protocol of PROTOCOLS) {
  test(`a recorded ${protocol} stream says the same however it is parted in two, and in three`, () => {
    const bytes = sampleStream(protocol, "length");
    const due = JSON.stringify(literal(bytes.toString("utf8")));
    const said = (pieces: readonly Buffer[]): string => {
      const reader = new SseReader();
      const frames = pieces.flatMap((piece) => reader.push(piece));
      return JSON.stringify(
        frames.filter(({ data }) => data !== undefined).map(({ name, data }) => [name, data]),
      );
    };
    for (let at = 0; at <= bytes.length; at += 1)
      expect(said([bytes.subarray(0, at), bytes.subarray(at)])).toBe(due);
    const short = bytes.subarray(0, 400);
    const part = JSON.stringify(literal(short.toString("utf8")));
    for (let first = 0; first <= short.length; first += 1)
      for (let second = first; second <= short.length; second += 1)
        if (said([short.subarray(0, first), short.subarray(first, second), short.subarray(second)]) !== part)
          throw new Error(`parted at ${first} and ${second}`);
  }, 60_000);
}
