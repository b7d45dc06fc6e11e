import { describe, expect, test } from "bun:test";
import { nameOf, runRow } from "./runner.ts";
import { TABLE } from "./table.ts";

const WITHIN_MS = 60_000;

describe("fault matrix", () => {
  test("has each row once, in order", () => {
    const numbers = TABLE.map(({ number }) => number);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  for (const row of TABLE) {
    test(
      `row ${row.number}: ${row.title}`,
      async () => {
        const { failures, cases, filesLeft } = await runRow(row);
        expect(cases).toBeGreaterThan(0);
        expect(failures.map(({ each, error }) => `${nameOf(each)}: ${error}`)).toEqual([]);
        expect(filesLeft).toBe(0);
      },
      WITHIN_MS,
    );
  }
});
