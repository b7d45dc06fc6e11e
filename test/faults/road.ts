// Faults of the road to an upstream: names that lead nowhere, certificates that are not to be trusted, proxies that fail.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { account, gatewayConfig, writeConfig } from "../support/gateway-config.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { startUpstream } from "../support/upstream.ts";
import { expectAttempts, expectError, expectGood, expectHits, expectNotCooled } from "./check.ts";
import { PATIENT, stage, type Case, type Row } from "./row.ts";

const FAILED = { status: 502, anthropic: "api_error", openai: "server_error", code: "upstream_failed" };
const AT_ONCE_MS = 3_000;
const CERTIFICATES = join(import.meta.dirname, "..", "fixtures", "tls");

interface Ways {
  readonly more?: JsonObject;
  /** What a resolver takes is its own business. */
  readonly withinMs?: number;
}

/** The first account cannot be reached: the next answers at once, nobody rests; alone, a 502 is told. */
async function passedOver(
  each: Case,
  url: string,
  { more = {}, withinMs = AT_ONCE_MS }: Ways = {},
): Promise<void> {
  {
    await using play = await stage(each, { accounts: [{ url, more }, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, "first:route second:ok");
    assert.ok(reply.endAtMs < withinMs, `at once, not after ${reply.endAtMs} ms`);
    expectNotCooled(play, "first");
  }
  await using alone = await stage(each, { accounts: [{ url, more }], config: PATIENT });
  const verdict = await expectError(each, alone, await alone.ask(), FAILED);
  assert.doesNotMatch(verdict.error?.message ?? "", /invalid|localhost|127\.0\.0\.1/, "no address is told");
}

async function nameLeadsNowhere(each: Case): Promise<void> {
  await passedOver(each, "https://nobody.invalid", { withinMs: 15_000 });
}

/** Who answers a TLS greeting in ways that are no TLS. */
const GREETINGS: Readonly<Record<string, (socket: Socket) => void>> = {
  "no TLS": (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
};

async function untrusted(each: Case): Promise<void> {
  for (const name of ["good", "elsewhere", "expired"]) {
    const [cert, key] = ["pem", "key"].map((kind) =>
      readFileSync(join(CERTIFICATES, `${name}.${kind}`), "utf8"),
    );
    let hits = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert: cert ?? "", key: key ?? "" },
      fetch: () => ((hits += 1), new Response("{}")),
    });
    try {
      await passedOver(each, `https://localhost:${server.port}`);
      assert.equal(hits, 0, `nothing is sent to a server with the certificate "${name}"`);
    } finally {
      await server.stop(true);
    }
  }
  for (const greet of Object.values(GREETINGS)) {
    await using server = await listener((socket) => socket.once("data", () => greet(socket)));
    await passedOver(each, `https://localhost:${server.port}`);
  }
}

/** A server that takes the greeting and says nothing is given up when the connect timeout is over, or the answer's. */
async function stalledGreeting(each: Case): Promise<void> {
  await using server = await listener(() => undefined);
  const config = {
    ...PATIENT,
    connect_timeout: "400ms",
    first_event_timeout: "600ms",
    response_timeout: "600ms",
  };
  const url = `https://localhost:${server.port}`;
  await using play = await stage(each, { accounts: [{ url }, {}], config });
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  assert.ok(
    reply.endAtMs > 150 && reply.endAtMs < AT_ONCE_MS,
    `after the limit, not after ${reply.endAtMs} ms`,
  );
}

async function proxyFails(each: Case): Promise<void> {
  await using direct = await startUpstream();
  await passedOver(each, direct.url, { more: { proxy: "http://127.0.0.1:1" } });
  await using wary = await listener((socket) => {
    socket.once("data", () =>
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"),
    );
  });
  await passedOver(each, direct.url, { more: { proxy: `http://127.0.0.1:${wary.port}` } });
  // A tunnel that is refused.
  await passedOver(each, `https://localhost:${direct.port}`, {
    more: { proxy: `http://127.0.0.1:${wary.port}` },
  });
  assert.equal(direct.connections, 0, "nobody is asked without the proxy");
}

/** An address that cannot be a proxy's is refused before anything is sent. */
async function badProxyIsRefused(each: Case): Promise<void> {
  for (const proxy of ["127.0.0.1:3128", "ftp://proxy.test", "http://", "not a url"]) {
    const file = await writeConfig(
      gatewayConfig([account("first", "http://127.0.0.1:1", { more: { proxy } })]),
    );
    const loaded = await loadConfig(file.path);
    await file.remove();
    assert.ok(!loaded.ok, `${proxy} is refused`);
    assert.ok(
      loaded.problems.some(({ path }) => path.includes("proxy")),
      `the problem of ${proxy} has a place`,
    );
  }
  await using play = await stage(each, { accounts: [{}] });
  await expectGood(play, await play.ask(), "first");
  expectHits(play, "first", 1);
}

interface Listener extends AsyncDisposable {
  readonly port: number;
}

async function listener(greet: (socket: Socket) => void): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    greet(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

export const ROWS: readonly Row[] = [
  { number: 3, title: "a name that leads nowhere: as a refused connection", run: nameLeadsNowhere },
  {
    number: 4,
    title: "a certificate not to be trusted, or no TLS: nothing is sent",
    async run(each) {
      await untrusted(each);
      await stalledGreeting(each);
    },
  },
  {
    number: 5,
    title: "the account's proxy is down or refuses: never direct",
    async run(each) {
      await proxyFails(each);
      await badProxyIsRefused(each);
    },
  },
];
