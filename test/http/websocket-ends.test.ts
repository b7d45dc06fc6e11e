// How sockets and the answers on them end: clients that leave, answers that break off, gateways that stop, and what is
// too much.
import { describe, expect, test } from "bun:test";
import { expectRecorded } from "../scenarios/settled.ts";
import { flood, hangBeforeHeaders, held, inTurn, sse } from "../support/answers.ts";
import { get } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig, SECOND_CLIENT_KEY } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { pick, pickNumber, type JsonObject } from "../support/json-pick.ts";
import { textFrames, textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { pair, type Pair } from "./pair.ts";
import { create, openSocket, typesOf, within, type SocketClient } from "./socket-client.ts";

const HELLO = create("Say hello.");
const STREAM = textStream("responses", ["Hello ", "world"]);
const PATIENT = { first_event_timeout: "20s", stream_read_timeout: "20s" };

function one(answer: Answer, more: JsonObject = {}): Promise<Pair> {
  return pair(answer, (url) => [account("first", url, { platform: "openai" })], more);
}

describe("a client that leaves", () => {
  const frames = textFrames("responses");
  test.each([
    ["before the answer has begun", hangBeforeHeaders()],
    ["in the middle of it", flood(writeSse([frames.delta("x")]), { start: writeSse(frames.start) }).answer],
  ])("%s ends the request upstream and gives the slot back", async (_, answer) => {
    await using both = await one(answer, PATIENT);
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    await within("the upstream is asked", () => both.upstream.active === 1);
    socket.close();
    await both.upstream.idle();
    await expectRecorded(both.gateway, 1);
    expect(both.gateway.exchanges[0]?.outcome).toBe("gone");
  });

  test("takes the request that waits with it", async () => {
    const waiting = held(provider());
    await using both = await one(waiting.answer, PATIENT);
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    socket.send(HELLO);
    await within("the upstream is asked", () => waiting.waiting === 1);
    socket.close();
    await both.upstream.idle();
    waiting.release();
    await expectRecorded(both.gateway, 1);
  });
});

describe("an answer that breaks off", () => {
  test("after its first content ends with an error event and never as complete; the socket stays", async () => {
    const cut = sse(STREAM, { cutAt: STREAM.length - 500, end: "rst", lingerMs: 50 });
    await using both = await one(inTurn(cut, provider()));
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    const types = typesOf(await socket.answer());
    expect([types[0], types.at(-1)]).toEqual(["response.created", "response.failed"]);
    socket.send(HELLO);
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    await expectRecorded(both.gateway, 2);
    expect(both.gateway.exchanges.map(({ outcome }) => outcome)).toEqual(["cut", "ok"]);
  });

  test("with the upstream's own error event says it with a status, without which Codex would wait on", async () => {
    const frames = textFrames("responses");
    const error = { type: "error", code: "server_error", message: "It broke.", param: null };
    await using both = await one(
      sse([...frames.start, ...frames.open, frames.delta("Hel"), { event: "error", data: error }]),
    );
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    expect((await socket.answer()).at(-1)).toEqual({
      type: "error",
      status: 500,
      error: { type: "server_error", code: "server_error", message: "It broke.", param: null },
    });
    await expectRecorded(both.gateway, 1);
  });
});

describe("a gateway that stops", () => {
  const FREE = { shutdown_grace: "5s", ...PATIENT };

  test("closes sockets at rest, lets answers finish, takes no new request and closes then", async () => {
    const waiting = held(provider());
    await using both = await one(waiting.answer, FREE);
    using idle = await openSocket(both.gateway.url);
    using busy = await openSocket(both.gateway.url);
    busy.send(HELLO);
    await within("the upstream is asked", () => waiting.waiting === 1);
    const drained = both.gateway.drain();
    expect((await idle.closing()).code).toBe(1001);
    busy.send(HELLO);
    const [refused] = await busy.answer();
    expect([pick(refused, "status"), pick(refused, "error", "code")]).toEqual([503, "gateway_shutting_down"]);
    expect(busy.closed).toBe(undefined);
    waiting.release();
    expect(typesOf(await busy.answer()).at(-1)).toBe("response.completed");
    expect((await busy.closing()).code).toBe(1001);
    await drained;
    expect(both.gateway.exchanges.map(({ outcome }) => outcome)).toEqual(["ok"]);
  });

  test("ends with an error what is not done within the grace", async () => {
    const frames = textFrames("responses");
    const start = writeSse([...frames.start, ...frames.open, frames.delta("Hel")]);
    const stuck = sse(start, { end: "hang" });
    await using both = await one(stuck, { ...FREE, shutdown_grace: "100ms" });
    using socket = await openSocket(both.gateway.url);
    socket.send(HELLO);
    await within("content has come", () => typesOf(socket.frames).includes("response.output_text.delta"));
    await both.gateway.drain();
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.failed");
    expect((await socket.closing()).code).toBe(1001);
  });
});

describe("too much", () => {
  test("is a request while one is answered and one waits", async () => {
    const waiting = held(provider());
    await using both = await one(waiting.answer, PATIENT);
    using socket = await openSocket(both.gateway.url);
    for (let count = 0; count < 3; count++) socket.send(HELLO);
    expect(pickNumber((await socket.answer())[0], "status")).toBe(400);
    waiting.release();
    for (let count = 0; count < 2; count++)
      expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    await expectRecorded(both.gateway, 2);
  });

  test("is a body over max_body_size, which is told, and a frame far over it, which ends the socket", async () => {
    await using both = await one(provider(), { max_body_size: "4KB" });
    using socket = await openSocket(both.gateway.url);
    socket.send(create("x".repeat(8 << 10)));
    expect(pickNumber((await socket.answer())[0], "status")).toBe(413);
    socket.send(create("x".repeat(128 << 10)));
    expect((await socket.closing()).code).toBe(1009);
    expect(both.upstream.requests.length).toBe(0);
  });

  test("are more than 64 sockets of one key: the next client is sent to POST, that of another key is not", async () => {
    await using gateway = await startGateway(gatewayConfig([account("first", "http://127.0.0.1:1")]));
    const open = await Promise.all(Array.from({ length: 64 }, () => openSocket(gateway.url)));
    expect(await upgradeStatus(gateway)).toBe(426);
    using other = await openSocket(gateway.url, { key: SECOND_CLIENT_KEY });
    expect(other.closed).toBe(undefined);
    await leave(open.slice(0, 1));
    let again: SocketClient | undefined;
    while (again === undefined) again = await openSocket(gateway.url).catch(() => undefined);
    await leave([...open.slice(1), again]);
  });
});

async function upgradeStatus(gateway: Gateway): Promise<number> {
  const headers = [
    ["connection", "Upgrade"],
    ["upgrade", "websocket"],
    ["sec-websocket-version", "13"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ] as const;
  return (await get(gateway.url, "/v1/responses", { key: CLIENT_KEY, headers })).status;
}

async function leave(sockets: readonly SocketClient[]): Promise<void> {
  for (const socket of sockets) socket.close();
  await Promise.all(sockets.map((socket) => socket.closing()));
}
