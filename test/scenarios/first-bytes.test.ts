// When bytes leave: the head together with the first event, nothing of an answer before its content, and signs of life
// while the upstream is silent. Time is the test's own; nothing here depends on how fast the machine is.
import { expect, setDefaultTimeout, test } from "bun:test";
import { hangBeforeHeaders } from "../support/answers.ts";
import { post, send, type Exchange } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { ask, textFrames, type TextFrames } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { until } from "./many.ts";
import { platformOf } from "./platform.ts";
import { expectSettled } from "./settled.ts";
import { streaming } from "./streaming.ts";

setDefaultTimeout(20_000);

const KEEP_ALIVE_MS = 15_000;
const SIGNS: Readonly<Record<Protocol, string>> = {
  messages: 'event: ping\ndata: {"type":"ping"}\n\n',
  responses: 'event: keepalive\ndata: {"type":"keepalive"}\n\n',
  chat: ": keepalive\n\n",
};
const UPSTREAM_WORDS = "Hello from upstream.";

async function start(upstream: Upstream, protocol: Protocol, clock?: VirtualClock): Promise<Gateway> {
  const platform = platformOf(protocol);
  const accounts = ["a", "b"].map((name, index) =>
    account(name, upstream.url, { platform, more: { priority: index + 1 } }),
  );
  const config = gatewayConfig(accounts, {
    // The gateway looks after a while whether the upstream can be reached, which takes real time.
    connect_timeout: "1h",
    first_event_timeout: "100s",
    stream_read_timeout: "100s",
  });
  return startGateway(config, clock === undefined ? {} : { clock });
}

function askFor(gateway: Gateway, protocol: Protocol): Exchange {
  return send(gateway.url, { path: PATHS[protocol], body: ask(protocol, { stream: true }), key: CLIENT_KEY });
}

/** What the client's socket delivers, read by read. */
function readsOf(exchange: Exchange): string[] {
  const reads: string[] = [];
  exchange.socket.on("data", (bytes: Buffer) => reads.push(bytes.toString()));
  return reads;
}

/** An upstream that does one part of its stream after another when it is told to. */
function stepwise(upstream: Upstream, parts: readonly Uint8Array[]): { next(): void } {
  const gates = parts.map(() => Promise.withResolvers<void>());
  let open = 0;
  upstream.otherwise(
    streaming(async (write) => {
      for (const [index, part] of parts.entries()) {
        await gates[index]?.promise;
        await write(part);
      }
    }),
  );
  return { next: () => gates[open++]?.resolve() };
}

function partsOf(frames: TextFrames): Record<"prelude" | "content" | "more" | "end", Buffer> {
  return {
    prelude: writeSse(frames.start),
    content: writeSse([...frames.open, frames.delta("first ")]),
    more: writeSse([frames.delta("second")]),
    end: writeSse(frames.close("first second")),
  };
}

for (const protocol of PROTOCOLS) {
  test(`${protocol}: nothing leaves before content, then head and first events leave in one write`, async () => {
    await using upstream = await startUpstream();
    await using gateway = await start(upstream, protocol, new VirtualClock());
    const { prelude, content, more, end } = partsOf(textFrames(protocol));
    const stream = stepwise(upstream, [prelude, content, more, end]);
    const exchange = askFor(gateway, protocol);
    const reads = readsOf(exchange);
    stream.next();
    await until(() => (upstream.requests[0]?.connection.sentBytes ?? 0) > prelude.length);
    await Bun.sleep(50);
    expect(exchange.receivedBytes).toBe(0);
    stream.next();
    await exchange.has("first ");
    const [head = "", body = ""] = reads[0]?.split("\r\n\r\n") ?? [];
    expect(head).toStartWith("HTTP/1.1 200");
    expect(`${body}${reads.slice(1).join("")}`).toContain("first ");
    expect(body).toContain(prelude.toString().slice(0, 40));
    stream.next();
    expect(await exchange.has("second")).toBe(true);
    stream.next();
    const reply = await exchange.reply;
    expect(judge(protocol, reply)).toMatchObject({ complete: true, text: "first second", problems: [] });
    expect(reply.body).toEqual(Buffer.concat([prelude, content, more, end]));
    await expectSettled(gateway, [reply]);
  });

  test(`${protocol}: while the upstream is silent before its head and between events, signs of life come every 15 s`, async () => {
    await using upstream = await startUpstream();
    const clock = new VirtualClock();
    await using gateway = await start(upstream, protocol, clock);
    const { prelude, content, more, end } = partsOf(textFrames(protocol));
    const stream = stepwise(upstream, [Buffer.concat([prelude, content]), more, end]);
    const exchange = askFor(gateway, protocol);
    await until(() => upstream.active === 1);
    const sign = SIGNS[protocol];
    await clock.pass(KEEP_ALIVE_MS - 1);
    await Bun.sleep(30);
    expect(exchange.receivedBytes).toBe(0);
    await clock.pass(1);
    expect(await exchange.has(sign)).toBe(true);
    await clock.pass(KEEP_ALIVE_MS);
    expect(await exchange.has(sign.repeat(2))).toBe(true);
    stream.next();
    expect(await exchange.has("first ")).toBe(true);
    await clock.pass(KEEP_ALIVE_MS);
    expect(await exchange.has(content.toString() + sign)).toBe(true);
    stream.next();
    expect(await exchange.has("second")).toBe(true);
    stream.next();
    const reply = await exchange.reply;
    const expected = [sign, sign, prelude, content, sign, more, end].map(String).join("");
    expect(reply.text()).toBe(expected);
    expect(judge(protocol, reply)).toMatchObject({ complete: true, text: "first second", problems: [] });
    await clock.pass(10 * KEEP_ALIVE_MS);
    await expectSettled(gateway, [reply]);
    expect(clock.pending).toBe(0);
  });

  test(`${protocol}: an account that stays silent after the first sign of life is still left for another one`, async () => {
    await using upstream = await startUpstream();
    const clock = new VirtualClock();
    await using gateway = await start(upstream, protocol, clock);
    upstream.otherwise(provider());
    upstream.when({ credential: credentialOf("a") }, hangBeforeHeaders());
    const exchange = askFor(gateway, protocol);
    await until(() => upstream.active === 1);
    await clock.pass(KEEP_ALIVE_MS);
    expect(await exchange.has(SIGNS[protocol])).toBe(true);
    await clock.pass(90_000);
    const reply = await exchange.reply;
    expect(judge(protocol, reply)).toMatchObject({ complete: true, text: UPSTREAM_WORDS, problems: [] });
    await expectSettled(gateway, [reply]);
    expect(gateway.exchanges[0]?.attempts).toEqual(["a:account", "b:ok"]);
    expect(upstream.account(credentialOf("a")).requests.map((request) => request.state)).toEqual([
      "abandoned",
    ]);
  });
}

test("a whole answer gets no signs of life, which would not be JSON", async () => {
  await using upstream = await startUpstream();
  const clock = new VirtualClock();
  await using gateway = await start(upstream, "messages", clock);
  const answer = Promise.withResolvers<void>();
  upstream.otherwise(async (request, connection) => {
    await answer.promise;
    await provider()(request, connection);
  });
  const reply = post(gateway.url, PATHS.messages, ask("messages", { stream: false }), { key: CLIENT_KEY });
  await until(() => upstream.active === 1);
  await clock.pass(4 * KEEP_ALIVE_MS);
  answer.resolve();
  expect(judge("messages", await reply)).toMatchObject({
    complete: true,
    text: UPSTREAM_WORDS,
    problems: [],
  });
  await expectSettled(gateway, [await reply]);
});

test("a reader that takes nothing for two minutes is dismissed, and its upstream let go", async () => {
  await using upstream = await startUpstream();
  const clock = new VirtualClock();
  await using gateway = await start(upstream, "messages", clock);
  const frames = textFrames("messages");
  const delta = writeSse(Array.from({ length: 500 }, () => frames.delta("x".repeat(100))));
  upstream.otherwise(
    streaming(async (write, { connection }) => {
      await write(writeSse([...frames.start, ...frames.open]));
      while (connection.open) await write(delta);
    }),
  );
  const request = { path: PATHS.messages, body: ask("messages", { stream: true }), key: CLIENT_KEY };
  const exchange = send(gateway.url, request, { read: "never" });
  await until(() => upstream.active === 1);
  for (let before = -1; before !== upstream.requests[0]?.connection.sentBytes;) {
    before = upstream.requests[0]?.connection.sentBytes ?? 0;
    await Bun.sleep(300);
  }
  await clock.pass(60_000);
  expect([upstream.active, gateway.active()]).toEqual([1, 1]);
  await clock.pass(75_000);
  await upstream.idle();
  await gateway.idle();
  expect(gateway.exchanges.map((record) => [record.outcome, record.attempts])).toEqual([
    ["gone", ["a:gone"]],
  ]);
  exchange.leave("rst");
});
