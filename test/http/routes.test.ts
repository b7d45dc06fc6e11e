// Paths and methods, and the routes beside the protocols: the list of models, health, upgrades.
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { VERSION } from "../../src/core/version.ts";
import { accountOf, until } from "../faults/row.ts";
import { empty, hangBeforeHeaders, held, json } from "../support/answers.ts";
import { get, post, send, type RawRequest, type Reply } from "../support/client.ts";
import { account, CANARY, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { PATHS, providerError } from "../support/samples.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const HERE = "http://127.0.0.1:1";
const NARROW_KEY = `${CANARY}-client-key-narrow`;

function start(
  accounts: readonly JsonObject[] = [account("first", HERE)],
  more: JsonObject = {},
): Promise<Gateway> {
  return startGateway(gatewayConfig(accounts, more));
}

function request(
  gateway: Gateway,
  method: string,
  path: string,
  more: Partial<RawRequest> = {},
): Promise<Reply> {
  return send(gateway.url, { method, path, key: CLIENT_KEY, ...more }).reply;
}

function typeOf(reply: Reply): string | undefined {
  return pickText(reply.json(), "error", "type");
}

describe("paths and methods", () => {
  test("HEAD / is answered with 200 and nothing more, also without a key", async () => {
    await using gateway = await start();
    for (const key of [undefined, CLIENT_KEY]) {
      const reply = await send(gateway.url, { method: "HEAD", path: "/", ...(key !== undefined && { key }) })
        .reply;
      expect([reply.status, reply.body.length, reply.end]).toEqual([200, 0, "complete"]);
      expect(reply.header("x-request-id")).toMatch(/^req_\w{32}$/);
    }
  });

  test.each([
    ["GET", "/"],
    ["GET", "/nowhere"],
    ["POST", "/v1"],
    ["GET", "/v1/message"],
    ["POST", "/v1/messages/"],
    ["POST", "//v1/messages"],
    ["POST", "/V1/messages"],
    ["DELETE", "/v2/models"],
    ["HEAD", "/nowhere"],
  ])("%s %s is unknown", async (method, path) => {
    await using gateway = await start();
    const reply = await request(gateway, method, path);
    expect(reply.status).toBe(404);
    expect(reply.header("x-request-id")).toMatch(/^req_\w{32}$/);
    if (method === "HEAD") return;
    const message = pickText(reply.json(), "error", "message") ?? "";
    expect(reply.json()).toEqual({ error: { type: "not_found", message } });
    expect(message).not.toBe("");
  });

  test.each([
    ["GET", "/v1/messages", "POST"],
    ["PUT", "/v1/responses", "POST"],
    ["DELETE", "/responses", "POST"],
    ["OPTIONS", "/v1/chat/completions", "POST"],
    ["HEAD", "/v1/messages", "POST"],
    ["POST", "/v1/models", "GET"],
    ["POST", "/v1/models/gpt-5.1", "GET"],
    ["POST", "/health", "GET"],
    ["DELETE", "/health/ready", "GET"],
  ])("%s %s is not allowed, %s is", async (method, path, allowed) => {
    await using gateway = await start();
    const reply = await request(gateway, method, path);
    expect([reply.status, reply.header("allow")]).toEqual([405, allowed]);
    expect(reply.header("x-request-id")).toMatch(/^req_\w{32}$/);
    if (method !== "HEAD") expect(typeOf(reply)).toBe("method_not_allowed");
  });

  test("/responses is the same as /v1/responses", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(provider());
    await using gateway = await start([account("first", upstream.url, { platform: "openai" })]);
    const reply = await post(gateway.url, "/responses", ask("responses", { stream: false }), {
      key: CLIENT_KEY,
    });
    expect(reply.status).toBe(200);
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/v1/responses"]);
  });

  test("an upgrade where only POST is served is refused with 426, and the connection ends", async () => {
    await using gateway = await start();
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(gateway.url).port) });
    const got: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => void got.push(bytes));
    const ended = new Promise<boolean>((resolve) => socket.once("end", () => resolve(true)));
    socket.write(
      `GET /v1/messages HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CLIENT_KEY}\r\nconnection: Upgrade\r\n` +
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const closed = await Promise.race([ended, Bun.sleep(2000).then(() => false)]);
    socket.destroy();
    const text = Buffer.concat(got).toString();
    expect([text.split("\r\n", 1)[0], closed]).toEqual(["HTTP/1.1 426 Upgrade Required", true]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(text).toMatch(/^x-request-id: req_/im);
  });
});

/** What an upstream of an open account says it has. */
function modelList(...ids: readonly string[]): ReturnType<typeof json> {
  return json(200, { data: ids.map((id) => ({ id })) });
}

/** Two open accounts, one that names its models, and one that is disabled. */
function open(anthropic: Upstream, openai: Upstream): JsonObject[] {
  anthropic.otherwise(modelList("claude-sonnet-5", "claude-haiku-5", "gpt-of-a-stranger"));
  openai.otherwise(modelList("gpt-5.1", "codex-mini", "claude-of-a-stranger"));
  return [
    account("a", anthropic.url),
    account("b", openai.url, { platform: "openai", more: { model_map: { "house-blend": "gpt-5.1" } } }),
    account("c", HERE, { platform: "openai", more: { models: ["gpt-declared"] } }),
    account("d", HERE, { more: { models: ["claude-disabled"], disabled: true } }),
  ];
}

const NAMES = [
  "claude-haiku-5",
  "claude-sonnet-5",
  "codex-mini",
  "fast",
  "gpt-5.1",
  "gpt-declared",
  "house-blend",
];

describe("the list of models", () => {
  test("satisfies both shapes in one body, and is the same for both", async () => {
    await using anthropic = await startUpstream();
    await using openai = await startUpstream();
    const accounts = open(anthropic, openai);
    await using gateway = await start(accounts, { model_aliases: { fast: "gpt-5.1" } });
    const list = await get(gateway.url, "/v1/models", { key: CLIENT_KEY });
    const versioned = await get(gateway.url, "/v1/models?limit=1000", {
      headers: [
        ["x-api-key", CLIENT_KEY],
        ["anthropic-version", "2023-06-01"],
      ],
    });
    expect([list.status, versioned.status]).toEqual([200, 200]);
    expect(versioned.json()).toEqual(list.json());
    const body = list.json();
    expect(pickList(body, "data").map((model) => pick(model, "id"))).toEqual(NAMES);
    expect(body).toMatchObject({
      object: "list",
      has_more: false,
      first_id: NAMES[0],
      last_id: NAMES.at(-1),
    });
    for (const model of pickList(body, "data")) {
      const id = pickText(model, "id") ?? "";
      expect(model).toMatchObject({ id, object: "model", type: "model", display_name: id });
      expect(pick(model, "created")).toBeNumber();
      expect(Date.parse(pickText(model, "created_at") ?? "")).toBeNumber();
      expect(pick(model, "owned_by")).toBeString();
    }
    expect(anthropic.requests.map(({ credential }) => credential)).toEqual([credentialOf("a")]);
    expect(openai.requests.map(({ credential }) => credential)).toEqual([credentialOf("b")]);
    expect(anthropic.requests[0]?.header("anthropic-version")).toBe("2023-06-01");
  });

  test("gives one model by name, and 404 in the shape of the asker for one it has not", async () => {
    await using gateway = await start([
      account("a", HERE, { more: { models: ["claude-declared", "odd/name"] } }),
    ]);
    const one = await get(gateway.url, "/v1/models/claude-declared", { key: CLIENT_KEY });
    expect([one.status, pick(one.json(), "id"), pick(one.json(), "type")]).toEqual([
      200,
      "claude-declared",
      "model",
    ]);
    const odd = await get(gateway.url, "/v1/models/odd%2Fname", { key: CLIENT_KEY });
    expect(pick(odd.json(), "id")).toBe("odd/name");
    const missing = await get(gateway.url, "/v1/models/claude-none", { key: CLIENT_KEY });
    expect([missing.status, pick(missing.json(), "error", "code")]).toEqual([404, "model_not_found"]);
    const version = ["anthropic-version", "2023-06-01"] as const;
    const typed = await get(gateway.url, "/v1/models/claude-none", { key: CLIENT_KEY, headers: [version] });
    expect([typed.status, pick(typed.json(), "type"), typeOf(typed)]).toEqual([
      404,
      "error",
      "not_found_error",
    ]);
    expect(pick(typed.json(), "request_id")).toBe(typed.header("x-request-id"));
  });

  test("needs a key, and shows only what the key may use", async () => {
    await using gateway = await start(
      [account("a", HERE, { more: { models: ["claude-one", "claude-two"] } })],
      {
        client_keys: [{ name: "narrow", token: NARROW_KEY, models: ["*-two"] }],
      },
    );
    for (const headers of [[], [["x-api-key", "not-a-key"] as const]]) {
      const reply = await get(gateway.url, "/v1/models", { headers });
      expect([reply.status, reply.header("x-should-retry"), typeOf(reply)]).toEqual([
        401,
        "false",
        "authentication_error",
      ]);
    }
    const narrow = await get(gateway.url, "/v1/models", { key: NARROW_KEY });
    expect(pickList(narrow.json(), "data").map((model) => pick(model, "id"))).toEqual(["claude-two"]);
    expect((await get(gateway.url, "/v1/models/claude-one", { key: NARROW_KEY })).status).toBe(404);
  });

  test("is asked of an account once, however many want it at the same time", async () => {
    await using upstream = await startUpstream();
    const gate = held(json(200, { data: [{ id: "claude-here" }] }));
    upstream.otherwise(gate.answer);
    await using gateway = await start([account("first", upstream.url)]);
    const asked = Array.from({ length: 20 }, () => get(gateway.url, "/v1/models", { key: CLIENT_KEY }));
    await until("it is asked", () => gate.waiting === 1);
    await Bun.sleep(20);
    gate.release();
    const lists = (await Promise.all(asked)).map((reply) => pickList(reply.json(), "data").length);
    expect([upstream.requests.length, new Set(lists)]).toEqual([1, new Set([1])]);
    await get(gateway.url, "/v1/models", { key: CLIENT_KEY });
    expect(upstream.requests.length).toBe(1);
  });

  test("does without upstreams that refuse, fail or hang, and blames nobody", async () => {
    await using upstream = await startUpstream();
    upstream.when({ credential: credentialOf("refused") }, json(401, {}));
    upstream.when({ credential: credentialOf("broken") }, empty(500));
    upstream.when({ credential: credentialOf("silent") }, hangBeforeHeaders());
    const names = ["refused", "broken", "silent"];
    const accounts = names.map((name) =>
      account(name, upstream.url, { more: { model_map: { [`by-${name}`]: "x" } } }),
    );
    const clock = new VirtualClock();
    await using gateway = await startGateway(gatewayConfig(accounts), { clock });
    const asked = get(gateway.url, "/v1/models", { key: CLIENT_KEY });
    await until("the silent one is asked", () => upstream.active === 1 && upstream.requests.length === 3);
    await Bun.sleep(20);
    await clock.pass(2000);
    const ids = pickList((await asked).json(), "data").map((model) => pick(model, "id"));
    expect(ids).toEqual(["by-broken", "by-refused", "by-silent"]);
    expect(gateway.snapshot().map(({ state }) => state)).toEqual(["ready", "ready", "ready"]);
  });
});

describe("health", () => {
  test("says one word to anybody, and everything to a holder of a key", async () => {
    await using gateway = await start([account("first", HERE, { more: { concurrency: 7, priority: 3 } })]);
    const short = await get(gateway.url, "/health");
    expect([short.status, short.json()]).toEqual([200, { status: "ok" }]);
    const headers = [["x-api-key", CLIENT_KEY] as const];
    const long = await get(gateway.url, "/health", { headers });
    expect(long.json()).toEqual({
      status: "ok",
      version: VERSION,
      accounts: 1,
      account_details: [
        {
          name: "first",
          platform: "anthropic",
          type: "api_key",
          priority: 3,
          concurrency: 7,
          active: 0,
          rate_limited: false,
          state: "ready",
          reason: null,
          until: null,
          limits: [],
        },
      ],
    });
    const wrong = await get(gateway.url, "/health", { key: "not-a-key" });
    expect([wrong.status, wrong.header("x-should-retry")]).toEqual([401, "false"]);
  });

  test("is degraded when some cannot serve now, down when none can, and always 200", async () => {
    await using upstream = await startUpstream();
    const { status, body } = providerError("anthropic", "429-bare");
    upstream.otherwise(
      json(status, body, { "retry-after": "30", "anthropic-ratelimit-unified-5h-utilization": "0.5" }),
    );
    const disabled = account("off", HERE, { more: { disabled: true } });
    const other = account("other", HERE, { platform: "openai" });
    await using gateway = await start([account("first", upstream.url), other, disabled]);
    const word = async (): Promise<unknown> => (await get(gateway.url, "/health")).json();
    expect(await word()).toEqual({ status: "ok" });
    await post(gateway.url, PATHS.messages, ask("messages", { stream: false }), { key: CLIENT_KEY });
    expect(await word()).toEqual({ status: "degraded" });
    const long = (await get(gateway.url, "/health", { key: CLIENT_KEY })).json();
    const [first, , off] = pickList(long, "account_details");
    expect(first).toMatchObject({ state: "cooling", rate_limited: true, reason: "rate limit" });
    const until = Date.parse(pickText(first, "until") ?? "");
    expect(until).toBeGreaterThan(Date.now() + 20_000);
    expect(until).toBeLessThan(Date.now() + 34_000);
    expect(pickList(first, "limits")).toEqual([
      { name: "5h", used: 0.5, reset_at: null, source: "header", age_seconds: 0 },
    ]);
    expect(off).toMatchObject({ state: "disabled", rate_limited: false });
    await gateway.reload(gatewayConfig([account("first", upstream.url), disabled]));
    const down = await get(gateway.url, "/health");
    expect([down.status, down.json()]).toEqual([200, { status: "down" }]);
  });

  test("counts slots, and tells an account that has to be logged in", async () => {
    await using upstream = await startUpstream();
    const gate = held(provider());
    upstream.otherwise(gate.answer);
    const login = { type: "oauth", api_key: undefined };
    const accounts = [
      account("first", upstream.url, { more: { concurrency: 1 } }),
      account("login", HERE, { platform: "openai", more: login }),
    ];
    await using gateway = await start(accounts);
    const asked = post(gateway.url, PATHS.messages, ask("messages", { stream: false }), { key: CLIENT_KEY });
    await until("it is under way", () => gate.waiting === 1);
    const details = pickList(
      (await get(gateway.url, "/health", { key: CLIENT_KEY })).json(),
      "account_details",
    );
    expect(details.map((each) => [pick(each, "state"), pick(each, "active")])).toEqual([
      ["busy", 1],
      ["needs_login", 0],
    ]);
    const refused = await post(gateway.url, PATHS.responses, ask("responses", { stream: true }), {
      key: CLIENT_KEY,
    });
    expect([refused.status, pick(refused.json(), "error", "code")]).toEqual([
      503,
      "gateway_pool_unavailable",
    ]);
    expect(refused.header("retry-after")).toBeUndefined();
    gate.release();
    await asked;
  });

  test("is live and ready for orchestrators, by GET and HEAD", async () => {
    await using gateway = await start();
    for (const path of ["/health/live", "/health/ready"]) {
      expect((await get(gateway.url, path)).status).toBe(200);
      expect((await request(gateway, "HEAD", path)).status).toBe(200);
    }
  });
});

test("a kept connection serves routes of all kinds one after another", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(provider());
  const each = { client: "messages", upstream: "messages", stream: false } as const;
  await using gateway = await start([accountOf(each, "first", upstream.url)]);
  const body = JSON.stringify(ask("messages", each));
  const key = `authorization: Bearer ${CLIENT_KEY}`;
  const requests = [
    "HEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n",
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
  ];
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(gateway.url).port) });
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const statuses = (): (string | undefined)[] =>
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => found[1]);
  for (const [index, bytes] of requests.entries()) {
    socket.write(bytes);
    await until(`answer ${index + 1}`, () => statuses().length === index + 1);
  }
  socket.destroy();
  expect(statuses()).toEqual(["200", "404", "200", "401", "200"]);
});
