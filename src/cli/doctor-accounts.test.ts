import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { AUTHORITY, certificate, type CertificateName, listener } from "../../test/faults/unreached.ts";
import { empty, hangBeforeHeaders, html, json, redirect } from "../../test/support/answers.ts";
import { configOf, doctorRig, type Examined, healthyUpstream } from "../../test/support/doctor-rig.ts";
import { account, CANARY } from "../../test/support/gateway-config.ts";
import type { JsonObject } from "../../test/support/json-pick.ts";
import { blackHole, closedPort } from "../../test/support/ports.ts";
import { type Answer, startUpstream } from "../../test/support/upstream.ts";
import type { Finding } from "./doctor-finding.ts";

const WITHIN_MS = 700;

async function examined(url: string, more: JsonObject = {}, withinMs?: number): Promise<Examined> {
  const config = await configOf([account("first", url, { more })]);
  const rig = await doctorRig({ config, ...(withinMs === undefined ? {} : { tools: { withinMs } }) });
  return rig.examine();
}

/** What is found of an upstream that cannot be used. */
async function failing(
  ...given: Parameters<typeof examined>
): Promise<readonly [string | undefined, string | undefined]> {
  const { code, wrong } = await examined(...given);
  expect([code, wrong]).toMatchObject([1, [{ check: "upstream", state: "fail", subject: "first" }]]);
  return [wrong[0]?.message, wrong[0]?.advice];
}

async function answered(answer: Answer): Promise<Finding | undefined> {
  await using upstream = await startUpstream();
  upstream.otherwise(answer);
  const { findings } = await examined(upstream.url);
  return findings.find(({ check }) => check === "upstream");
}

test("a name that does not resolve is told before anything else", async () => {
  const nowhere = `${"nobody".repeat(11)}.invalid`;
  const [message, advice] = await failing(`https://${nowhere}`);
  expect(message).toMatch(new RegExp(`^the name ${nowhere} does not resolve \\(E`));
  expect(advice).toContain("spelled in base_url");
});

test("an upstream that is down, or that swallows connections, is told by its host and port", async () => {
  const port = await closedPort();
  expect(await failing(`http://127.0.0.1:${port}`)).toEqual([
    `127.0.0.1:${port} is down: it refuses connections`,
    expect.stringContaining("something listens there"),
  ]);
  using hole = await blackHole();
  expect(await failing(hole.url, {}, WITHIN_MS)).toEqual([
    `127.0.0.1:${hole.port} takes no connection within 0.7 s`,
    expect.stringContaining("firewall"),
  ]);
});

test("an upstream that never answers is told from one that cannot be connected to", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(hangBeforeHeaders());
  expect(await failing(upstream.url, {}, WITHIN_MS)).toEqual([
    `127.0.0.1:${upstream.port} takes the connection, and does not answer within 0.7 s`,
    expect.stringContaining("whoever runs it"),
  ]);
});

for (const [name, words, advice] of [
  ["expired", "a certificate that has expired (CERT_HAS_EXPIRED)", "this machine's clock"],
  [
    "self",
    "nobody vouches for whom this machine trusts (DEPTH_ZERO_SELF_SIGNED_CERT)",
    "NODE_EXTRA_CA_CERTS",
  ],
  ["good", "nobody vouches for whom this machine trusts (UNABLE_TO_", "NODE_EXTRA_CA_CERTS"],
] as const satisfies readonly (readonly [CertificateName, string, string])[]) {
  test(`a certificate that is not to be trusted is named: ${name}`, async () => {
    const tls = certificate(name);
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response("{}") });
    const found = await failing(`https://localhost:${server.port}`);
    await server.stop(true);
    expect(found).toEqual([expect.stringContaining(words), expect.stringContaining(advice)]);
  });
}

test("a port that speaks no TLS is told", async () => {
  const speech = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
  await using server = await listener((socket) => socket.once("data", () => socket.end(speech)));
  expect(await failing(`https://localhost:${server.port}`)).toEqual([
    `localhost:${server.port} does not speak TLS on this port (EPROTO)`,
    expect.stringContaining("the port in base_url"),
  ]);
});

test("a proxy that is down is told by its address, and nobody goes past it", async () => {
  await using upstream = await healthyUpstream();
  const port = await closedPort();
  const proxy = `http://ann:${CANARY}@127.0.0.1:${port}`;
  expect(await failing(upstream.url, { proxy })).toEqual([
    `its proxy 127.0.0.1:${port} is down: it refuses connections`,
    expect.stringContaining("nothing goes past it"),
  ]);
  expect(upstream.connections).toBe(0);
});

const PROXIES: readonly (readonly [string, (socket: Socket) => unknown, string, string])[] = [
  [
    "wants a password",
    (socket) => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"),
    "refuses us (407): it wants a user name and password",
    "http://USER:PASSWORD@HOST:PORT",
  ],
  [
    "lets nobody through",
    (socket) => socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
    "lets nobody through to localhost:1 (403)",
    "allow localhost:1 there",
  ],
  [
    "is no proxy",
    (socket) => socket.end("SSH-2.0-other\r\n"),
    "it is no HTTP proxy, or cuts the connection",
    "names an HTTP proxy",
  ],
];

for (const [what, act, words, advice] of PROXIES) {
  test(`a proxy that ${what} is told`, async () => {
    await using proxy = await listener((socket) => socket.once("data", () => act(socket)));
    const found = await failing("https://localhost:1", { proxy: `http://127.0.0.1:${proxy.port}` });
    expect(found).toEqual([
      expect.stringContaining(
        `its proxy 127.0.0.1:${proxy.port} ${words}`.replace(
          / it is no/,
          " broke the way to localhost:1 off (ECONNRESET): it is no",
        ),
      ),
      expect.stringContaining(advice),
    ]);
  });
}

test("a proxy that wants a password is told for an upstream without TLS too", async () => {
  await using proxy = await startUpstream();
  proxy.otherwise(empty(407));
  const [message] = await failing("http://127.0.0.1:1", { proxy: proxy.url });
  expect(message).toContain("refuses us (407)");
});

test("a key that its upstream refuses is a fault, and is not shown", async () => {
  for (const status of [401, 403]) {
    const found = await answered(json(status, { error: { message: `bad ${CANARY}` } }));
    expect(found).toEqual({
      check: "upstream",
      state: "fail",
      subject: "first",
      message: expect.stringMatching(
        new RegExp(`^127\\.0\\.0\\.1:\\d+ is reached, and refuses its api_key \\(${status}\\)$`),
      ),
      advice: expect.stringContaining("put a new api_key into the config"),
    });
  }
});

test("other answers are told from a refused key", async () => {
  const cases: readonly (readonly [Answer, Finding["state"], string])[] = [
    [json(404, { detail: "Not Found" }), "ok", "it has no list of models, so the key is not tried"],
    [html(403), "fail", "a page instead of the service answers"],
    [json(503, {}), "warn", "is in trouble itself (503)"],
    [redirect(302, "http://127.0.0.1:1/"), "warn", "sends elsewhere (302)"],
  ];
  for (const [answer, state, words] of cases)
    expect(await answered(answer)).toMatchObject({ state, message: expect.stringContaining(words) });
});

test("a clock that is a little off is a warning, far off a fault, by the upstream that agrees best", async () => {
  for (const [aheadMs, state, words] of [
    [120_000, "warn", "is 2m ahead of"],
    [-3_600_000, "fail", "is 1h 00m behind"],
  ] as const) {
    await using upstream = await healthyUpstream(aheadMs);
    const { code, wrong } = await examined(upstream.url);
    expect(code).toBe(state === "fail" ? 1 : 0);
    expect(wrong).toEqual([
      {
        check: "clock",
        state,
        subject: "this machine",
        message: expect.stringContaining(words),
        advice: expect.stringContaining("set-ntp"),
      },
    ]);
  }
  await using wrong = await healthyUpstream(3_600_000);
  await using right = await healthyUpstream();
  const rig = await doctorRig({ config: await configOf([account("a", wrong.url), account("b", right.url)]) });
  expect((await rig.examine()).code).toBe(0);
});

test("a certificate of an authority this machine trusts has to be for the right name", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: certificate("elsewhere"),
    fetch: () => new Response("{}"),
  });
  const rig = await doctorRig({
    config: await configOf([account("first", `https://localhost:${server.port}`)]),
  });
  const { wrong } = await rig.spawn({ NODE_EXTRA_CA_CERTS: AUTHORITY, NO_PROXY: "localhost" });
  await server.stop(true);
  expect(wrong).toMatchObject([
    {
      check: "upstream",
      state: "fail",
      message: expect.stringContaining("a certificate for another name"),
      advice: expect.stringContaining("somebody else answers for localhost"),
    },
  ]);
});

test("where no key is shown, any answer means that the upstream is reached", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(redirect(302, "http://127.0.0.1:1/"));
  const plan = {
    name: "plan",
    platform: "openai",
    type: "oauth",
    base_url: upstream.url,
    oauth_issuer: upstream.url,
  };
  const rig = await doctorRig({ config: await configOf([plan]) });
  const { findings } = await rig.examine();
  const roads = findings.filter(({ check }) => check === "upstream" || check === "issuer");
  expect(roads.map(({ check, state }) => [check, state])).toEqual([
    ["upstream", "ok"],
    ["issuer", "ok"],
  ]);
});

test("an account that is disabled is not looked at", async () => {
  const { code, findings } = await examined("http://127.0.0.1:1", { disabled: true });
  expect([code, findings.filter(({ check }) => check === "upstream")]).toEqual([0, []]);
});
