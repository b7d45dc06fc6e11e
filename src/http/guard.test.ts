import { expect, test } from "bun:test";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { createGuard, createPeerFinder, type Guard } from "./guard.ts";

const TOKEN = "an-admin-token-for-tests-0123456789";

function guard(clock = new VirtualClock(), token: string | undefined = TOKEN, host?: string): Guard {
  return createGuard({
    clock,
    adminToken: () => token,
    publicUrl: () => "https://Gateway.example/path",
    listenHost: () => host,
  });
}

const request = (headers: Record<string, string>): Request => new Request("http://localhost/", { headers });
const bearer = (token: string): Request => request({ authorization: `Bearer ${token}` });
const at = (address: string, headers: Record<string, string> = {}, trusted: readonly string[] = []): string =>
  createPeerFinder(() => trusted)(request(headers), { requestIP: () => ({ address }) }).address;

test("a peer is where its connection comes from, whatever it says of itself", () => {
  expect(at("192.0.2.1", { "x-forwarded-for": "127.0.0.1" })).toBe("192.0.2.1");
  expect(at("192.0.2.1", { "x-forwarded-for": "127.0.0.1" }, ["198.51.100.0/24"])).toBe("192.0.2.1");
});

test("behind trusted proxies the peer is the last address that none of them has", () => {
  const trusted = ["10.0.0.0/8", "fd00::/8"];
  expect(at("10.0.0.1", { "x-forwarded-for": "127.0.0.1, 203.0.113.9" }, trusted)).toBe("203.0.113.9");
  expect(at("10.0.0.1", { "x-forwarded-for": "6.6.6.6, 203.0.113.9, fd00::7" }, trusted)).toBe("203.0.113.9");
  expect(at("::ffff:10.0.0.1", { "x-forwarded-for": "203.0.113.9" }, trusted)).toBe("203.0.113.9");
  expect(at("10.0.0.1", { "x-forwarded-for": "nonsense" }, trusted)).toBe("10.0.0.1");
  expect(at("10.0.0.1", {}, trusted)).toBe("10.0.0.1");
  expect(at("10.0.0.1", { "x-forwarded-for": "10.0.0.2" }, trusted)).toBe("10.0.0.2");
});

test("a connection that is gone has no address and is not local", () => {
  const peer = createPeerFinder(() => [])(request({}), { requestIP: () => null });
  expect(peer).toEqual({ address: "", forwarded: false });
  expect(guard().isLocal(request({ host: "localhost" }), peer)).toBe(false);
});

test("own hosts are localhost, the public one and the one listened on, at any port", () => {
  const each = (host: string, listen?: string): boolean =>
    guard(undefined, TOKEN, listen).ownHost(request({ host }));
  for (const host of [
    "localhost",
    "localhost:80",
    "127.0.0.1:8080",
    "[::1]",
    "gateway.example",
    "GATEWAY.EXAMPLE:1",
  ])
    expect([host, each(host)]).toEqual([host, true]);
  for (const host of [
    "evil.test",
    "localhost.",
    "",
    "x@localhost",
    "localhost/",
    "127.0.0.2",
    "[::2]",
    "local host",
  ])
    expect([host, each(host)]).toEqual([host, false]);
  expect(each("192.0.2.9:8080")).toBe(false);
  expect(each("192.0.2.9:8080", "192.0.2.9")).toBe(true);
  expect(each("[fd00::1]:8080", "fd00:0::1")).toBe(true);
});

test("the admin token is right as a bearer only, and no token at all is never right", () => {
  const peer = { address: "192.0.2.1", forwarded: false };
  expect(guard().admin(request({}), peer)).toBe("none");
  expect(guard().admin(bearer(TOKEN), peer)).toBe("right");
  for (const wrong of [`${TOKEN}x`, TOKEN.slice(1), "", "undefined"])
    expect(guard().admin(bearer(wrong), peer)).toBe("wrong");
  expect(guard().admin(request({ authorization: TOKEN }), peer)).toBe("wrong");
  for (const token of [undefined, ""]) {
    const without = createGuard({
      clock: new VirtualClock(),
      adminToken: () => token,
      publicUrl: () => undefined,
      listenHost: () => undefined,
    });
    expect(without.admin(bearer("undefined"), peer)).toBe("wrong");
    expect(without.admin(request({ authorization: "Bearer " }), peer)).toBe("wrong");
  }
});

test("five wrong tokens in a minute close an address, and neighbours in its IPv6 network with it", () => {
  const clock = new VirtualClock();
  const one = guard(clock);
  const from = (address: string, token: string): string =>
    one.admin(bearer(token), { address, forwarded: false });
  for (let i = 0; i < 5; i += 1) expect(from(`2001:db8:0:1::${i}`, "wrong")).toBe("wrong");
  expect(from("2001:db8::1:ffff:0:0:9", TOKEN)).toBe("limited");
  expect(from("2001:db8:0:2::1", TOKEN)).toBe("right");
  expect(from("192.0.2.1", TOKEN)).toBe("right");
  clock.advance(59_999);
  expect(from("2001:db8:0:1::1", TOKEN)).toBe("limited");
  clock.advance(1);
  expect(from("2001:db8:0:1::1", TOKEN)).toBe("right");
});

test("the count of wrong tokens is bounded and fails closed: who cannot be counted may not try", () => {
  const clock = new VirtualClock();
  const one = guard(clock);
  const from = (i: number, token: string): string =>
    one.admin(bearer(token), { address: `10.1.${i >> 8}.${i & 255}`, forwarded: false });
  for (let i = 0; i < 4_096; i += 1) expect(from(i, "wrong")).toBe("wrong");
  expect(from(5_000, TOKEN)).toBe("limited");
  expect(from(0, TOKEN)).toBe("right");
  clock.advance(60_000);
  expect(from(5_000, TOKEN)).toBe("right");
});

test("a reload of the trusted proxies counts from the next request on", () => {
  let trusted: readonly string[] = [];
  const peerOf = createPeerFinder(() => trusted);
  const asked = request({ "x-forwarded-for": "203.0.113.9" });
  const address = (): string => peerOf(asked, { requestIP: () => ({ address: "10.0.0.1" }) }).address;
  expect(address()).toBe("10.0.0.1");
  trusted = ["10.0.0.0/8"];
  expect(address()).toBe("203.0.113.9");
});
