import { beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { complaints, good, minimal, TOKEN, withAccounts } from "./fixtures.ts";
import { loadConfig } from "./load.ts";

describe("environment variables", () => {
  test("are taken whole and within text", async () => {
    const config = minimal({ auth_tokens: ["${KEY}"], listen_addr: ":${PORT}", queue_timeout: "${WAIT}" });
    const loaded = await good(config, { KEY: TOKEN, PORT: "99", WAIT: "5s" });
    expect(loaded.authTokens).toEqual([TOKEN]);
    expect(loaded.listen).toEqual({ host: undefined, port: 99 });
    expect(loaded.queueTimeoutMs).toBe(5000);
  });

  test("are problems with their path and name when they are not set, and nothing else is said of that value", async () => {
    const config = { auth_tokens: ["${A}", "${A}"], accounts: [{ api_key: "x-${B}", base_url: "${C}" }] };
    expect(await complaints(config, { C: "https://x.test" })).toEqual([
      "auth_tokens[0] takes the environment variable A, which is not set -> export A=…",
      "auth_tokens[1] takes the environment variable A, which is not set -> export A=…",
      "accounts[0].api_key takes the environment variable B, which is not set -> export B=…",
    ]);
  });

  test("set to nothing leave an optional key out", async () => {
    const config = await good(withAccounts({ api_key: "k", proxy: "${PROXY}" }), { PROXY: "" });
    expect(config.accounts[0]?.proxy).toBeUndefined();
  });

  test("are not looked for in what was put in, nor in keys, notes and prototypes", async () => {
    const config = withAccounts({
      api_key: "${KEY}",
      _note: "${NOT_SET}",
      model_map: { "m${NOT_SET}": "m" },
    });
    expect((await good(config, { KEY: "${OTHER}" })).accounts[0]).toMatchObject({
      apiKey: "${OTHER}",
      modelMap: { "m${NOT_SET}": "m" },
    });
    expect(await complaints(withAccounts({ api_key: "${constructor}" }))).toEqual([
      expect.stringContaining("constructor, which is not set"),
    ]);
  });

  test("give way to plain text behind $$, and odd names are pointed out", async () => {
    const instructions = { m: "say $${HOME} and $5, not $${file:x}" };
    const config = await good(minimal({ openai_default_instructions: instructions }));
    expect(config.openaiDefaultInstructions["m"]).toBe("say ${HOME} and $5, not ${file:x}");
    expect(await complaints(minimal({ openai_default_instructions: { m: "echo ${1:-x}" } }))).toEqual([
      expect.stringContaining("write `$${` where you mean a plain `${`"),
    ]);
  });
});

describe("files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "config-"));
    await mkdir(join(folder, "secrets"));
    await writeFile(join(folder, "secrets", "key"), "sk-from-file\r\n\n");
    await writeFile(join(folder, "large"), new Uint8Array(1024 * 1024 + 1));
  });

  const load = async (apiKey: string, env = {}) => {
    const file = join(folder, "config.json");
    await writeFile(file, JSON.stringify(withAccounts({ api_key: apiKey })));
    return loadConfig(file, env);
  };

  test("are relative to the config's folder and lose the line break at their end", async () => {
    expect(await load("${file:secrets/key}")).toMatchObject({
      ok: true,
      config: { accounts: [{ apiKey: "sk-from-file" }] },
    });
  });

  test("may lie in a folder that an environment variable names", async () => {
    const env = { CREDENTIALS_DIRECTORY: join(folder, "secrets") };
    expect(await load("${file:${CREDENTIALS_DIRECTORY}/key}", env)).toMatchObject({ ok: true });
    expect(await load("${file:${CREDENTIALS_DIRECTORY}/key}")).toMatchObject({
      ok: false,
      problems: [{ path: "accounts[0].api_key", message: expect.stringContaining("CREDENTIALS_DIRECTORY") }],
    });
  });

  test("that are missing, folders or too large are problems with their path", async () => {
    for (const [name, reason] of [
      ["none", "cannot be read (ENOENT)"],
      ["secrets", "not a regular file"],
      ["large", "over 1 MiB"],
    ])
      expect(await load(`\${file:${name}}`)).toMatchObject({
        ok: false,
        problems: [{ path: "accounts[0].api_key", message: expect.stringContaining(reason ?? "") }],
      });
  });
});
