import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { loadConfig } from "../../src/config/load.ts";
import {
  account,
  CLIENT_KEY,
  credentialOf,
  gatewayConfig,
  secretsIn,
  writeConfig,
} from "./gateway-config.ts";
import { memoryRecords } from "./memory-records.ts";

const HERE = "http://127.0.0.1:1";

describe("the config of a test", () => {
  test("is one the gateway takes", async () => {
    const openai = account("b", HERE, { platform: "openai", more: { concurrency: 2 } });
    const file = await writeConfig(gatewayConfig([account("a", HERE), openai]));
    const loaded = await loadConfig(file.path, {});
    expect(loaded).toMatchObject({ ok: true });
    await file.write("{ broken");
    expect(await loadConfig(file.path, {})).toMatchObject({ ok: false });
    expect(await readFile(file.path, "utf8")).toBe("{ broken");
    await file.remove();
    expect(existsSync(file.folder)).toBe(false);
  });

  test("holds only credentials that are found again in any output", () => {
    const text = JSON.stringify(gatewayConfig([account("a", HERE)]));
    expect(secretsIn(text)).toHaveLength(4);
    expect(secretsIn(`bearer ${credentialOf("a")} and ${CLIENT_KEY}`)).toHaveLength(2);
    expect(secretsIn("nothing of that kind")).toEqual([]);
  });
});

describe("records in memory", () => {
  test("give back what was saved under a kind, once, and not what has run out", () => {
    const records = memoryRecords();
    records.save({ kind: "sticky", key: "k", value: "old", expiresAt: 10 });
    records.save({ kind: "sticky", key: "k", value: "new", expiresAt: 10 });
    records.save({ kind: "cooldown", key: "k", value: "cold", expiresAt: 10 });
    expect(records.load("sticky", 9).map((state) => state.value)).toEqual(["new"]);
    expect(records.load("sticky", 10)).toEqual([]);
  });
});
