// Ten thousand broken configs. The base holds secrets with a mark, so that a report that repeats one is seen.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "jsonc-parser";
import { isObject, type Json } from "../core/json.ts";
import { configJsonSchema, keysAt } from "./json-schema.ts";
import { type Loaded, readConfig } from "./load.ts";
import { formatProblems, type Path } from "./problems.ts";
import { mutate, mutations } from "../../test/fuzz/config-mutants.ts";
import { good } from "./fixtures.ts";

const RUNS = 10_000;
const TIMEOUT_MS = 120_000;
const MARK = "s3cr3t";

const BASE: Json = {
  listen_addr: ":8080",
  auth_tokens: [`${MARK}-0123456789-a`, "${TOKEN}"],
  client_keys: [{ name: "alice", token: `${MARK}-0123456789-b`, models: ["gpt-*"], concurrency: 2 }],
  accounts: [
    { api_key: `${MARK}-k`, priority: 10, models: ["claude-*"], reserve: { "5h": 0.1 } },
    {
      name: "b",
      platform: "openai",
      api_key: `${MARK}-l`,
      base_url: "http://localhost:1/v1",
      apis: ["chat"],
    },
    {
      name: "c",
      platform: "openai",
      refresh_token: `${MARK}-r`,
      proxy: `http://u:${MARK}@p:1`,
      disabled: true,
    },
  ],
  model_aliases: { fast: "m", best: { models: ["a", "b"] } },
  model_extra_params: { m: { reasoning: { effort: "high" } } },
  queue_timeout: "30s",
  max_body_size: 1024,
};
const ENV = { TOKEN: "token-from-the-environment" };

function load(text: string): Promise<Loaded> {
  return readConfig(text, "/etc/gateway", ENV);
}

function unknownKeys(text: string): string[] {
  const config: Json = parse(text, [], { allowTrailingComma: true });
  const schema = configJsonSchema();
  const unknown = (object: Json, at: Path): string[] =>
    isObject(object)
      ? Object.keys(object).filter((each) => !/^[_$]/.test(each) && !keysAt(schema, at).includes(each))
      : [];
  const within = (list: string): string[] => {
    const entries = isObject(config) ? config[list] : [];
    return Array.isArray(entries) ? entries.flatMap((each: Json) => unknown(each, [list, 0])) : [];
  };
  return [...unknown(config, []), ...within("accounts"), ...within("client_keys")];
}

test("the base of the mutations is good", async () => {
  expect((await good(BASE, ENV)).accounts).toHaveLength(3);
});

test(
  "changed values, keys and places never crash the loader, never let an unknown key through, never leak",
  async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(mutations, async (list) => {
        const text = JSON.stringify(list.reduce<Json>((config, each) => mutate(each, config), BASE));
        const loaded = await load(text);
        if (loaded.ok) {
          taken++;
          expect(unknownKeys(text)).toEqual([]);
          expect(loaded.config.accounts.length).toBeGreaterThan(0);
        } else {
          expect(loaded.problems.length).toBeGreaterThan(0);
          expect(formatProblems("config.json", loaded.problems)).not.toContain(MARK);
        }
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS / 100);
  },
  TIMEOUT_MS,
);

test(
  "cut, doubled and scrambled text never crashes the loader and never lets an unknown key through",
  async () => {
    const whole = JSON.stringify(BASE, null, 1);
    const cut = fc.tuple(
      fc.nat(whole.length),
      fc.nat(20),
      fc.oneof(fc.constant(""), fc.string(), fc.constantFrom('"', "{", "[", ",", "//", "/*")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), async (cuts) => {
        const text = cuts.reduce(
          (all, [at, length, put]) => all.slice(0, at) + put + all.slice(at + length),
          whole,
        );
        const loaded = await load(text);
        if (loaded.ok) expect(unknownKeys(text)).toEqual([]);
        else expect(loaded.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);

test("every beginning of a config is a problem with a place", async () => {
  const whole = JSON.stringify(BASE);
  for (let length = 0; length < whole.length; length++) {
    const loaded = await load(whole.slice(0, length));
    expect(loaded.ok).toBe(false);
    if (!loaded.ok) expect(loaded.problems[0]?.line).toBe(1);
  }
});
