// Security, seen from the network: who may call what, and what a gateway refuses to start with.
import { expect, test } from "bun:test";
import { readConfig } from "../../src/config/load.ts";
import { routeTable, type Routes } from "../../src/http/server.ts";
import { get, send, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { spawnGateway, startGateway } from "../support/gateway.ts";
import { ask } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { startUpstream } from "../support/upstream.ts";

const HERE = "http://127.0.0.1:1";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;
/** What anybody may ask, and what comes of it for a stranger on this machine. */
const FREE: Readonly<Record<string, number>> = { "/health": 200, "/health/live": 200, "/health/ready": 200 };

const nowhere = (): Response => new Response();
const ROUTES: Routes = {
  exchange: async () => nowhere(),
  errand: async () => nowhere(),
  sockets: {
    admit: () => undefined,
    converse: async () => nowhere(),
    changed: () => false,
  } as unknown as Routes["sockets"],
  models: nowhere,
  health: nowhere,
  live: nowhere,
  ready: nowhere,
  login: nowhere,
  paste: nowhere,
  confirm: nowhere,
};

test("S1: the gateway does not start without client keys, with sample keys, or with keys under 16 characters", async () => {
  const starts = async (tokens: readonly string[]): Promise<boolean> => {
    const config = { ...gatewayConfig([account("a", HERE)]), auth_tokens: tokens };
    return (await readConfig(JSON.stringify(config), "/etc/gateway", {})).ok;
  };
  for (const key of [
    "sk-your-api-key-for-clients",
    "replace-with-a-long-random-key",
    "short",
    "x".repeat(15),
    "",
  ])
    expect([key, await starts([key])]).toEqual([key, false]);
  expect(await starts([])).toBe(false);
  expect(await starts(["c2f0b1d4e5a69788"])).toBe(true);
});

test("S2: without listen_addr it listens on loopback alone", async () => {
  const { listen_addr: _, ...config } = gatewayConfig([account("a", HERE)]);
  const loaded = await readConfig(JSON.stringify(config), "/etc/gateway", {});
  expect(loaded.ok && loaded.config.listen).toEqual({ host: "127.0.0.1", port: 8080 });
});

test("S3: without a key every route but health and the way to a login answers 401, whatever the method", async () => {
  await using gateway = await startGateway(gatewayConfig([account("a", HERE)]));
  const paths = [
    ...routeTable(ROUTES).keys(),
    "/v1/models/gpt-5",
    "/v1/embeddings",
    "/v1/messages/count_tokens",
    "/v1/responses/compact",
    "/responses/compact",
    "/metrics",
    "/admin",
    "/",
  ];
  expect(paths.length).toBeGreaterThan(15);
  for (const path of paths)
    for (const method of METHODS) {
      const reply = await send(gateway.url, { method, path, body: ask("messages", { stream: false }) }).reply;
      const isFree = path in FREE && (method === "GET" || method === "HEAD");
      const where = `${method} ${path}`;
      if (isFree) expect([where, reply.status]).toEqual([where, FREE[path] ?? 0]);
      else expect([where, harmless(path, method, reply)]).toEqual([where, true]);
    }
  expect(gateway.active()).toBe(0);
});

/** 401, or what says only that there is nothing here. Pages of the sign-in ask for a right of their own. */
function harmless(path: string, method: string, reply: Reply): boolean {
  if (path.startsWith("/auth/")) return reply.status >= 400 && reply.status < 500;
  if (path === "/" && method === "HEAD") return reply.status === 200 && reply.body.length === 0;
  return reply.status === 401 || reply.status === 404 || reply.status === 405;
}

test("S4: to a stranger health is one word", async () => {
  await using gateway = await startGateway(gatewayConfig([account("an-account-of-ours", HERE)]));
  const reply = await get(gateway.url, "/health");
  expect(reply.json()).toEqual({ status: "ok" });
  const known = await get(gateway.url, "/health", { key: CLIENT_KEY });
  expect(known.text()).toContain("an-account-of-ours");
});

test("S5: two different keys in one request are refused, and neither is tried", async () => {
  await using gateway = await startGateway(gatewayConfig([account("a", HERE)]));
  const headers = [
    ["authorization", `Bearer ${CLIENT_KEY}`],
    ["x-api-key", "another-key-that-is-long"],
  ] as const;
  const reply = await send(gateway.url, { method: "POST", path: "/v1/messages", headers, body: {} }).reply;
  expect(reply.status).toBe(400);
});

test("S10: a preflight of another site's page gets no permission", async () => {
  await using gateway = await startGateway(gatewayConfig([account("a", HERE)]));
  for (const path of ["/v1/messages", "/v1/chat/completions", "/health", "/auth/login"]) {
    const headers = [
      ["origin", "https://evil.test"],
      ["access-control-request-method", "POST"],
    ] as const;
    for (const method of ["OPTIONS", "GET"]) {
      const reply = await send(gateway.url, { method, path, headers, key: CLIENT_KEY }).reply;
      const given = reply.headers.filter(([name]) => name.toLowerCase().startsWith("access-control-"));
      expect(given).toEqual([]);
    }
  }
});

test("S20: an answer that leads elsewhere is not followed, and a credential goes to its own upstream only", async () => {
  await using trap = await startUpstream();
  trap.otherwise(provider({}));
  await using claude = await startUpstream();
  await using gpt = await startUpstream();
  claude.otherwise((_request, connection) =>
    connection.finish(`HTTP/1.1 307 Go\r\nlocation: ${trap.url}/v1/messages\r\ncontent-length: 0\r\n\r\n`),
  );
  gpt.otherwise(provider({ text: "ok" }));
  await using gateway = await startGateway(
    gatewayConfig([account("claude", claude.url), account("gpt", gpt.url, { platform: "openai" })]),
  );
  const models = { claude: "claude-sonnet-5", gpt: "gpt-5.1" };
  for (const model of Object.values(models))
    for (const stream of [true, false])
      await send(gateway.url, {
        method: "POST",
        path: "/v1/chat/completions",
        key: CLIENT_KEY,
        body: ask("chat", { model, stream }),
      }).reply;
  expect(trap.connections).toBe(0);
  for (const [upstream, name] of [
    [claude, "claude"],
    [gpt, "gpt"],
  ] as const) {
    expect(upstream.requests.length).toBeGreaterThan(0);
    for (const request of upstream.requests) {
      const sent = `${JSON.stringify(request.headers)} ${request.body.toString("latin1")}`;
      const found = secretsIn(sent);
      expect(found.length).toBe(1);
      expect(found[0]).toContain(`account-${name}`);
    }
  }
});

test("S21: addresses of clouds' metadata and of links are refused in every way of writing them", async () => {
  const hosts = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "metadata.google.internal",
    "metadata.google.internal.",
    "0.0.0.0",
    "[::]",
    "224.0.0.1",
  ];
  for (const host of hosts)
    for (const field of ["base_url", "proxy"]) {
      const url = `${field === "proxy" ? "http" : "https"}://${host}`;
      const config = gatewayConfig([account("a", HERE, { more: { [field]: url } })]);
      const loaded = await readConfig(JSON.stringify(config), "/etc/gateway", {});
      expect([field, host, loaded.ok]).toEqual([field, host, false]);
    }
});

test("S33: the gateway listens on its own port and no other: there is no debugger", async () => {
  await using gateway = await spawnGateway(gatewayConfig([account("a", HERE)]));
  const tcp = await Bun.file(`/proc/${gateway.pid}/net/tcp`).text();
  const own = new Set((await sockets(gateway.pid)).map(String));
  const listening = tcp
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && own.has(fields[9] ?? ""));
  expect(listening.map((fields) => Number.parseInt(fields[1]?.split(":")[1] ?? "", 16))).toEqual([
    Number(new URL(gateway.url).port),
  ]);
});

async function sockets(pid: number): Promise<readonly number[]> {
  const { readdir, readlink } = await import("node:fs/promises");
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
  );
  return links.flatMap((link) => (link.startsWith("socket:[") ? [Number(link.slice(8, -1))] : []));
}
