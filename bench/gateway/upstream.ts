// The mock upstream: a process that must cost less per request than whatever is measured in front of it,
// so it speaks just enough HTTP/1.1 on bare sockets and sends bytes rendered before the first request.

import process from "node:process";
import type { Socket } from "bun";
import { type Mode, MODES, STREAM_EVENTS, streamShape, wholeAnswer, type Wire } from "./shapes.ts";

/** The bytes of one answer; `stops[n]` is how far they may be sent after n ticks. */
interface Script {
  readonly bytes: Buffer;
  readonly stops: readonly number[];
  readonly everyTicks: number;
  readonly endless: boolean;
}

interface Line {
  /** Bytes of the request body still to come. */
  bodyLeft: number;
  wire: Wire;
  mode: Mode | undefined;
  /** A head that has not come whole yet. */
  rest: Buffer | undefined;
  script: Script | undefined;
  step: number;
  sent: number;
  /** In ticks. */
  nextAt: number;
}

type Peer = Socket<Line>;

const TICK_MS = 2;
const HELD_TICKS = 500;
const HELD_EVENTS = 600;
const HEAD_END = Buffer.from("\r\n\r\n");
const MODE_MARK = Buffer.from("-bench-");

const LIMIT_HEADERS = [
  "anthropic-ratelimit-unified-status: allowed",
  "anthropic-ratelimit-unified-5h-status: allowed",
  "anthropic-ratelimit-unified-5h-utilization: 0.12",
  "anthropic-ratelimit-unified-5h-reset: 4102444800",
  "anthropic-ratelimit-unified-7d-status: allowed",
  "anthropic-ratelimit-unified-7d-utilization: 0.31",
  "anthropic-ratelimit-unified-7d-reset: 4102444800",
];

function head(wire: Wire, lines: readonly string[]): string {
  const limits =
    wire === "messages"
      ? LIMIT_HEADERS
      : ["x-ratelimit-remaining-requests: 9999", "x-ratelimit-remaining-tokens: 1999000"];
  const common = [
    "HTTP/1.1 200 OK",
    "date: Mon, 01 Jan 2035 00:00:00 GMT",
    "server: bench",
    "request-id: req_bench",
    ...limits,
  ];
  return `${[...common, ...lines].join("\r\n")}\r\n\r\n`;
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function wholeScript(wire: Wire): Script {
  const body = wholeAnswer(wire);
  const bytes = Buffer.from(
    head(wire, ["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`]) + body,
  );
  return { bytes, stops: [bytes.length], everyTicks: 1, endless: false };
}

function streamScript(wire: Wire, mode: Mode): Script {
  const shape = streamShape(wire);
  const pieces = [
    head(wire, [
      "content-type: text/event-stream; charset=utf-8",
      "cache-control: no-cache",
      "transfer-encoding: chunked",
    ]) + chunk(shape.opening),
  ];
  const events = mode === "held" ? HELD_EVENTS : STREAM_EVENTS;
  for (let index = 0; index < events; index += 1) pieces.push(chunk(shape.event(index)));
  const endless = mode === "held";
  if (!endless) pieces.push(`${chunk(shape.closing)}0\r\n\r\n`);
  const bytes = Buffer.from(pieces.join(""));
  if (mode === "burst") return { bytes, stops: [bytes.length], everyTicks: 1, endless };
  let end = 0;
  const stops = pieces.map((piece) => (end += Buffer.byteLength(piece)));
  // The closing leaves with the last event.
  if (!endless) stops.splice(stops.length - 2, 1);
  return { bytes, stops, everyTicks: mode === "held" ? HELD_TICKS : 1, endless };
}

function scriptsOf(wire: Wire): Readonly<Record<Mode, Script>> {
  return {
    whole: wholeScript(wire),
    burst: streamScript(wire, "burst"),
    paced: streamScript(wire, "paced"),
    held: streamScript(wire, "held"),
  };
}

const scripts = {
  messages: scriptsOf("messages"),
  responses: scriptsOf("responses"),
  chat: scriptsOf("chat"),
};
const live = new Set<Peer>();
let ticks = 0;

function wireOf(path: string): Wire {
  if (path.includes("/responses")) return "responses";
  return path.includes("/chat/") ? "chat" : "messages";
}

function modeAt(bytes: Buffer, from: number): Mode | undefined {
  const at = bytes.indexOf(MODE_MARK, from);
  if (at < 0) return undefined;
  const word = bytes.toString("latin1", at + MODE_MARK.length, at + MODE_MARK.length + 8);
  return MODES.find((mode) => word.startsWith(mode));
}

/** Writes as far as the script allows by now; a full socket goes on in `drain`. */
function push(peer: Peer): void {
  const line = peer.data;
  const script = line.script;
  if (script === undefined) return;
  const stop = script.stops[line.step] ?? script.bytes.length;
  if (stop > line.sent) line.sent += Math.max(0, peer.write(script.bytes, line.sent, stop - line.sent));
  const over = line.step + 1 >= script.stops.length && line.sent === script.bytes.length;
  if (!over) return;
  live.delete(peer);
  if (!script.endless) line.script = undefined;
}

function answer(peer: Peer): void {
  const line = peer.data;
  line.script = scripts[line.wire][line.mode ?? "whole"];
  line.step = 0;
  line.sent = 0;
  line.nextAt = ticks + line.script.everyTicks;
  if (line.script.stops.length > 1) live.add(peer);
  push(peer);
}

function takeBody(peer: Peer, bytes: Buffer, from: number): number {
  const line = peer.data;
  const end = Math.min(bytes.length, from + line.bodyLeft);
  line.mode ??= modeAt(bytes, from);
  line.bodyLeft -= end - from;
  if (line.bodyLeft === 0) answer(peer);
  return end;
}

/** Reads one head; undefined when it has not come whole. */
function takeHead(peer: Peer, bytes: Buffer, from: number): number | undefined {
  const end = bytes.indexOf(HEAD_END, from);
  if (end < 0) return undefined;
  const line = peer.data;
  const text = bytes.toString("latin1", from, end);
  const length = /content-length: *(\d+)/i.exec(text);
  line.wire = wireOf(text.slice(0, text.indexOf("\r\n")));
  line.mode = undefined;
  line.bodyLeft = Number(length?.[1] ?? 0);
  if (line.bodyLeft === 0) {
    peer.write("HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n");
  }
  return end + HEAD_END.length;
}

function take(peer: Peer, arrived: Buffer): void {
  const line = peer.data;
  const bytes = line.rest === undefined ? arrived : Buffer.concat([line.rest, arrived]);
  line.rest = undefined;
  let at = 0;
  while (at < bytes.length) {
    if (line.bodyLeft > 0) {
      at = takeBody(peer, bytes, at);
      continue;
    }
    const after = takeHead(peer, bytes, at);
    if (after === undefined) {
      line.rest = Buffer.from(bytes.subarray(at));
      return;
    }
    at = after;
  }
}

/** One timer for all streams. */
function tick(): void {
  ticks += 1;
  for (const peer of live) {
    const line = peer.data;
    if (line.nextAt > ticks) continue;
    line.step += 1;
    line.nextAt = ticks + (line.script?.everyTicks ?? 1);
    push(peer);
  }
}

const server = Bun.listen<Line>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(peer) {
      peer.setNoDelay(true);
      peer.data = {
        bodyLeft: 0,
        wire: "messages",
        mode: undefined,
        rest: undefined,
        script: undefined,
        step: 0,
        sent: 0,
        nextAt: 0,
      };
    },
    data: take,
    drain: push,
    close: (peer) => void live.delete(peer),
    error: (peer) => void live.delete(peer),
  },
});
setInterval(tick, TICK_MS);
// Whoever started this process closes its standard input by ending, however it ends.
process.stdin.on("end", () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
