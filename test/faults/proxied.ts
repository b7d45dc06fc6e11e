// Accounts with a proxy of their own: whatever becomes of the proxy, nobody is asked without it.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { loadConfig } from "../../src/config/load.ts";
import { get } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig, writeConfig } from "../support/gateway-config.ts";
import { startUpstream } from "../support/upstream.ts";
import { expectGood, expectHits } from "./check.ts";
import { chanceOf, stage, type Case, type Row } from "./row.ts";
import { listener, passedOver, TIMED_OUT, type Ways } from "./unreached.ts";

const WARY = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
const SHORT = { connect_timeout: "200ms", first_event_timeout: "300ms", response_timeout: "300ms" };

const PASSWORD = "asks for a password";

interface BadProxy {
  readonly act: (socket: Socket) => void;
  readonly ways?: Ways;
}

/** What a proxy does with a request, or with being asked for a tunnel. */
const PROXIES: Readonly<Record<string, BadProxy>> = {
  [PASSWORD]: { act: (socket) => socket.end(WARY) },
  closes: { act: (socket) => socket.end(), ways: { blamed: "account" } },
  resets: { act: (socket) => socket.resetAndDestroy(), ways: { blamed: "account" } },
  "says nothing": {
    act: () => undefined,
    ways: { blamed: "account", config: SHORT, told: TIMED_OUT },
  },
};

async function proxyFails(each: Case): Promise<void> {
  await using direct = await startUpstream();
  const addresses = [direct.url, direct.url.replace("http://127.0.0.1", "https://localhost")];
  for (const url of addresses) await passedOver(each, url, { more: { proxy: "http://127.0.0.1:1" } });
  const chance = chanceOf(each);
  for (const [how, { act, ways }] of Object.entries(PROXIES)) {
    // A request that is passed on, or a tunnel: for most of them by chance.
    for (const url of how === PASSWORD ? addresses : [addresses[Math.floor(chance() * 2)] ?? ""]) {
      await using proxy = await listener((socket) => socket.once("data", () => act(socket)));
      const more = { proxy: `http://127.0.0.1:${proxy.port}` };
      await passedOver(each, url, { ...ways, more });
      assert.ok(proxy.accepted >= 2, `a proxy that ${how} is asked`);
    }
  }
  assert.equal(direct.connections, 0, "nobody is asked without the proxy");
}

/** What an account has is asked for on the same way as everything else. */
async function modelsAreAskedThere(each: Case): Promise<void> {
  await using direct = await startUpstream();
  const accounts = [{ url: direct.url, more: { proxy: "http://127.0.0.1:1" } }, {}];
  await using play = await stage(each, { accounts });
  const list = await get(play.gateway.url, "/v1/models", { key: CLIENT_KEY });
  assert.equal(list.status, 200);
  await expectGood(play, await play.ask(), "second");
  assert.equal(direct.connections, 0, "nobody is asked without the proxy");
}

let underExceptions = 0;

/** The machine says of every address that no proxy is needed; that is about its own proxies. */
async function withExceptions(work: () => Promise<void>): Promise<void> {
  underExceptions += 1;
  process.env["NO_PROXY"] = "*";
  try {
    await work();
  } finally {
    // Cases are played side by side.
    underExceptions -= 1;
    if (underExceptions === 0) delete process.env["NO_PROXY"];
  }
}

const BAD = [
  "127.0.0.1:3128",
  "ftp://proxy.test",
  "socks5://127.0.0.1:1080",
  "http://",
  "http://127.0.0.1:99999",
  "http://proxy.test/path",
  "not a url",
];

/** An address that cannot be a proxy's is refused before anything is sent. */
async function badProxyIsRefused(each: Case): Promise<void> {
  for (const proxy of BAD) {
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

export const ROWS: readonly Row[] = [
  {
    number: 5,
    title: "the account's proxy is down, refuses or is silent: never direct",
    async run(each) {
      await withExceptions(() => proxyFails(each));
      await withExceptions(() => modelsAreAskedThere(each));
      await badProxyIsRefused(each);
    },
  },
];
