// The Host line: one, and a host. It means nothing here, but whoever is in front may go by another than a reader behind.
import { expect, test } from "bun:test";
import { sendRaw } from "../support/client.ts";
import { account, CLIENT_KEY } from "../support/gateway-config.ts";
import { ask } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { pair } from "./pair.ts";

const BODY = JSON.stringify(ask("messages", { stream: false }));

function request(hosts: readonly string[]): string {
  const lines = hosts.map((host) => `Host: ${host}\r\n`).join("");
  const rest = `Authorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
  return `POST /v1/messages HTTP/1.1\r\n${lines}${rest}`;
}

test("a request for one host is taken, by name or by address, with a port or without", async () => {
  await using on = await pair(provider(), (url) => [account("first", url)]);
  for (const host of [
    "gateway",
    "gateway_1.example:8080",
    "127.0.0.1:1",
    "[::1]:8080",
    "[::ffff:1.2.3.4]",
    "a:",
    "",
  ]) {
    const reply = await sendRaw(on.gateway.url, [request([host])]).reply;
    expect([host, reply.status]).toEqual([host, 200]);
  }
});

test("a request for two hosts, or for what is none, is refused and the connection ends", async () => {
  await using on = await pair(provider(), (url) => [account("first", url)]);
  const bad = [
    ["a", "b"],
    ["a", "a"],
    ["a b"],
    ["a,b"],
    ["a@b"],
    ["a/b"],
    ["http://a"],
    ["a?"],
    ["[::1"],
    ["a:b"],
    ["a:999999"],
  ];
  for (const hosts of bad) {
    const reply = await sendRaw(on.gateway.url, [request(hosts)]).reply;
    expect([hosts, reply.status, reply.header("connection")]).toEqual([hosts, 400, "close"]);
  }
  expect(on.upstream.requests.length).toBe(0);
});

test("a probe in HTTP/1.0 that names no host is answered", async () => {
  await using on = await pair(provider(), (url) => [account("first", url)]);
  const reply = await sendRaw(on.gateway.url, ["GET /health/live?a=://b/ HTTP/1.0\r\n\r\n"]).reply;
  expect(reply.status).toBe(200);
});
