// Responses over WebSocket: one request, one answer, in whatever protocol the account speaks.
import { describe, expect, test } from "bun:test";
import { expectRecorded } from "../scenarios/settled.ts";
import { inTurn, json } from "../support/answers.ts";
import { get, post } from "../support/client.ts";
import { account, CLIENT_KEY } from "../support/gateway-config.ts";
import { pick, pickNumber, pickText, type JsonObject } from "../support/json-pick.ts";
import { provider } from "../support/provider.ts";
import { MODELS, sampleRequest } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { pair, type Pair } from "./pair.ts";
import { create, openSocket, said, typesOf } from "./socket-client.ts";

const HELLO = create("Say hello.");
const UPGRADE = [
  ["connection", "Upgrade"],
  ["upgrade", "websocket"],
  ["sec-websocket-version", "13"],
  ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
] as const;

function openai(answer: Answer = provider(), more: JsonObject = {}): Promise<Pair> {
  return pair(answer, (url) => [account("first", url, { platform: "openai" })], more);
}

/** What the frames say, by their deltas. */
function textOf(frames: readonly JsonObject[]): string {
  return frames
    .map((frame) => (pickText(frame, "type")?.endsWith("text.delta") ? frame["delta"] : ""))
    .join("");
}

describe("an answer over WebSocket", () => {
  test("is event by event what a POST streams, one event a frame", async () => {
    await using both = await openai();
    const { gateway, upstream } = both;
    const { type: _, ...body } = HELLO;
    const posted = await post(gateway.url, "/v1/responses", { ...body, stream: true }, { key: CLIENT_KEY });
    for (const path of ["/v1/responses", "/responses"]) {
      using socket = await openSocket(gateway.url, { path });
      socket.send(HELLO);
      expect(await socket.answer()).toEqual(posted.events().map(({ data }): JsonObject => JSON.parse(data)));
    }
    await expectRecorded(gateway, 3);
    const asked = upstream.requests.map((request) => request.json());
    expect(asked[1]).toEqual(asked[0]);
    expect(new Set(gateway.exchanges.map(({ outcome, usage }) => `${outcome} ${usage?.output}`))).toEqual(
      new Set(["ok 5"]),
    );
  });

  test.each([
    ["messages", "anthropic", MODELS.messages],
    ["chat", "openai", MODELS.chat],
  ] as const)("is translated from %s", async (api, platform, model) => {
    await using both = await pair(provider({ text: "Bonjour, le monde." }), (url) => [
      account("first", url, { platform, more: { apis: [api] } }),
    ]);
    using socket = await openSocket(both.gateway.url);
    socket.send({ ...HELLO, model });
    const answer = await socket.answer();
    expect([typesOf(answer).at(0), typesOf(answer).at(-1), textOf(answer)]).toEqual([
      "response.created",
      "response.completed",
      "Bonjour, le monde.",
    ]);
    await expectRecorded(both.gateway, 1);
  });

  test("follows another on the same socket, and the client's next request may wait for its turn", async () => {
    await using both = await openai(provider({ text: (request) => pickText(request.json(), "input") ?? "" }));
    using socket = await openSocket(both.gateway.url);
    socket.send(create("one"));
    socket.send({ type: "response.processed", response_id: "resp_made_0" });
    socket.send(create("two"));
    expect([textOf(await socket.answer()), textOf(await socket.answer())]).toEqual(["one", "two"]);
    socket.send({ type: "response.processed", response_id: "resp_made_1" });
    socket.send(create("three"));
    expect(textOf(await socket.answer())).toBe("three");
    await expectRecorded(both.gateway, 3);
    expect(both.upstream.peak).toBe(1);
  });

  test("comes from another account when the first one fails", async () => {
    const refusing = json(429, { error: { type: "rate_limit_error", message: "slow down" } });
    await using both = await pair(inTurn(refusing, provider()), (url) =>
      ["first", "second"].map((name) => account(name, url, { platform: "openai" })),
    );
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    await expectRecorded(both.gateway, 1);
    expect(both.gateway.exchanges[0]?.attempts.length).toBe(2);
  });
});

test("what belongs to the connection or to one request does not reach the upstream, what Codex tells anew does", async () => {
  await using both = await openai();
  const { headers } = sampleRequest("codex");
  using socket = await openSocket(both.gateway.url, {
    headers: {
      ...Object.fromEntries(headers),
      "openai-beta": "responses_websockets=2026-02-06, other=1",
      "idempotency-key": "once",
      "x-codex-turn-metadata": "of the first turn",
    },
  });
  const metadata = { "x-codex-turn-metadata": "of this turn", "x-codex-unasked": "x" };
  socket.send(create([said("user", "Hi")], { client_metadata: metadata }));
  await socket.answer();
  const [request] = both.upstream.requests;
  const sent = (name: string): string | undefined => request?.header(name);
  expect(sent("openai-beta")).toBe("other=1");
  expect(sent("x-codex-turn-metadata")).toBe("of this turn");
  expect([sent("idempotency-key"), sent("x-codex-unasked"), sent("upgrade")]).toEqual(
    Array(3).fill(undefined),
  );
  expect(sent("originator")).toBe(new Map(headers).get("originator"));
  expect([pick(request?.json(), "type"), pick(request?.json(), "stream")]).toEqual([undefined, true]);
});

test("the state of a turn, which answers tell in a header, goes with the turn's next requests and ends with it", async () => {
  const headers = { "x-codex-turn-state": "state-1" };
  await using both = await openai(inTurn(provider(), provider({ headers }), provider()));
  using socket = await openSocket(both.gateway.url, { headers: { "x-codex-turn-state": "state-0" } });
  for (const turn of ["a", "a", "a", "b"]) {
    socket.send(create("Go on.", { client_metadata: { turn_id: turn } }));
    await socket.answer();
  }
  expect(both.upstream.requests.map((request) => request.header("x-codex-turn-state"))).toEqual([
    "state-0",
    "state-0",
    "state-1",
    undefined,
  ]);
});

describe("an error over WebSocket", () => {
  test.each([
    ["bytes", Buffer.from(JSON.stringify(HELLO)), 400, "gateway_invalid_request"],
    ["no JSON", "{", 400, "gateway_invalid_request"],
    ["another type", { type: "response.cancel" }, 400, "gateway_invalid_request"],
    ["a lane of its own", { ...HELLO, stream_id: "a" }, 400, "gateway_unsupported_field"],
    ["no model", { type: "response.create", input: "Hi" }, 400, "gateway_invalid_request"],
    ["an unknown model", { ...HELLO, model: "claude-sonnet-5" }, 404, "model_not_found"],
  ] as const)("for %s has its status, and the socket stays", async (_, message, status, code) => {
    await using both = await openai();
    using socket = await openSocket(both.gateway.url);
    socket.send(message);
    const [error] = await socket.answer();
    expect([pick(error, "type"), pick(error, "status"), pick(error, "error", "code")]).toEqual([
      "error",
      status,
      code,
    ]);
    expect(pickText(error, "headers", "x-request-id")).toMatch(/^req_/);
    socket.send(HELLO);
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
  });

  test("of the upstream comes with its words, and a limit with the time to wait", async () => {
    const refused = json(400, {
      error: { message: "bad field", type: "invalid_request_error", param: "x", code: null },
    });
    const limited = json(
      429,
      { error: { message: "slow", type: "rate_limit_error" } },
      { "retry-after": "7" },
    );
    const detailed = json(400, { detail: "Instructions are required" });
    await using both = await openai(inTurn(refused, detailed, limited));
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    const [first] = await socket.answer();
    expect([pick(first, "status"), pick(first, "error")]).toEqual([
      400,
      { type: "invalid_request_error", code: null, param: "x", message: "bad field" },
    ]);
    socket.send(HELLO);
    const [second] = await socket.answer();
    expect(pick(second, "error", "message")).toBe("Instructions are required");
    socket.send(HELLO);
    const [third] = await socket.answer();
    expect(pick(third, "status")).toBe(429);
    expect(Number(pickText(third, "headers", "retry-after"))).toBeGreaterThan(0);
    await expectRecorded(both.gateway, 3);
  });

  test("tells that the key is no more, and ends the socket", async () => {
    await using both = await openai();
    const { gateway, upstream } = both;
    using socket = await openSocket(gateway.url);
    const accounts = [account("first", upstream.url, { platform: "openai" })];
    await gateway.reload({
      listen_addr: "127.0.0.1:0",
      auth_tokens: ["another-key-that-is-long-enough"],
      accounts,
    });
    socket.send(HELLO);
    expect(pickNumber((await socket.answer())[0], "status")).toBe(401);
    expect((await socket.closing()).code).toBe(1008);
  });
});

test("what fails before the upgrade is answered as HTTP, and the connection ends", async () => {
  await using both = await openai();
  const statusOf = async (path: string, key?: string): Promise<readonly unknown[]> => {
    const reply = await get(both.gateway.url, path, { headers: UPGRADE, ...(key !== undefined && { key }) });
    return [reply.status, pick(reply.json(), "error", "code"), reply.header("connection")];
  };
  expect(await statusOf("/v1/responses")).toEqual([401, "gateway_unauthenticated", "close"]);
  expect(await statusOf("/v1/responses", "wrong")).toEqual([401, "gateway_unauthenticated", "close"]);
  for (const path of ["/v1/messages", "/v1/chat/completions"]) {
    expect(await statusOf(path, CLIENT_KEY)).toEqual([426, "gateway_websocket_unsupported", "close"]);
  }
});
