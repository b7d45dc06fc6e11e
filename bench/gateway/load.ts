// The load generator: a process of its own, on bare sockets with keep-alive, bounded in requests and in
// time, and to the loopback interface only. Reads its task from the first argument, prints JSON lines.

import process from "node:process";
import type { Socket } from "bun";
import { type Request, renderRequest, STREAM_ENDS } from "./shapes.ts";

export interface LoadTask {
  readonly port: number;
  readonly key: string;
  readonly request: Request;
  readonly connections: number;
  /** In all, over all connections. */
  readonly requests: number;
  readonly maxMs: number;
  /** Open every stream, say so, and hold them until standard input ends. */
  readonly hold: boolean;
}

export interface LoadResult {
  readonly done: number;
  readonly failed: number;
  readonly failure: string | undefined;
  readonly wallMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** In how many reads the answers arrived: fewer than events mean that events were lumped together. */
  readonly reads: number;
}

interface Line {
  startedNs: number;
  /** Bytes of the answer's body still to come; undefined while unknown and for chunked bodies. */
  left: number | undefined;
  started: boolean;
  /** A head that has not come whole yet. */
  head: Buffer | undefined;
  tail: string;
  /** How much of the request the socket has taken. */
  sent: number;
}

type Peer = Socket<Line>;

/** Connections opened at once: more would overflow a listener's backlog. */
const BATCH = 100;
const TAIL_BYTES = 400;
const FAILURES = 100;

const task = JSON.parse(process.argv[2] ?? "{}") as LoadTask;
const bytes = renderRequest(task.request, task.key, task.port);
const streamed = task.request.mode !== "whole";
const latenciesUs = new Float64Array(task.requests);
const startedAt = performance.now();
let begun = 0;
let done = 0;
let failed = 0;
let failure: string | undefined;
let reads = 0;
let opened = 0;
const broken = new Set<Peer>();

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function send(peer: Peer): void {
  const line = peer.data;
  if (line.sent < bytes.length) line.sent += Math.max(0, peer.write(bytes, line.sent));
}

function next(peer: Peer): void {
  if (begun >= task.requests) {
    peer.end();
    return;
  }
  begun += 1;
  peer.data = { ...freshLine(), startedNs: Bun.nanoseconds() };
  send(peer);
}

function freshLine(): Line {
  return { startedNs: 0, left: undefined, started: false, head: undefined, tail: "", sent: 0 };
}

function finish(): void {
  const sorted = latenciesUs.subarray(0, done).sort();
  const at = (share: number): number => sorted[Math.min(done - 1, Math.floor(done * share))] ?? 0;
  const wallMs = performance.now() - startedAt;
  const result: LoadResult = { done, failed, failure, wallMs, p50Us: at(0.5), p99Us: at(0.99), reads };
  say(result);
  process.exit(0);
}

function fail(peer: Peer | undefined, why: string): void {
  failed += 1;
  failure ??= why;
  if (failed > FAILURES || done + failed >= task.requests || peer === undefined) finish();
  if (peer === undefined) return;
  broken.add(peer);
  peer.terminate();
}

function complete(peer: Peer): void {
  latenciesUs[done] = (Bun.nanoseconds() - peer.data.startedNs) / 1_000;
  done += 1;
  if (done + failed >= task.requests) finish();
  next(peer);
}

/** Reads the head, which may come in pieces; returns what of this read belongs to the body. */
function readHead(peer: Peer, arrived: Buffer): Buffer | undefined {
  const line = peer.data;
  const all = line.head === undefined ? arrived : Buffer.concat([line.head, arrived]);
  const end = all.indexOf("\r\n\r\n");
  if (end < 0) {
    line.head = Buffer.from(all);
    return undefined;
  }
  const head = all.toString("latin1", 0, end);
  if (!head.startsWith("HTTP/1.1 200")) {
    fail(peer, all.toString("latin1", 0, 600));
    return undefined;
  }
  line.started = true;
  opened += 1;
  if (task.hold && opened === task.connections) say({ held: opened });
  const length = /content-length: *(\d+)/i.exec(head);
  line.left = length === null ? undefined : Number(length[1]);
  return all.subarray(end + 4);
}

function receive(peer: Peer, arrived: Buffer): void {
  const line = peer.data;
  reads += 1;
  const body = line.started ? arrived : readHead(peer, arrived);
  if (body === undefined) return;
  const kept = body.length >= TAIL_BYTES ? "" : line.tail;
  line.tail = (kept + body.toString("latin1", Math.max(0, body.length - TAIL_BYTES))).slice(-TAIL_BYTES);
  if (line.left !== undefined) line.left -= body.length;
  // A stream comes in chunks, the last of them empty, or with a length if it was short enough to be known whole.
  const over = line.left === undefined ? line.tail.endsWith("0\r\n\r\n") : line.left === 0;
  if (!over) return;
  if (streamed && !line.tail.includes(STREAM_ENDS[task.request.wire])) {
    fail(peer, `the stream ended early: ${line.tail}`);
  } else complete(peer);
}

function connect(): Promise<Peer> {
  return Bun.connect<Line>({
    hostname: "127.0.0.1",
    port: task.port,
    data: freshLine(),
    socket: {
      open(peer) {
        peer.setNoDelay(true);
        next(peer);
      },
      data: receive,
      drain: send,
      close(peer) {
        if (begun < task.requests && !broken.has(peer)) fail(peer, "the connection was closed");
      },
      connectError: (_peer, error) => fail(undefined, error.message),
    },
  });
}

setTimeout(() => {
  failure ??= `not done after ${task.maxMs} ms`;
  finish();
}, task.maxMs);
if (task.hold) process.stdin.on("end", finish).resume();
for (let made = 0; made < task.connections; made += BATCH) {
  const batch = Math.min(BATCH, task.connections - made);
  await Promise.all(Array.from({ length: batch }, connect));
}
