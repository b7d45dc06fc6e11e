// Bodies that nobody will read, because they are too large or the request was refused without them: the client is told,
// and its connection is closed however much it still has to send.
import assert from "node:assert/strict";
import { once } from "node:events";
import { sendRaw, type Exchange } from "../support/client.ts";
import { expectGood, expectHits } from "./check.ts";
import { wireOf } from "./front-wire.ts";
import { chanceOf, PATIENT, stage, type Case, type Stage } from "./row.ts";

const MIB = 1 << 20;
/** What both kernels and one reading may take; a gateway that reads on takes everything. */
const MOST_BYTES = 24 * MIB;
const SENT_BYTES = 96 * MIB;
/** A client that sends on may be reset before it has read its answer (RFC 9112 §9.6); then it asks again. */
const LOST = 3;
const STAYS = { stays: true, timeoutMs: 8_000 };

/** Sends until the other side closes the connection, or all there is; how much it was. */
async function sendOn({ socket, reply }: Exchange, piece: Buffer): Promise<number> {
  let sent = 0;
  const over = reply.then(() => false);
  for (let isOpen = true; isOpen && sent < SENT_BYTES; sent += piece.length) {
    if (socket.write(piece)) continue;
    const taken = once(socket, "drain").then(
      () => true,
      () => false,
    );
    isOpen = await Promise.race([taken, over]);
  }
  return sent;
}

interface Endless {
  readonly head: string;
  readonly status: number;
  /** Leaves a record. */
  readonly recorded: boolean;
}

function endless(each: Case): readonly Endless[] {
  const { start } = wireOf(each);
  const strange = start.replace(/x-api-key: [^\r]*/, "x-api-key: somebody-unknown-to-the-gateway");
  const at = (path: string): string => start.replace(/^POST \S+/, `POST ${path}`);
  return [
    { head: start, status: 413, recorded: true },
    { head: strange, status: 401, recorded: true },
    { head: at("/nothing/here"), status: 404, recorded: false },
    { head: at("/health"), status: 405, recorded: false },
    { head: at("/auth/paste"), status: 421, recorded: false },
  ];
}

/** The answer comes at once, and what is still sent after it is not taken. */
export async function notReadOn(each: Case): Promise<void> {
  await using play = await stage(each, { accounts: [{}], config: { ...PATIENT, max_body_size: "1MiB" } });
  const piece = Buffer.alloc(1 << 16, " ");
  const chunk = Buffer.concat([Buffer.from("10000\r\n"), piece, Buffer.from("\r\n")]);
  const all = endless(each);
  // Every way one of these, and which one is up to the seed.
  const from = Math.floor(chanceOf(each)() * all.length);
  for (const [index, { head, status, recorded }] of all.entries()) {
    for (const inChunks of (each.seed ?? 0) === 0 ? [true, false] : [(index + from) % 2 === 0]) {
      const framing = inChunks ? "transfer-encoding: chunked" : `content-length: ${1024 * MIB}`;
      const heard: number[] = [];
      while (heard.at(-1) !== status) {
        const exchange = sendRaw(play.gateway.url, [`${head}${framing}\r\n\r\n`], STAYS);
        if (recorded) play.count(exchange);
        const sent = await sendOn(exchange, inChunks ? chunk : piece);
        const reply = await exchange.reply;
        const said = `${reply.status}, ${inChunks ? "chunks" : "length"}, ${sent >> 20} MiB taken`;
        assert.ok(reply.closed && sent < MOST_BYTES, `not closed: ${said}`);
        assert.ok(reply.status === status || (reply.status === 0 && heard.length < LOST), said);
        heard.push(reply.status);
      }
    }
  }
  expectHits(play, "first", 0);
  await expectGood(play, await play.ask(), "first");
}

/** A body of exactly the limit is served, and one byte more is not, whether it says its length or comes in chunks. */
export async function atTheLimit(each: Case): Promise<void> {
  const { body, start } = wireOf(each);
  const limit = body.length + 7;
  await using play = await stage(each, { accounts: [{}], config: { ...PATIENT, max_body_size: limit } });
  for (const [size, status] of [
    [limit, 200],
    [limit + 1, 413],
  ] as const) {
    const full = body.padEnd(size);
    const chunked = `${start}transfer-encoding: chunked\r\n\r\n${size.toString(16)}\r\n${full}\r\n0\r\n\r\n`;
    for (const bytes of [`${start}content-length: ${size}\r\n\r\n${full}`, chunked]) {
      const exchange = play.count(sendRaw(play.gateway.url, [bytes], status === 200 ? {} : STAYS));
      const reply = await exchange.reply;
      assert.equal(reply.status, status, reply.text());
      assert.equal(reply.closed, status !== 200);
    }
  }
  expectHits(play, "first", 2);
}

/** Heads up to the limit are read; above it they are answered 431 and closed. */
export async function headsAtTheLimit(each: Case, play: Stage): Promise<void> {
  const { body, start, length } = wireOf(each);
  const served = [
    ["a head of 15 KiB", `x-big: ${"y".repeat(15_000)}\r\n`],
    ["a hundred headers", Array.from({ length: 96 }, (_, at) => `x-${at}: y\r\n`).join("")],
  ] as const;
  for (const [name, more] of served) {
    const reply = await play.count(sendRaw(play.gateway.url, [`${start}${more}${length}\r\n${body}`])).reply;
    assert.equal(reply.status, 200, name);
  }
  const refused = [
    ["a head of 20 KB", `x-big: ${"y".repeat(20_000)}\r\n`],
    ["a head in a hundred headers of 200 bytes", `x-many: ${"y".repeat(190)}\r\n`.repeat(100)],
    ["two hundred headers", Array.from({ length: 200 }, (_, at) => `x-${at}: y\r\n`).join("")],
  ] as const;
  for (const [name, more] of refused) {
    const reply = await sendRaw(play.gateway.url, [`${start}${more}${length}\r\n${body}`], STAYS).reply;
    assert.deepEqual([reply.status, reply.closed], [431, true], name);
  }
}
