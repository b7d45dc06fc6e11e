// The pages that are made from the code are as it makes them.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configurationPage } from "../scripts/configuration-doc.ts";
import { configJsonSchema } from "../src/config/json-schema.ts";
import { objectAt } from "../src/core/json.ts";

const PAGE = readFileSync(join(import.meta.dirname, "..", "docs", "configuration.md"), "utf8");

test("docs/configuration.md is what the schema makes", () => {
  expect(PAGE).toBe(configurationPage());
});

test("every key a config may hold has its line in docs/configuration.md", () => {
  const keys = Object.keys(objectAt(configJsonSchema(), "properties") ?? {});
  expect(keys.length).toBeGreaterThan(20);
  for (const key of keys) expect(PAGE).toContain(`\n| \`${key}\` |`);
});
