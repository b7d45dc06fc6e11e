import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { json } from "../../test/support/answers.ts";
import { configOf, doctorRig, type Examined, type RigOptions } from "../../test/support/doctor-rig.ts";
import { account, gatewayConfig } from "../../test/support/gateway-config.ts";
import { startGateway, type Gateway } from "../../test/support/gateway.ts";
import { listener } from "../../test/faults/unreached.ts";
import { startUpstream } from "../../test/support/upstream.ts";
import { VERSION } from "../core/version.ts";
import type { Finding } from "./doctor-finding.ts";

const ACCOUNT = account("first", "http://127.0.0.1:1");
const PLAN = { name: "plan", platform: "openai", type: "oauth" };

async function listening(
  listen_addr: string,
  more: RigOptions = {},
): Promise<Examined & { readonly at: readonly Finding[] }> {
  const rig = await doctorRig({ config: await configOf([ACCOUNT], { listen_addr }), ...more });
  const examined = await rig.examine("--offline");
  return {
    ...examined,
    at: examined.wrong.filter(({ check }) => check === "listen_addr" || check === "gateway"),
  };
}

function gateway(): Promise<Gateway> {
  return startGateway(gatewayConfig([ACCOUNT, PLAN]));
}

test("a port that another program has is told with how to see which, whatever that program says", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(json(200, { status: "ok" }));
  await using silent = await listener((socket) => socket.end("SSH-2.0-other\r\n"));
  for (const port of [upstream.port, silent.port]) {
    const { code, at } = await listening(`127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(at).toEqual([
      {
        check: "listen_addr",
        state: "fail",
        subject: `127.0.0.1:${port}`,
        message: "is taken by another program",
        advice: expect.stringContaining(`:${port}`),
      },
    ]);
  }
});

test("a port that our own gateway has is well, and the gateway says how its accounts stand", async () => {
  await using running = await gateway();
  const address = new URL(running.url).host;
  const { code, findings, at } = await listening(address);
  expect(code).toBe(0);
  expect(findings).toContainEqual({
    check: "listen_addr",
    state: "ok",
    subject: address,
    message: `is our own gateway, running (${VERSION}): 1 of 2 accounts can serve now`,
  });
  expect(at).toEqual([
    {
      check: "gateway",
      state: "warn",
      subject: "plan",
      message: expect.stringContaining("needs a login: "),
      advice: "sign it in: sub2api_simple login plan",
    },
  ]);
});

test("a gateway that runs with another config is told, without its key", async () => {
  await using running = await gateway();
  const config = gatewayConfig([ACCOUNT], {
    listen_addr: new URL(running.url).host,
    auth_tokens: ["another-client-key-0123"],
  });
  const rig = await doctorRig({ config });
  const { code, wrong, out } = await rig.examine("--offline");
  expect(code).toBe(1);
  expect(wrong).toMatchObject([
    {
      check: "listen_addr",
      state: "fail",
      message: expect.stringContaining("running with another config"),
      advice: expect.stringContaining("restart it with this config"),
    },
  ]);
  expect(out).not.toContain("another-client-key");
});

test("a gateway that can serve nothing is a fault", async () => {
  await using running = await startGateway(gatewayConfig([PLAN]));
  const { code, at } = await listening(new URL(running.url).host);
  expect([code, at[0]?.state, at[0]?.message]).toEqual([
    1,
    "fail",
    expect.stringContaining("0 of 1 accounts can serve"),
  ]);
});

test("an address that this machine has not is told", async () => {
  const { code, at } = await listening("192.0.2.1:8080");
  expect(code).toBe(1);
  expect(at[0]).toEqual({
    check: "listen_addr",
    state: "fail",
    subject: "192.0.2.1:8080",
    message: "is no address of this machine (EADDRNOTAVAIL)",
    advice: expect.stringContaining("127.0.0.1"),
  });
});

test("keys that would travel as plain text are a warning, unless a proxy with TLS is before the gateway", async () => {
  const { code, at } = await listening(":0");
  expect([code, at]).toEqual([
    0,
    [
      {
        check: "listen_addr",
        state: "warn",
        subject: "*:0",
        message: "listens on every interface without TLS: keys travel as plain text",
        advice: expect.stringContaining("public_url"),
      },
    ],
  ]);
  const behind = await doctorRig({
    config: await configOf([ACCOUNT], { listen_addr: ":0", public_url: "https://gateway.example.com" }),
  });
  expect((await behind.examine("--offline")).wrong).toEqual([]);
});

test("a login port that is taken is a warning for whoever signs in, with the way without a browser", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const rig = await doctorRig({ config: await configOf([PLAN]), tools: { callbackPort: port } });
  const { wrong } = await rig.examine("--offline");
  expect(wrong.find(({ check }) => check === "login port")).toEqual({
    check: "login port",
    state: "warn",
    subject: `localhost:${port}`,
    message: expect.stringContaining("is taken (EADDRINUSE)"),
    advice: expect.stringContaining("sub2api_simple login plan --device"),
  });
  const keys = await doctorRig({ config: await configOf([ACCOUNT]), tools: { callbackPort: port } });
  expect((await keys.examine("--offline")).findings.map(({ check }) => check)).not.toContain("login port");
  await new Promise((resolve) => server.close(resolve));
});
