// An account whose address is a WebSocket's: Responses are asked for over a socket, and nobody else can tell.
import { expect, test } from "bun:test";
import type { Server, ServerWebSocket } from "bun";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { pick, pickText, type JsonObject } from "../support/json-pick.ts";
import { ask, textStream } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import { readSse } from "../support/sse-text.ts";
import { until } from "../scenarios/many.ts";

const SAID = "Grüße 漢, by a socket.";
const FRAMES = readSse(textStream("responses", [SAID])).events.map(({ data }) => data);

interface Asked {
  readonly credential: string | null;
  readonly beta: string | null;
  readonly body: JsonObject;
}

interface Backend extends AsyncDisposable {
  readonly url: string;
  readonly asked: Asked[];
  /** Sockets that are open now. */
  readonly open: () => number;
  /** Requests that came as a POST. */
  readonly posts: () => number;
}

/** Answers every message by `act`; without one it takes no socket. */
function backend(act: ((socket: ServerWebSocket<Omit<Asked, "body">>) => void) | undefined): Backend {
  const asked: Asked[] = [];
  let [open, posts] = [0, 0];
  const server: Server<Omit<Asked, "body">> = Bun.serve<Omit<Asked, "body">>({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, bun) {
      const { headers } = request;
      const data = { credential: headers.get("authorization"), beta: headers.get("openai-beta") };
      if (act !== undefined && bun.upgrade(request, { data })) return undefined;
      posts += request.method === "POST" ? 1 : 0;
      if (request.method !== "POST") return new Response("no", { status: 426 });
      return new Response(textStream("responses", [SAID]), {
        headers: { "content-type": "text/event-stream" },
      });
    },
    websocket: {
      open: () => void (open += 1),
      close: () => void (open -= 1),
      message(socket, message) {
        asked.push({ ...socket.data, body: JSON.parse(String(message)) });
        act?.(socket);
      },
    },
  });
  const close = (): Promise<void> => server.stop(true);
  return {
    url: `ws://127.0.0.1:${server.port}`,
    asked,
    open: () => open,
    posts: () => posts,
    [Symbol.asyncDispose]: close,
  };
}

function gatewayFor(...backends: readonly Backend[]): Promise<Gateway> {
  const accounts = backends.map(({ url }, place) =>
    account(`gpt${place + 1}`, url, {
      platform: "openai",
      more: { apis: ["responses"], priority: place + 1 },
    }),
  );
  return startGateway(gatewayConfig(accounts));
}

function request(gateway: Gateway, client: Protocol, stream: boolean): Promise<Reply> {
  const body = ask(client, { model: "gpt-5", stream });
  return post(gateway.url, PATHS[client], body, { key: CLIENT_KEY });
}

const saying = (socket: ServerWebSocket<unknown>): void => FRAMES.forEach((frame) => void socket.send(frame));

test.each(PROTOCOLS.flatMap((client) => [true, false].map((stream) => ({ client, stream }))))(
  "serves a client of $client, streaming: $stream",
  async ({ client, stream }) => {
    await using socket = backend(saying);
    await using gateway = await gatewayFor(socket);
    const reply = await request(gateway, client, stream);
    const { text, complete, problems } = judge(client, reply);
    expect([reply.status, text, complete, problems]).toEqual([200, SAID, true, []]);
    const [asked] = socket.asked;
    expect([asked?.credential, asked?.beta]).toEqual([
      `Bearer ${credentialOf("gpt1")}`,
      "responses_websockets=2026-02-06",
    ]);
    expect([asked?.body["type"], asked?.body["model"]]).toEqual(["response.create", "gpt-5"]);
    await until(() => socket.open() === 0);
    expect(gateway.active()).toBe(0);
  },
);

test("passes the frames' own bytes", async () => {
  await using socket = backend(saying);
  await using gateway = await gatewayFor(socket);
  const reply = await request(gateway, "responses", true);
  expect(readSse(reply.body).events.map(({ data }) => data)).toEqual(FRAMES);
});

test("an error frame with a status is judged as an answer with it: a limit rests the account and another one serves", async () => {
  const error = { type: "rate_limit_exceeded", code: "rate_limit_exceeded", message: "slow down" };
  const limit = JSON.stringify({ type: "error", status: 429, error, headers: { "retry-after": "60" } });
  await using limited = backend((socket) => void socket.send(limit));
  await using other = backend(saying);
  await using gateway = await gatewayFor(limited, other);
  expect(judge("responses", await request(gateway, "responses", true)).text).toBe(SAID);
  expect(gateway.snapshot().map(({ state }) => state)).toEqual(["cooling", "ready"]);
});

test("an upstream that takes no socket is asked by a POST", async () => {
  await using refusing = backend(undefined);
  await using gateway = await gatewayFor(refusing);
  expect(judge("responses", await request(gateway, "responses", true)).text).toBe(SAID);
  expect(refusing.posts()).toBe(1);
});

test.each(PROTOCOLS)(
  "a socket that closes before the end is a cut, and never looks whole to a client of %s",
  async (client) => {
    await using socket = backend((line) => {
      for (const frame of FRAMES.slice(0, -2)) line.send(frame);
      line.close();
    });
    await using gateway = await gatewayFor(socket);
    const reply = await request(gateway, client, true);
    const { complete, markers, error } = judge(client, reply);
    expect([complete, markers]).toEqual([false, []]);
    expect(error?.message).toBeString();
  },
);

test("a client that leaves takes its socket with it", async () => {
  await using socket = backend((line) => FRAMES.slice(0, 5).forEach((frame) => void line.send(frame)));
  await using gateway = await gatewayFor(socket);
  const abort = new AbortController();
  const reply = await fetch(`${gateway.url}/v1/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(ask("responses", { model: "gpt-5", stream: true })),
    signal: abort.signal,
  });
  expect(reply.status).toBe(200);
  expect(socket.open()).toBe(1);
  abort.abort();
  await until(() => socket.open() === 0);
  await gateway.idle();
});

test("a client's own socket goes on over it", async () => {
  await using upstream = backend(saying);
  await using gateway = await gatewayFor(upstream);
  const socket = new WebSocket(`${gateway.url.replace("http", "ws")}/v1/responses`, {
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
  });
  const done = Promise.withResolvers<string>();
  socket.addEventListener("open", () => {
    socket.send(
      JSON.stringify({ type: "response.create", ...ask("responses", { model: "gpt-5", stream: true }) }),
    );
  });
  socket.addEventListener("message", ({ data }) => {
    const event: unknown = JSON.parse(String(data));
    if (pickText(event, "type") === "response.completed")
      done.resolve(String(pick(event, "response", "status")));
  });
  expect(await done.promise).toBe("completed");
  socket.close();
});
