import { expect, test } from "bun:test";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { certificate, listener } from "../faults/unreached.ts";
import { json } from "../support/answers.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { blackHole, closedPort } from "../support/ports.ts";
import { type Answer, startUpstream, type Upstream } from "../support/upstream.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import { doctorDesk, openImportDesk } from "../../src/desks.ts";
import { createDoctorCommand } from "../../src/cli/doctor.ts";
import type { Finding } from "../../src/cli/doctor-findings.ts";
import type { Io } from "../../src/cli/io.ts";
import { login } from "../../src/cli/test-import.ts";
import { type TestIo, testIo } from "../../src/cli/test-io.ts";

const run = createDoctorCommand({ desk: doctorDesk, clock: systemClock });
const HOUR = 3_600_000;

interface Setup {
  readonly accounts?: readonly JsonObject[];
  readonly config?: JsonObject;
  /** Instead of a config that is made of these. */
  readonly text?: string;
  readonly env?: Io["env"];
  /** Breaks what lies in the folder. */
  readonly prepare?: (folder: string) => Promise<unknown>;
}

interface Examined {
  readonly io: TestIo;
  readonly code: number;
  readonly findings: readonly Finding[];
  /** The one about this; the subject's end is enough. */
  find(subject: string, state?: Finding["state"]): Finding | undefined;
}

async function examined(setup: Setup, ...args: string[]): Promise<Examined> {
  const io = await testIo(setup.env);
  const port = await closedPort();
  const config = gatewayConfig(setup.accounts ?? [account("one", "http://127.0.0.1:1")], {
    listen_addr: `127.0.0.1:${port}`,
    ...setup.config,
  });
  await writeFile(join(io.cwd, "config.json"), setup.text ?? JSON.stringify(config), { mode: 0o600 });
  await setup.prepare?.(io.cwd);
  const code = await run(["--json", ...args], io);
  const { ok, findings }: { ok: boolean; findings: Finding[] } = JSON.parse(io.out());
  expect(ok).toBe(code === 0);
  expect(secretsIn(io.out() + io.err())).toEqual([]);
  return {
    io,
    code,
    findings,
    find: (subject, state = "fail") =>
      findings.find((each) => each.state === state && each.subject.endsWith(subject)),
  };
}

async function upstreamOf(answer: Answer): Promise<Upstream> {
  const upstream = await startUpstream();
  upstream.otherwise(answer);
  return upstream;
}

test("a set-up in which nothing is broken has nothing but good findings, and exits 0", async () => {
  await using upstream = await upstreamOf(json(200, { data: [] }));
  const { code, findings } = await examined({ accounts: [account("one", upstream.url)] });
  expect(findings.filter(({ state }) => state !== "ok")).toEqual([]);
  expect(code).toBe(0);
  expect(findings.map(({ subject, what }) => `${subject} ${what}`)).toContain(
    `one reaches ${new URL(upstream.url).host}, which takes its key`,
  );
  expect(upstream.requests.map(({ method, credential }) => [method, credential])).toEqual([
    ["GET", credentialOf("one")],
  ]);
});

test("no config: names where it would be, and init", async () => {
  const io = await testIo();
  expect(await run([], io)).toBe(1);
  expect(io.out()).toContain(
    `XX ${join(io.cwd, "config.json")} is not there\n  -> sub2api_simple init -config`,
  );
});

test("a config with a misspelt key: names its place and the key that was meant", async () => {
  const { code, findings } = await examined({
    text: `{\n"acounts": [],\n"auth_tokens": ["${CLIENT_KEY}"] }`,
  });
  expect(code).toBe(1);
  expect(findings.find(({ subject }) => subject.endsWith("config.json:2"))?.todo).toContain("accounts");
});

test("a variable that is not set: names it, and the line to set it", async () => {
  const accounts = [account("one", "http://127.0.0.1:1", { more: { api_key: "${NOT_SET_ANYWHERE}" } })];
  const { findings } = await examined({ accounts });
  expect(findings[0]?.what).toContain("takes the environment variable NOT_SET_ANYWHERE, which is not set");
  expect(findings[0]?.todo).toBe("export NOT_SET_ANYWHERE=…");
});

test("keys in a file that others may read: named, with the chmod that mends it", async () => {
  const setup = { prepare: (folder: string) => chmod(join(folder, "config.json"), 0o644) };
  const found = (await examined(setup, "--offline")).find("config.json", "warn");
  expect(found?.what).toContain("others on this machine may read it");
  expect(found?.todo).toContain("chmod 600");
});

test("certificates that are not looked at, and a proxy of the machine's: named by their variables", async () => {
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0", HTTPS_PROXY: "http://proxy.test:3128" };
  const { find, code } = await examined({ env }, "--offline");
  expect(code).toBe(1);
  expect(find("NODE_TLS_REJECT_UNAUTHORIZED=0")?.todo).toContain("NODE_EXTRA_CA_CERTS");
  expect(find("HTTPS_PROXY", "warn")?.what).toContain('accounts without a "proxy" of their own');
});

test("a data folder that is a file, or cannot be made: named with what stands in its way", async () => {
  const file = (folder: string) => writeFile(join(folder, "data"), "");
  expect((await examined({ prepare: file }, "--offline")).find("/data")?.what).toContain("is a file");
  const under = { prepare: file, config: { data_dir: "data/deeper" } };
  expect((await examined(under, "--offline")).find("/deeper")?.what).toContain("is a file");
});

test("a data folder that others may look into: named, and left as it is", async () => {
  const setup = { prepare: (folder: string) => mkdir(join(folder, "data"), { mode: 0o755 }) };
  const { find, io } = await examined(setup, "--offline");
  expect(find("/data", "warn")?.todo).toContain("chmod 700");
  expect((await stat(join(io.cwd, "data"))).mode & 0o777).toBe(0o755);
});

test("a database that is none: named, with --recover", async () => {
  const prepare = async (folder: string): Promise<void> => {
    await mkdir(join(folder, "data"), { mode: 0o700 });
    await writeFile(join(folder, "data", "sub2api.sqlite"), "no database".repeat(500));
  };
  const found = (await examined({ prepare }, "--offline")).find("database");
  expect(found?.what).toBe("is not an SQLite database");
  expect(found?.todo).toContain("--recover");
});

test("an account that nobody has signed in: named, with the command", async () => {
  const accounts = [{ name: "plan", platform: "openai", type: "oauth" }];
  const found = (await examined({ accounts }, "--offline")).find("plan");
  expect(found).toMatchObject({ check: "login", todo: "sub2api_simple login plan" });
});

test("logins that were sealed with another key: named, with what to put back", async () => {
  const accounts = [{ name: "plan", platform: "openai", type: "oauth" }];
  const keys = [1, 2].map((each) => Buffer.alloc(32, each).toString("base64"));
  const env = { SUB2API_MASTER_KEY: keys[0] };
  const prepare = async (folder: string): Promise<void> => {
    const loaded = await loadConfig(join(folder, "config.json"), env);
    if (!loaded.ok) throw new Error("the config is bad");
    const desk = await openImportDesk(loaded.config, env);
    await desk.signIn("plan", login(), "import", undefined);
    await desk.close();
  };
  expect((await examined({ accounts, env, prepare }, "--offline")).find("plan", "ok")?.what).toBe(
    "is signed in",
  );
  const { findings, code } = await examined(
    { accounts, prepare, env: { SUB2API_MASTER_KEY: keys[1] } },
    "--offline",
  );
  expect(code).toBe(1);
  expect(findings.find(({ check, state }) => check === "login" && state === "fail")).toBeDefined();
});

function taken(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

test("an address that another program has: named, with how to find it", async () => {
  const port = await closedPort();
  const server = await taken(port);
  try {
    const { find } = await examined({ config: { listen_addr: `127.0.0.1:${port}` } }, "--offline");
    expect(find(`:${port}`)?.what).toContain("taken by another program");
    expect(find(`:${port}`)?.todo).toContain("ss -ltnp");
  } finally {
    server.close();
  }
});

test("an address that the gateway itself has: is good, and says how it is", async () => {
  await using gateway = await startGateway(gatewayConfig([account("one", "http://127.0.0.1:1")]));
  const { host } = new URL(gateway.url);
  const { find } = await examined({ config: { listen_addr: host } }, "--offline");
  expect(find(host, "ok")?.what).toBe("is taken by the gateway, which is ok");
});

test("an address open to the network: named, with TLS and public_url", async () => {
  const port = await closedPort();
  const open = await examined({ config: { listen_addr: `:${port}` } }, "--offline");
  expect(open.find(`*:${port}`, "warn")?.todo).toContain("public_url");
  const config = { listen_addr: `:${port}`, public_url: "https://gateway.test" };
  expect((await examined({ config }, "--offline")).find(`*:${port}`, "warn")).toBeUndefined();
});

interface Way {
  readonly name: string;
  readonly what: RegExp;
  readonly todo: RegExp;
}

/** What is found of an account whose upstream or proxy is so. */
async function expectWay(accounts: readonly JsonObject[], ways: readonly Way[]): Promise<void> {
  const { find, findings, code } = await examined({ accounts });
  expect(code).toBe(1);
  for (const { name, what, todo } of ways) {
    expect(find(name)?.what ?? JSON.stringify(findings)).toMatch(what);
    expect(find(name)?.todo).toMatch(todo);
  }
}

test("upstreams that are not there, unknown, silent, or close: each named by its account and what to look at", async () => {
  using hole = await blackHole();
  await using closing = await listener((socket) => socket.destroy());
  await expectWay(
    [
      account("refused", `http://127.0.0.1:${await closedPort()}`),
      account("unknown", "https://no-such-host.invalid"),
      account("silent", hole.url),
      account("closing", `http://127.0.0.1:${closing.port}`),
    ],
    [
      { name: "refused", what: /refuses connections/, todo: /base_url is right/ },
      { name: "unknown", what: /no-such-host\.invalid is not known/, todo: /DNS/ },
      { name: "silent", what: /does not answer within 5 s/, todo: /firewalls/ },
      { name: "closing", what: /the connection was closed/, todo: /speaks HTTP/ },
    ],
  );
}, 20_000);

test("TLS that nobody vouches for, and none at all: named by what is wrong with it", async () => {
  const plain = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: certificate("good"),
    fetch: () => new Response(),
  });
  try {
    await expectWay(
      [
        account("untrusted", `https://localhost:${server.port}`),
        account("plain", `https://localhost:${plain.port}`),
      ],
      [
        { name: "untrusted", what: /nobody known vouches for/, todo: /NODE_EXTRA_CA_CERTS/ },
        { name: "plain", what: /gets no TLS connection/, todo: /http:\/\// },
      ],
    );
  } finally {
    await server.stop(true);
    await plain.stop(true);
  }
});

test("a key that its upstream refuses: named with the status, and never shown", async () => {
  await using upstream = await upstreamOf(json(401, { error: { message: "bad key" } }));
  const ways = [{ name: "one", what: /refuses its key \(401\)/, todo: /new key/ }];
  await expectWay([account("one", upstream.url)], ways);
});

test("a proxy that is not there, or wants a password: named, and nobody is asked without it", async () => {
  await using direct = await upstreamOf(json(200, {}));
  const wary = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
  await using proxy = await listener((socket) => socket.once("data", () => socket.end(wary)));
  const through = (port: number): JsonObject => ({ proxy: `http://127.0.0.1:${port}` });
  const secure = direct.url.replace("http:", "https:");
  await expectWay(
    [
      account("gone", direct.url, { more: through(await closedPort()) }),
      account("wary", direct.url, { more: through(proxy.port) }),
      account("wary-tunnel", secure, { more: through(proxy.port) }),
    ],
    [
      { name: "gone", what: /cannot reach its proxy/, todo: /proxy is right/ },
      { name: "wary", what: /not let through by its proxy/, todo: /password/ },
      { name: "wary-tunnel", what: /not let through by its proxy/, todo: /password/ },
    ],
  );
  expect(direct.connections).toBe(0);
});

test("a clock that is an hour off: named with how much, and how to set it", async () => {
  const date = new Date(Date.now() + HOUR).toUTCString();
  await using upstream = await upstreamOf(json(200, {}, { date }));
  const { find } = await examined({ accounts: [account("one", upstream.url)] });
  expect(find("clock")?.what).toMatch(/is 3[56]\d\d s behind the upstream of one/);
  expect(find("clock")?.todo).toContain("NTP");
});

test("an upstream that is not well is no fault of the set-up", async () => {
  await using upstream = await upstreamOf(json(503, {}));
  const { find, code } = await examined({ accounts: [account("one", upstream.url)] });
  expect(code).toBe(0);
  expect(find("one", "warn")?.what).toContain("is not well (503)");
});

test("people get a line for each, and what to do below it; marks and colours where they can be shown", async () => {
  const io = await testIo({ LANG: "C.UTF-8" });
  await writeFile(join(io.cwd, "config.json"), "{", { mode: 0o600 });
  expect(await run([], { ...io, stdout: { ...io.stdout, isTTY: true } as Io["stdout"] })).toBe(1);
  expect(io.out()).toContain("\u001B[31m✗\u001B[0m");
  expect(io.out()).toMatch(/\n {2}→ .+\n/);
  expect(io.out()).toMatch(/\n\n0 good, 0 to look at, [1-9]\d* broken\.\n$/);
  const help = await testIo();
  expect(await run(["--help"], help)).toBe(0);
  expect(await run(["--oflline"], help)).toBe(2);
  expect(help.err()).toContain("did you mean --offline?");
});
