import { describe, expect, test } from "bun:test";
import { bad, complaints, good, minimal, TOKEN, withAccounts } from "./fixtures.ts";
import { nearest } from "./nearest.ts";
import { formatPath, formatProblems } from "./problems.ts";

const key = { api_key: "k" };

describe("unknown keys", () => {
  test("name the nearest known key", async () => {
    const config = {
      ...minimal(),
      listen_adr: ":1",
      accounts: [{ apiKey: "k", api_key: "k", "base-url": "x" }],
    };
    expect(await complaints(config)).toEqual([
      'accounts[0].apiKey is not a known key -> "api_key"',
      'accounts[0].base-url is not a known key -> "base_url"',
      'listen_adr is not a known key -> "listen_addr"',
    ]);
  });

  test("that belong elsewhere say where", async () => {
    expect(await complaints(minimal({ concurrency: 3 }))).toEqual([
      "concurrency is not known here; it belongs into an account",
    ]);
    expect(await complaints(withAccounts({ ...key, data_dir: "x" }))).toEqual([
      "accounts[0].data_dir is not known here; it belongs into the top level",
    ]);
  });

  test("are found inside an alias too", async () => {
    expect(await complaints(minimal({ model_aliases: { a: { models: ["m"], modls: [] } } }))).toEqual([
      'model_aliases.a.modls is not a known key -> "models"',
    ]);
  });

  test("are not guessed at when nothing is near", () => {
    expect(nearest("frobnicate", ["listen_addr", "proxy"])).toBeUndefined();
    expect(nearest("prxoy", ["listen_addr", "proxy"])).toBe("proxy");
    expect(nearest("x".repeat(10_000), ["proxy"])).toBeUndefined();
  });
});

describe("single values", () => {
  test("of the wrong kind say what they must be, with an example", async () => {
    expect(
      await complaints(withAccounts({ ...key, priority: "high", disabled: 1, concurrency: 1.5 })),
    ).toEqual([
      "accounts[0].priority must be a number, not a string -> 50",
      "accounts[0].disabled must be true or false, not a number -> false",
      "accounts[0].concurrency must be a whole number, not a fraction -> 3",
    ]);
  });

  test("of a closed list name the list and the nearest", async () => {
    expect(await complaints(withAccounts({ ...key, platform: "antropic", type: "oath" }))).toEqual([
      'accounts[0].platform must be "anthropic" or "openai" -> "anthropic"',
      'accounts[0].type must be "api_key" or "oauth" -> "oauth"',
    ]);
  });

  test("outside their range are refused", async () => {
    const limits = { name: "a", token: `${TOKEN}-2`, concurrency: 0, requests_per_minute: -1, weight: 0 };
    expect(await complaints(minimal({ client_keys: [limits], max_account_switches: -1 }))).toEqual([
      "client_keys[0].concurrency must be at least 1",
      "client_keys[0].requests_per_minute must be at least 1",
      "client_keys[0].weight must be more than 0 -> 1",
      "max_account_switches must be at least 0 -> 5",
    ]);
    expect(await complaints(withAccounts({ ...key, reserve: { "5h": 2, "5d": 0.1 } }))).toEqual([
      'accounts[0].reserve["5h"] must be at most 1',
      'accounts[0].reserve["5d"] is not a known key -> "5h"',
    ]);
  });

  test("that must be there are missed", async () => {
    expect(await complaints({ auth_tokens: [TOKEN] })).toEqual(["accounts is missing"]);
    expect(await complaints(withAccounts())).toEqual(["accounts must have at least one entry"]);
    expect(await complaints(minimal({ client_keys: [{ name: "a" }] }))).toEqual([
      'client_keys[0].token is missing -> "${ALICE_KEY}"',
    ]);
  });
});

describe("client tokens", () => {
  test("that are short, well known or broken are refused", async () => {
    for (const token of [
      "short",
      "sk-your-api-key-for-clients",
      "replace-with-a-long-random-key",
      "changeme-changeme-1",
    ])
      expect(await complaints(minimal({ auth_tokens: [token] }))).toEqual([
        expect.stringMatching(/^auth_tokens\[0\] is (?:a sample value|shorter than 16 characters) -> /),
      ]);
    expect(await complaints(minimal({ auth_tokens: ["with a space in it 123"] }))).toEqual([
      expect.stringContaining("holds a space"),
    ]);
  });

  test("that are given twice are refused, wherever they stand", async () => {
    const config = minimal({ auth_tokens: [TOKEN], client_keys: [{ token: TOKEN }], admin_token: TOKEN });
    expect(await complaints(config)).toEqual([
      "client_keys[0].token is the same token as auth_tokens[0]",
      "admin_token is the same token as auth_tokens[0]",
    ]);
  });

  test("may be client keys only, but one there must be", async () => {
    const config = await good({ accounts: [key], client_keys: [{ token: TOKEN, models: [] }] });
    expect(config.clientKeys).toMatchObject([{ name: "key-1", token: TOKEN, weight: 1 }]);
    expect(config.clientKeys[0]?.models).toBeUndefined();
    expect(await complaints({ accounts: [key] })).toEqual([
      expect.stringContaining("nobody could use the gateway"),
    ]);
  });
});

describe("accounts", () => {
  test("of one name, given or made, are refused", async () => {
    expect(
      await complaints(withAccounts({ ...key, name: "account-2" }, key, { ...key, name: "account-2" })),
    ).toEqual([
      "accounts[1].name is already the name of accounts[0]",
      "accounts[2].name is already the name of accounts[0]",
    ]);
  });

  test("without the credential of their type are refused", async () => {
    expect(
      await complaints(withAccounts({}, { type: "oauth" }, { type: "oauth", refresh_token: "r" })),
    ).toEqual([
      'accounts[0].api_key is missing: an account of type api_key needs one -> "api_key": "${ANTHROPIC_API_KEY}"',
      expect.stringContaining(
        "accounts[1].oauth_token is missing: an anthropic account of type oauth needs one",
      ),
      expect.stringContaining(
        "accounts[2].oauth_token is missing: refresh_token works with openai accounts only",
      ),
    ]);
  });

  test("with a sample for a credential are refused unless they are disabled", async () => {
    const sample = { api_key: "sk-ant-your-anthropic-api-key" };
    expect(await complaints(withAccounts(sample))).toEqual([
      expect.stringContaining("api_key is a sample value"),
    ]);
    expect((await good(withAccounts(key, { ...sample, disabled: true }))).accounts).toHaveLength(2);
  });

  test("cannot share a refresh token, which only one of them could use", async () => {
    const login = { platform: "openai", refresh_token: "r" };
    expect(await complaints(withAccounts(login, login))).toEqual([
      "accounts[1].refresh_token is also the refresh token of accounts[0]",
    ]);
  });

  test("cannot claim a protocol their platform does not speak", async () => {
    const openai = { platform: "openai", api_key: "k" };
    expect(
      await complaints(withAccounts({ ...key, apis: ["chat"] }, { ...openai, apis: ["chat", "messages"] })),
    ).toEqual([
      'accounts[0].apis[0] is not spoken by anthropic accounts of type api_key -> "platform": "openai"',
      'accounts[1].apis[1] is not spoken by openai accounts of type api_key -> "platform": "anthropic"',
    ]);
    expect((await good(withAccounts({ ...openai, apis: ["chat", "chat"] }))).accounts[0]?.apis).toEqual([
      "chat",
    ]);
  });
});

describe("reports", () => {
  test("hold every problem at once, in the order of the file, each with its place", async () => {
    const problems = await bad('{\n  "accounts": [\n    { "priority": "x" },\n  ],\n  "colour": 1\n}');
    expect(problems.map(({ path, line, column }) => [path, line, column])).toEqual([
      ["auth_tokens", 1, 1],
      ["accounts[0].api_key", 3, 5],
      ["accounts[0].priority", 3, 7],
      ["colour", 5, 3],
    ]);
  });

  test("never repeat a secret", async () => {
    const secret = "s3cr3t with spaces";
    const account = {
      api_key: secret,
      oauth_token: secret,
      proxy: `socks5://${secret}`,
      base_url: `ftp://${secret}`,
    };
    const problems = await bad({
      auth_tokens: [secret, "s3cr3t"],
      admin_token: secret,
      client_keys: [{ token: "s3cr3t", name: ["s3cr3t"] }],
      accounts: [account, { ...account, platform: "s3cr3t", type: "s3cr3t", disabled: "s3cr3t" }, "s3cr3t"],
    });
    expect(problems.length).toBeGreaterThan(12);
    expect(formatProblems("config.json", problems)).not.toContain("s3cr3t");
  });

  test("are one paragraph each for a terminal", () => {
    const problem = {
      path: "accounts[1].priority",
      message: "is wrong",
      suggestion: "50",
      line: 3,
      column: 7,
    };
    expect(formatProblems("c.json", [problem, { path: "", message: "does not exist" }])).toBe(
      "c.json:3:7: accounts[1].priority is wrong\n    try: 50\nc.json: does not exist\n",
    );
  });

  test("quote keys that are no plain words and cut very long ones", () => {
    expect(formatPath(["model_map", "gpt-5.1", 3, "a b"])).toBe('model_map["gpt-5.1"][3]["a b"]');
    expect(formatPath(["x".repeat(500)])).toHaveLength('["xxxxxxxxxxxx…"]'.length);
  });
});
