import { expect, test } from "bun:test";
import { join } from "node:path";
import { isObject, type Json, objectAt } from "../core/json.ts";
import { good, minimal } from "./fixtures.ts";
import { configJsonSchema, keysAt, schemaAt } from "./json-schema.ts";
import { loadConfig } from "./load.ts";
import { parseConfig } from "./parse.ts";
import type { Config } from "./schema.ts";

const root = join(import.meta.dir, "../..");
const exampleFile = join(root, "config.example.json");
const schema = configJsonSchema();

/** A value for every variable that the example takes. */
function exampleEnv(text: string): Record<string, string> {
  const names = [...text.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name]) => name ?? "");
  return {
    ...Object.fromEntries(names.map((name) => [name, `value-of-${name}`])),
    PROXY_LOGIN: "user:password",
  };
}

async function loadExample(): Promise<Config> {
  const loaded = await loadConfig(exampleFile, exampleEnv(await Bun.file(exampleFile).text()));
  if (loaded.ok) return loaded.config;
  throw new Error(JSON.stringify(loaded.problems));
}

test("config.schema.json is what `bun scripts/schema.ts` writes", async () => {
  const committed: Json = await Bun.file(join(root, "config.schema.json")).json();
  expect(committed).toEqual(configJsonSchema());
});

test("every key has a description", () => {
  const undescribed: string[] = [];
  for (const place of [[], ["accounts", 0], ["client_keys", 0]] as const)
    for (const key of keysAt(schema, place))
      if (typeof schemaAt(schema, [...place, key])?.["description"] !== "string") undescribed.push(key);
  expect(undescribed).toEqual([]);
});

test("the example is good when its variables are set, and shows every form of account", async () => {
  const { accounts } = await loadExample();
  const forms = accounts.map(({ platform, type, apiKey, oauthToken, refreshToken }) => {
    const credential = apiKey ?? oauthToken ?? refreshToken ?? "browser";
    return `${platform} ${type} ${credential}`;
  });
  expect(forms).toEqual([
    "anthropic api_key value-of-ANTHROPIC_API_KEY",
    "anthropic oauth value-of-CLAUDE_OAUTH_TOKEN",
    "openai api_key value-of-OPENAI_API_KEY",
    "openai api_key value-of-COMPATIBLE_API_KEY",
    "openai oauth value-of-OPENAI_REFRESH_TOKEN",
    "openai oauth browser",
    "openai oauth value-of-CHATGPT_ACCESS_TOKEN",
  ]);
  expect(accounts.find(({ apis }) => apis.join() === "chat")?.baseUrl).toBe("http://localhost:11434/v1");
});

test("the example names every key there is", async () => {
  const parsed = parseConfig(await Bun.file(exampleFile).text());
  if (!parsed.ok || !isObject(parsed.value)) throw new Error("the example cannot be parsed");
  const top = Object.keys(parsed.value);
  expect(keysAt(schema, []).filter((key) => key !== "$schema" && !top.includes(key))).toEqual([]);
  for (const list of ["accounts", "client_keys"]) {
    const entries: Json = parsed.value[list] ?? [];
    const shown = new Set(Array.isArray(entries) ? entries.flatMap((each) => Object.keys(each ?? {})) : []);
    expect(keysAt(schema, [list, 0]).filter((key) => !shown.has(key))).toEqual([]);
  }
});

test("the example's settings are the defaults where it says so", async () => {
  const example = await loadExample();
  const defaults = await good(minimal());
  const own = [
    "authTokens",
    "clientKeys",
    "accounts",
    "adminToken",
    "dataDir",
    "trustedProxies",
    "publicUrl",
  ];
  const samples = ["modelAliases", "openaiDefaultInstructions", "modelExtraParams"];
  const rest = (config: Config): Record<string, unknown> =>
    Object.fromEntries(Object.entries(config).filter(([key]) => ![...own, ...samples].includes(key)));
  expect(rest(example)).toEqual(rest(defaults));
});

test("the schema for editors allows notes and closes every object", () => {
  expect(objectAt(schema, "patternProperties")).toEqual({ "^[_$]": {} });
  expect(schemaAt(schema, ["accounts", 0])?.["additionalProperties"]).toBe(false);
});
