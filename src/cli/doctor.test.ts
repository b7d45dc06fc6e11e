import { expect, test } from "bun:test";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { account, CANARY, secretsIn } from "../../test/support/gateway-config.ts";
import { json } from "../../test/support/answers.ts";
import { configOf, doctorRig, healthyUpstream } from "../../test/support/doctor-rig.ts";
import { startUpstream } from "../../test/support/upstream.ts";
import { RUNTIME } from "../core/version.ts";
import { command } from "./commands.ts";
import { testIo } from "./test-io.ts";

const HOUR_MS = 3_600_000;

test("a set-up that is well is well in every part, and exits 0", async () => {
  await using upstream = await healthyUpstream();
  const plan = {
    name: "plan",
    platform: "openai",
    type: "oauth",
    base_url: upstream.url,
    oauth_issuer: upstream.url,
  };
  const rig = await doctorRig({
    config: await configOf([
      account("first", upstream.url),
      account("second", upstream.url, { platform: "openai" }),
      plan,
    ]),
  });
  await rig.signIn("plan", { expiresAt: Date.now() + HOUR_MS, refresh: `${CANARY}-refresh` });
  const { code, findings, wrong } = await rig.examine();
  expect([code, wrong]).toEqual([0, []]);
  expect([...new Set(findings.map(({ check }) => check))]).toEqual([
    "config",
    "config mode",
    "open files",
    "runtime",
    "data_dir",
    "disk",
    "database",
    "listen_addr",
    "login",
    "login port",
    "upstream",
    "issuer",
    "clock",
  ]);
  expect(findings.filter(({ check }) => check === "upstream")).toEqual([
    { check: "upstream", state: "ok", subject: "first", message: expect.stringContaining("takes its key") },
    { check: "upstream", state: "ok", subject: "second", message: expect.stringContaining("takes its key") },
    { check: "upstream", state: "ok", subject: "plan", message: expect.stringContaining("is reached") },
  ]);
  expect(upstream.requests.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    "GET /",
    "GET /",
    "GET /v1/models",
    "GET /v1/models",
  ]);
  // What a login is made of goes to nobody.
  expect(upstream.requests.filter(({ path }) => path === "/").map(({ credential }) => credential)).toEqual([
    undefined,
    undefined,
  ]);
  expect(await rig.page()).toEndWith("\n\nEverything is well.\n");
});

test("every problem of a config is named with its line, and nothing that hangs on it is looked at", async () => {
  const rig = await doctorRig({
    config: '{\n"listen_adr": ":1",\n"auth_tokens": ["short"],\n"accounts": [{ "api_key": "${NO_KEY}" }]\n}',
  });
  const { code, wrong, findings } = await rig.examine();
  expect(code).toBe(1);
  expect(wrong).toEqual([
    {
      check: "config",
      state: "fail",
      subject: `${rig.config}:2`,
      message: "listen_adr is not a known key",
      advice: 'try: "listen_addr"',
    },
    {
      check: "config",
      state: "fail",
      subject: `${rig.config}:3`,
      message: expect.stringContaining("auth_tokens[0] is shorter"),
      advice: expect.stringContaining("openssl rand"),
    },
    {
      check: "config",
      state: "fail",
      subject: `${rig.config}:4`,
      message: expect.stringContaining("NO_KEY, which is not set"),
      advice: "try: export NO_KEY=…",
    },
  ]);
  expect(findings.map(({ check }) => check)).not.toContain("upstream");
});

test("a config that is not there is said, with how to make one", async () => {
  const io = await testIo();
  expect(await command(["doctor", "--json", "-c", "none.json"], io)).toBe(1);
  const path = join(io.cwd, "none.json");
  expect(JSON.parse(io.out()).findings[0]).toEqual({
    check: "config",
    state: "fail",
    subject: path,
    message: "does not exist",
    advice: expect.stringContaining(`init -config ${path}`),
  });
});

test("a config that everybody can read is only wrong while secrets stand in it", async () => {
  const proxy = `http://ann:${CANARY}@127.0.0.1:1`;
  const rig = await doctorRig({
    config: await configOf([account("first", "http://127.0.0.1:1", { more: { proxy } })]),
  });
  await chmod(rig.config, 0o644);
  const { wrong } = await rig.examine("--offline");
  expect(wrong).toEqual([
    {
      check: "config mode",
      state: "warn",
      subject: rig.config,
      message:
        "can be read by everybody (0644) and holds auth_tokens, admin_token, accounts[0].api_key, accounts[0].proxy as plain text",
      advice: expect.stringContaining(`chmod 600 ${rig.config}`),
    },
  ]);
  const config = { listen_addr: "127.0.0.1:0", auth_tokens: ["${KEY}"], accounts: [{ api_key: "${KEY}" }] };
  const without = await doctorRig({ config, env: { KEY: `${CANARY}-a-long-key` } });
  await chmod(without.config, 0o644);
  expect((await without.examine("--offline")).wrong).toEqual([]);
});

test("too few open files for the configured requests are a warning that says how many it takes", async () => {
  const config = await configOf([account("first", "http://127.0.0.1:1", { more: { concurrency: 200 } })]);
  const rig = await doctorRig({ config });
  const { wrong } = await rig.spawn({}, "ulimit -n 256");
  expect(wrong.find(({ check }) => check === "open files")).toEqual({
    check: "open files",
    state: "warn",
    subject: "limit 256",
    message: "is low: 200 requests at once and 400 that wait need about 864",
    advice: expect.stringContaining("ulimit -n 864"),
  });
});

test("an environment that takes every certificate is a fault, and its proxies are told by whom they concern", async () => {
  const config = await configOf([
    account("far", "https://nobody.invalid"),
    account("near", "http://127.0.0.1:1"),
    account("own", "https://nobody.invalid", { more: { proxy: "http://127.0.0.1:1" } }),
  ]);
  const rig = await doctorRig({ config });
  const env = {
    NODE_EXTRA_CA_CERTS: "/nowhere/ca.pem",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    HTTPS_PROXY: "http://127.0.0.1:2",
    NO_PROXY: "127.0.0.1",
  };
  const { code, wrong, findings } = await rig.spawn(env);
  expect(code).toBe(1);
  expect(wrong[0]).toEqual({
    check: "environment",
    state: "fail",
    subject: "NODE_TLS_REJECT_UNAUTHORIZED",
    message: expect.stringContaining("every certificate is taken"),
    advice: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
  });
  expect(wrong[1]).toEqual({
    check: "environment",
    state: "warn",
    subject: "NODE_EXTRA_CA_CERTS",
    message: "names /nowhere/ca.pem, which is not there",
    advice: expect.stringContaining("in PEM"),
  });
  expect(findings).toContainEqual({
    check: "environment",
    state: "ok",
    subject: "HTTPS_PROXY",
    message: expect.stringMatching(/^is set, and these accounts go by it: far; NO_PROXY/),
  });
  expect(findings).toContainEqual({
    check: "upstream",
    state: "fail",
    subject: "far",
    message: "the proxy of HTTPS_PROXY 127.0.0.1:2 is down: it refuses connections",
    advice: expect.stringContaining("change HTTPS_PROXY"),
  });
});

test("the runtime that counts is the one package.json pins", async () => {
  const pinned = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8"));
  expect(RUNTIME).toBe(pinned.dependencies.bun);
});

test("people get a line a check with what to do beneath, in signs and colours their terminal knows", async () => {
  const rig = await doctorRig({ config: await configOf([account("first", "http://127.0.0.1:1")]) });
  await chmod(rig.config, 0o644);
  const plain = await rig.page({ env: { LANG: "C" } });
  expect(plain).toMatch(/^ok config +\/.*config\.json: is good: 1 account, 2 client keys/m);
  expect(plain).toMatch(/^! {2}config mode .*\n {4}-> chmod 600/m);
  expect(plain).toMatch(
    /^X {2}upstream +first: 127\.0\.0\.1:1 is down.*\n {4}-> see host and port in base_url/m,
  );
  expect(plain).toEndWith("\n\n1 fault, 1 warning.\n");
  expect(plain).toMatch(/^[\n -~]*$/);
  const stdout = { write: () => undefined, isTTY: true };
  const fine = await rig.page({ env: { LANG: "de_DE.UTF-8" }, stdout });
  expect(fine).toContain("\u001B[32m✓\u001B[0m");
  expect(fine).toContain("\u001B[33m!\u001B[0m");
  expect(fine).toContain("\u001B[31m✗\u001B[0m");
  expect(fine).toContain("    → chmod 600");
});

test("--offline asks nobody, --help exits 0, and wrong usage exits 2", async () => {
  await using upstream = await healthyUpstream();
  const rig = await doctorRig({ config: await configOf([account("first", upstream.url)]) });
  const { code, findings } = await rig.examine("--offline");
  expect([code, upstream.connections]).toEqual([0, 0]);
  expect(findings.map(({ check }) => check)).not.toContain("upstream");
  const io = await testIo();
  expect(await command(["doctor", "--help"], io)).toBe(0);
  expect(io.out()).toContain("Examples:");
  for (const args of [["--nope"], ["word"]]) expect(await command(["doctor", ...args], io)).toBe(2);
  expect(io.err()).toContain("Usage: sub2api_simple doctor");
});

test("no key, token or password is shown, whatever is wrong and whoever repeats it", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise((request, connection) =>
    json(401, { error: { message: `not ${request.credential}` } })(request, connection),
  );
  const secret = `${CANARY}-secret`;
  const rig = await doctorRig({
    config: await configOf(
      [
        account("key", upstream.url),
        account("proxied", "https://nobody.invalid", {
          more: { proxy: `http://${CANARY}:${secret}@127.0.0.1:1` },
        }),
        { name: "bearer", type: "oauth", oauth_token: secret, base_url: upstream.url },
        {
          name: "plan",
          platform: "openai",
          type: "oauth",
          base_url: upstream.url,
          oauth_issuer: upstream.url,
          refresh_token: secret,
        },
      ],
      { client_keys: [{ name: "ann", token: secret }] },
    ),
  });
  await rig.signIn("plan", { expiresAt: 1, refresh: secret });
  await writeFile(join(rig.data, "master.key"), secret);
  await chmod(rig.config, 0o644);
  const env = { HTTPS_PROXY: `http://${CANARY}:${secret}@127.0.0.1:1` };
  const { out, code, wrong } = await rig.spawn(env);
  expect([code, wrong.map(({ check }) => check)]).toEqual([
    1,
    ["config mode", "login", "upstream", "upstream", "upstream"],
  ]);
  expect(secretsIn(out + (await rig.page()))).toEqual([]);
  // A config that cannot be used is told without its values either.
  await writeFile(
    rig.config,
    JSON.stringify({ auth_tokens: [1, secret], accounts: [{ api_key: `${secret} ` }] }),
  );
  const { wrong: bad } = await rig.spawn(env);
  expect(bad.map(({ check }) => check)).toEqual(["config", "config", "config mode"]);
});
