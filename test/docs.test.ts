// The pages that are made from the code are as it makes them.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configurationPage } from "../scripts/configuration-doc.ts";
import { configJsonSchema } from "../src/config/json-schema.ts";
import { objectAt } from "../src/core/json.ts";
import { ELSEWHERE } from "./faults/elsewhere.ts";
import { TABLE } from "./faults/table.ts";

const read = (name: string): string => readFileSync(join(import.meta.dirname, "..", "docs", name), "utf8");
const PAGE = read("configuration.md");

test("docs/configuration.md is what the schema makes", () => {
  expect(PAGE).toBe(configurationPage());
});

test("every key a config may hold has its line in docs/configuration.md", () => {
  const keys = Object.keys(objectAt(configJsonSchema(), "properties") ?? {});
  expect(keys.length).toBeGreaterThan(20);
  for (const key of keys) expect(PAGE).toContain(`\n| \`${key}\` |`);
});

test("every row of the fault suite stands in docs/reliability.md, and no other", () => {
  const lines = [...read("reliability.md").matchAll(/^\| (\d+) \| ([^|]+) \| \d+ \|$/gm)];
  const rows = [...TABLE, ...ELSEWHERE].toSorted((a, b) => a.number - b.number);
  expect(lines.map(([, number, title]) => `${number} ${title}`)).toEqual(
    rows.map(({ number, title }) => `${number} ${title}`),
  );
});
