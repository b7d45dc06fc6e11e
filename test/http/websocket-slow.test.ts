// A client of a socket that reads slowly or not at all holds its upstream back, and next to nothing else.
import { expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { expectRecorded } from "../scenarios/settled.ts";
import { flood, sse } from "../support/answers.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { textFrames } from "../support/made-streams.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { create, within } from "./socket-client.ts";

setDefaultTimeout(30_000);

/** Far more than the kernel's buffers between three processes hold. */
const LARGE = 96 << 20;
/** No byte more was taken for this long: the flood stands still. */
const STILL_MS = 500;

/** A socket by hand, since a ready-made client cannot stop reading. */
async function rawSocket(url: string, message: unknown): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    `GET /v1/responses HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CLIENT_KEY}\r\nconnection: Upgrade\r\n` +
      "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const head = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  expect(head.toString().split("\r\n", 1)).toEqual(["HTTP/1.1 101 Switching Protocols"]);
  socket.pause();
  const text = Buffer.from(JSON.stringify(message));
  // FIN and text; masked, with a mask of zeros; the length in 16 bits.
  const header = Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 0xff, 0, 0, 0, 0]);
  socket.write(Buffer.concat([header, text]));
  return socket;
}

async function standsStill(taken: () => number): Promise<number> {
  for (let before = -1; before !== taken() && before < 2 * LARGE;) {
    before = taken();
    await Bun.sleep(STILL_MS);
  }
  return taken();
}

const config = { first_event_timeout: "20s", stream_read_timeout: "20s" };
const frames = textFrames("responses");
const event = writeSse([frames.delta("x".repeat(200))]);
const start = writeSse([...frames.start, ...frames.open]);

test("a client that reads nothing dams the upstream up, and its slot is free when it has left", async () => {
  await using upstream = await startUpstream();
  const dam = flood(event, { start });
  upstream.otherwise(dam.answer);
  const accounts = [account("first", upstream.url, { platform: "openai" })];
  await using gateway = await startGateway(gatewayConfig(accounts, config));
  const socket = await rawSocket(gateway.url, create("Flood me."));
  await within("it flows", () => dam.takenBytes > 0);
  expect(await standsStill(() => dam.takenBytes)).toBeLessThan(LARGE);
  expect(gateway.active()).toBe(1);
  socket.destroy();
  await upstream.idle();
  await expectRecorded(gateway, 1);
  expect(gateway.exchanges[0]?.outcome).toBe("gone");
});

test("a client that reads after a pause gets all there is, in order, to the end", async () => {
  await using upstream = await startUpstream();
  const pieces = Array.from({ length: 40_000 }, (_, index) => `${index} ${"x".repeat(500)}`);
  const deltas = pieces.map((piece) => frames.delta(piece));
  const stream = writeSse([...frames.start, ...frames.open, ...deltas, ...frames.close("All that.")]);
  upstream.otherwise(sse(stream, { chunking: "whole" }));
  const accounts = [account("first", upstream.url, { platform: "openai" })];
  await using gateway = await startGateway(gatewayConfig(accounts, config));
  const socket = await rawSocket(gateway.url, create("Tell me."));
  await Bun.sleep(STILL_MS);
  const got: Buffer[] = [];
  let size = 0;
  socket.on("data", (bytes: Buffer) => {
    got.push(bytes);
    size += bytes.length;
  });
  socket.resume();
  await expectRecorded(gateway, 1);
  await standsStill(() => size);
  socket.destroy();
  const all = Buffer.concat(got).toString("latin1");
  const numbers = [...all.matchAll(/"delta":"(\d+) x/g)].map(([, number]) => Number(number));
  expect(numbers).toEqual(pieces.map((_, index) => index));
  expect(all.includes('"type":"response.completed"')).toBe(true);
  expect(gateway.exchanges[0]?.outcome).toBe("ok");
});

test("a client that takes nothing for two minutes is let go", async () => {
  await using upstream = await startUpstream();
  const dam = flood(event, { start });
  upstream.otherwise(dam.answer);
  const clock = new VirtualClock();
  const accounts = [account("first", upstream.url, { platform: "openai" })];
  await using gateway = await startGateway(
    gatewayConfig(accounts, { ...config, stream_read_timeout: "10m" }),
    {
      clock,
    },
  );
  const socket = await rawSocket(gateway.url, create("Flood me."));
  await within("it flows", () => dam.takenBytes > 0);
  await standsStill(() => dam.takenBytes);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await clock.pass(150_000);
  await upstream.idle();
  await expectRecorded(gateway, 1);
  expect(gateway.exchanges[0]?.outcome).toBe("gone");
  socket.resume();
  await closed;
});
