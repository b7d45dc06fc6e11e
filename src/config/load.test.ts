import { describe, expect, test } from "bun:test";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bad, complaints, good, goodAccount, minimal, TOKEN, withAccounts } from "./fixtures.ts";
import { loadConfig } from "./load.ts";

describe("defaults", () => {
  test("a minimal config gets every default of the contract", async () => {
    const config = await good(minimal());
    expect(config).toEqual({
      listen: { host: "127.0.0.1", port: 8080 },
      authTokens: [TOKEN],
      clientKeys: [],
      adminToken: undefined,
      accounts: config.accounts,
      openaiDefaultInstructions: {},
      modelExtraParams: {},
      modelAliases: {},
      enableRequestLog: true,
      enableStreamDebugLog: false,
      enableModelDebugLog: false,
      logErrorBodies: false,
      maxAccountSwitches: 5,
      stickySessionTtlMs: 3_600_000,
      streamReadTimeoutMs: 300_000,
      connectTimeoutMs: 10_000,
      firstEventTimeoutMs: 120_000,
      responseTimeoutMs: 900_000,
      queueTimeoutMs: 30_000,
      queueSize: 64,
      maxBodyBytes: 32 * 1024 * 1024,
      shutdownGraceMs: 120_000,
      dataDir: "/etc/gateway/data",
      trustedProxies: [],
      publicUrl: undefined,
    });
  });

  test("an account with a key only is an anthropic API key account", async () => {
    expect(await goodAccount({ api_key: "sk-1" })).toEqual({
      name: "account-1",
      platform: "anthropic",
      type: "api_key",
      apiKey: "sk-1",
      oauthToken: undefined,
      refreshToken: undefined,
      clientId: undefined,
      chatgptAccountId: undefined,
      baseUrl: "https://api.anthropic.com",
      apis: ["messages"],
      proxy: undefined,
      concurrency: 3,
      priority: 50,
      weight: 1,
      models: undefined,
      modelMap: {},
      disabled: false,
      reserve: {},
      allowExtraUsage: false,
      oauthIssuer: "https://auth.openai.com",
    });
  });

  test("each platform and type has its own server and protocols", async () => {
    const key = await goodAccount({ platform: "openai", api_key: "sk-1" });
    expect([key.baseUrl, key.apis]).toEqual(["https://api.openai.com", ["responses", "chat"]]);
    const login = await goodAccount({ platform: "openai", type: "oauth" });
    expect([login.baseUrl, login.apis]).toEqual(["https://chatgpt.com/backend-api/codex", ["responses"]]);
  });

  test("the type is oauth when there is an OAuth field and no API key that contradicts it", async () => {
    const typeOf = async (account: Record<string, string>): Promise<string> =>
      (await goodAccount({ platform: "openai", ...account })).type;
    expect(await typeOf({ oauth_token: "t" })).toBe("oauth");
    expect(await typeOf({ refresh_token: "t" })).toBe("oauth");
    expect(await typeOf({ chatgpt_account_id: "a" })).toBe("oauth");
    expect(await typeOf({ api_key: "k", chatgpt_account_id: "a" })).toBe("api_key");
    expect(await typeOf({ api_key: "k", oauth_token: "t" })).toBe("oauth");
    expect(await typeOf({ type: "api_key", api_key: "k", oauth_token: "t" })).toBe("api_key");
  });

  test("priority and concurrency at or below 0 take the default", async () => {
    const account = await goodAccount({ api_key: "k", priority: -1, concurrency: 0 });
    expect([account.priority, account.concurrency]).toEqual([50, 3]);
  });

  test("empty strings, nulls and empty lists of models mean that a key is not given", async () => {
    const account = await goodAccount({ api_key: "k", name: "", base_url: "", proxy: null, models: [] });
    expect(account).toMatchObject({ name: "account-1", baseUrl: "https://api.anthropic.com" });
    expect([account.proxy, account.models]).toEqual([undefined, undefined]);
  });

  test("the queue holds twice the slots of the accounts in use, and never less than 64", async () => {
    const account = { api_key: "k", concurrency: 50 };
    const config = await good(withAccounts(account, { ...account, disabled: true }, account));
    expect(config.queueSize).toBe(200);
    expect((await good(minimal({ queue_size: 0 }))).queueSize).toBe(0);
  });

  test("0 account switches stay 0, and a stream read timeout of 0 is the default", async () => {
    const config = await good(minimal({ max_account_switches: 0, stream_read_timeout: 0 }));
    expect([config.maxAccountSwitches, config.streamReadTimeoutMs]).toEqual([0, 300_000]);
  });

  test("an alias is one model or several", async () => {
    const { modelAliases } = await good(minimal({ model_aliases: { a: "x", b: { models: ["y", "z"] } } }));
    expect(modelAliases).toEqual({ a: ["x"], b: ["y", "z"] });
  });
});

describe("text", () => {
  test("comments, trailing commas and keys that begin with _ or $ are allowed everywhere", async () => {
    const config = await good(`// a comment
      { "$schema": "./s.json", "_note": 1, "auth_tokens": ["${TOKEN}",], /* and */
        "accounts": [{ "api_key": "k", "_comment": "\${NOT_SET}", "$x": {}, "model_map": { "_c": 1, "a": "b" }, }], }`);
    expect(config.accounts[0]?.modelMap).toEqual({ a: "b" });
  });

  test("body fields in model_extra_params may begin with _ or $ and may be null", async () => {
    const extra = { m: { _x: 1, $y: null, nested: { _z: [""] } }, _note: "left out" };
    expect((await good(minimal({ model_extra_params: extra }))).modelExtraParams).toEqual({
      m: { _x: 1, $y: null, nested: { _z: [""] } },
    });
  });

  test("a syntax error names its line and column", async () => {
    const [problem] = await bad('{\n  "auth_tokens": []\n  "accounts": []\n}');
    expect(problem).toMatchObject({
      path: "",
      message: "is not valid JSON: comma expected",
      line: 3,
      column: 3,
    });
  });

  test("empty text, other values than an object, and wild nesting are problems, not crashes", async () => {
    expect(await complaints(" \n")).toEqual([expect.stringContaining("the file is empty")]);
    expect(await complaints("[]")).toEqual([expect.stringContaining("must be one object")]);
    expect(await complaints("[".repeat(200_000))).toEqual(["is nested deeper than 64"]);
  });

  test("a key that is given twice is a problem", async () => {
    const text = `{ "auth_tokens": ["${TOKEN}"], "accounts": [{ "api_key": "a", "api_key": "b" }] }`;
    expect(await complaints(text)).toEqual(["accounts[0].api_key is given twice -> keep one of the two"]);
  });

  test("__proto__ and constructor are harmless", async () => {
    const config = await good(`{ "auth_tokens": ["${TOKEN}"], "__proto__": { "log_error_bodies": true },
      "accounts": [{ "api_key": "k", "__proto__": { "base_url": "https://evil.test" } }],
      "openai_default_instructions": { "__proto__": "p", "constructor": "c" },
      "model_extra_params": { "constructor": { "__proto__": { "x": 1 }, "constructor": { "y": null } } } }`);
    expect(config.logErrorBodies).toBe(false);
    expect(config.accounts[0]?.baseUrl).toBe("https://api.anthropic.com");
    expect(Object.entries(config.openaiDefaultInstructions)).toEqual([["constructor", "c"]]);
    expect(JSON.stringify(config.modelExtraParams)).toBe('{"constructor":{"constructor":{"y":null}}}');
    expect(config.modelAliases["constructor"]).toBeUndefined();
    expect(config.accounts[0]?.modelMap["toString"]).toBeUndefined();
  });
});

describe("files", () => {
  test("a missing file is a problem that says how to make one", async () => {
    const loaded = await loadConfig(join(tmpdir(), "no-such-folder", "config.json"), {});
    expect(loaded).toEqual({
      ok: false,
      problems: [{ path: "", message: "does not exist", suggestion: expect.stringContaining("init") }],
    });
  });

  test("a folder, and text that is not UTF-8, are problems", async () => {
    const folder = await mkdtemp(join(tmpdir(), "config-"));
    expect(await loadConfig(folder, {})).toMatchObject({
      ok: false,
      problems: [{ message: "cannot be read (EISDIR)" }],
    });
    const file = join(folder, "config.json");
    await writeFile(file, Buffer.from(`\ufeff${JSON.stringify(minimal())}`, "utf16le"));
    expect(await loadConfig(file, {})).toMatchObject({
      ok: false,
      problems: [{ message: "is not UTF-8 text" }],
    });
  });

  test("a byte order mark is no problem", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "config-")), "config.json");
    await writeFile(file, `\ufeff${JSON.stringify(minimal())}`);
    expect((await loadConfig(file, {})).ok).toBe(true);
  });

  test("a thousand accounts load", async () => {
    const accounts = Array.from({ length: 1000 }, (_, i) => ({ name: `a${i}`, api_key: `k${i}` }));
    expect((await good(withAccounts(...accounts))).accounts).toHaveLength(1000);
  });
});
