// Both ends of many streams in one process, so that one clock tells how long an event was on its way: an upstream that
// writes the time into each event, and clients that read it. It takes the number of streams and the seconds as arguments,
// says its upstream's port, reads the gateway's port, and says what it saw.

import process from "node:process";
import type { Socket } from "bun";
import { renderRequest, streamShape } from "../gateway/shapes.ts";
import { CLIENT_KEY } from "../gateway/targets.ts";

const [streams = 0, seconds = 0] = process.argv.slice(2).map(Number);
/** Each stream brings an event so often. */
const EVERY_MS = 2_500;
const TICK_MS = 10;
const BATCH = 100;
const shape = streamShape("messages");
const request = { wire: "messages", family: "claude", mode: "held", bytes: 2_048 } as const;

interface Sender {
  asked: boolean;
}

const senders: Socket<Sender>[] = [];
const latenciesMs: number[] = [];
let dropped = 0;
let isMeasuring = false;
let isOver = false;

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

const opening = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunk(shape.opening)}`;

const upstream = Bun.listen<Sender>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(peer) {
      peer.data = { asked: false };
      peer.setNoDelay(true);
    },
    data(peer) {
      // A request of 2 KB comes in one piece or two; its answer begins with the first of them.
      if (peer.data.asked) return;
      peer.data.asked = true;
      senders.push(peer);
      peer.write(opening + chunk(stamped()));
    },
    close: () => undefined,
    error: () => undefined,
  },
});

function stamped(): string {
  const text = `at ${performance.now().toFixed(3)};`;
  const data = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
  return `event: content_block_delta\ndata: ${JSON.stringify(data)}\n\n`;
}

/** So many streams a tick that each has its turn in time. */
let turn = 0;
setInterval(() => {
  const due = Math.ceil((senders.length * TICK_MS) / EVERY_MS);
  for (let count = 0; count < due; count += 1) {
    turn = (turn + 1) % Math.max(1, senders.length);
    senders[turn]?.write(chunk(stamped()));
  }
}, TICK_MS);

function connect(port: number, bytes: Buffer): Promise<Socket> {
  return Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (peer) => void peer.write(bytes),
      data(_peer, arrived) {
        const now = performance.now();
        if (!isMeasuring) return;
        for (const [, at] of arrived.toString("latin1").matchAll(/at (\d+\.\d+);/g))
          latenciesMs.push(now - Number(at));
      },
      close() {
        if (!isOver) dropped += 1;
      },
      error: () => undefined,
    },
  });
}

async function* lines(): AsyncGenerator<string> {
  for await (const piece of process.stdin) yield String(piece).trim();
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

say({ port: upstream.port });
for await (const line of lines()) {
  const port = Number(line);
  const bytes = renderRequest(request, CLIENT_KEY, port);
  for (let made = 0; made < streams; made += BATCH) {
    await Promise.all(Array.from({ length: Math.min(BATCH, streams - made) }, () => connect(port, bytes)));
    while (senders.length < Math.min(made + BATCH, streams) - dropped) await Bun.sleep(5);
  }
  await Bun.sleep(5_000);
  say({ held: senders.length });
  isMeasuring = true;
  await Bun.sleep(seconds * 1_000);
  isMeasuring = false;
  isOver = true;
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  say({ dropped, events: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) });
}
