// Upstreams whose HTTP does not add up, and those that send more than they say: nothing of it becomes an answer.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { textAnswer, textStream } from "../support/made-streams.ts";
import type { Answer } from "../support/upstream.ts";
import { expectGood, expectWhole } from "./check.ts";
import { chanceOf, PATIENT, stage, wordsOf, type Case, type Row } from "./row.ts";

const TEXT = wordsOf("first");
const BIG = "x".repeat(20_000);

type Bytes = Buffer | string;

function bodyOf(each: Case): Buffer {
  return each.stream
    ? textStream(each.upstream, [TEXT])
    : Buffer.from(JSON.stringify(textAnswer(each.upstream, TEXT)));
}

function chunked(body: Buffer, size = body.length.toString(16), end = "\r\n0\r\n\r\n"): Buffer {
  return Buffer.concat([Buffer.from(`${size}\r\n`), body, Buffer.from(end)]);
}

/**
 * Answers by what is wrong with them. Where a reader may still make out the one true body (RFC 9112 §2.2 allows it to
 * take a bare LF for a line's end), the whole answer is right, too; anything else never is.
 */
function variants(each: Case): Readonly<Record<string, readonly Bytes[]>> {
  const body = bodyOf(each);
  const type = `content-type: ${each.stream ? "text/event-stream" : "application/json"}\r\n`;
  const length = `content-length: ${body.length}\r\n`;
  const TE = "transfer-encoding: chunked\r\n";
  const ok = "HTTP/1.1 200 OK\r\n";
  const head = (...lines: readonly string[]): string => `${ok}${type}${lines.join("")}\r\n`;
  return {
    "a chunk size that is no number": [head(TE), chunked(body, "zz")],
    "a negative chunk size": [head(TE), chunked(body, "-5")],
    "a chunk size beyond 2^64": [head(TE), chunked(body, "fffffffffffffffff")],
    "a chunk size with 0x": [head(TE), chunked(body, `0x${body.length.toString(16)}`)],
    "a chunk larger than it says": [head(TE), chunked(body, (body.length - 3).toString(16))],
    "a chunk smaller than it says": [head(TE), chunked(body, (body.length + 30).toString(16))],
    "a chunk without a line's end": [head(TE), Buffer.concat([Buffer.from(body.length.toString(16)), body])],
    "an empty chunk size": [head(TE), chunked(body, "")],
    "a chunk size with a space": [head(TE), chunked(body, ` ${body.length.toString(16)}`)],
    "an endless chunk extension": [head(TE), `5;${BIG}`],
    "a broken last chunk": [head(TE), chunked(body, undefined, "\r\n0\r\nxx")],
    "both lengths": [head(TE, "content-length: 5\r\n"), chunked(body)],
    "two lengths": [head(length, "content-length: 7\r\n"), body],
    "a length that is no number": [head("content-length: many\r\n"), body],
    "a negative length": [head("content-length: -1\r\n"), body],
    "a length with a plus": [head(`content-length: +${body.length}\r\n`), body],
    "a length beyond 2^64": [head("content-length: 99999999999999999999\r\n"), body],
    "a list of lengths": [head(`content-length: ${body.length}, 7\r\n`), body],
    "a length in hex": [head("content-length: 0x10\r\n"), body],
    "a length that is too long": [head(`content-length: ${body.length + 50}\r\n`), body],
    "a length that is too short": [head(`content-length: ${body.length - 5}\r\n`), body],
    "an unknown transfer coding": [head("transfer-encoding: squeezed\r\n"), body],
    "chunked twice": [head("transfer-encoding: chunked, chunked\r\n"), chunked(body)],
    "chunked and then more": [head("transfer-encoding: chunked, identity\r\n"), chunked(body)],
    "lines that end in LF": [`HTTP/1.1 200 OK\n${type}${length}\n`, body],
    "a folded header": [head("x-folded: one\r\n two\r\n", length), body],
    "a space before a colon": [head(`content-length : ${body.length}\r\n`), body],
    "a header without a colon": [head("nothing here\r\n", length), body],
    "a header without a name": [head(": value\r\n", length), body],
    "NUL in a header": [head("x-nul: a\u0000b\r\n", length), body],
    "a header of 20 KB": [head(`x-big: ${BIG}\r\n`, length), body],
    "a thousand headers": [head(...Array.from({ length: 1_000 }, (_, at) => `x-${at}: y\r\n`), length), body],
    "an endless head": [`${ok}${type}x-endless: ${BIG.repeat(20)}`],
    "no status": [`HTTP/1.1\r\n${type}${length}\r\n`, body],
    "a status that is no number": [`HTTP/1.1 abc OK\r\n${type}${length}\r\n`, body],
    "a status of four digits": [`HTTP/1.1 2000 OK\r\n${type}${length}\r\n`, body],
    "another version": [`HTTP/9.9 200 OK\r\n${type}${length}\r\n`, body],
    "another protocol": ["SSH-2.0-OpenSSH_9.9\r\n", "\r\n"],
    "no HTTP at all": ["\u0000\u0001\u0002\u0003", "\r\n\r\n"],
    "nothing but line ends": ["\r\n\r\n\r\n\r\n"],
  };
}

function sends(bytes: readonly Bytes[]): Answer {
  return async (_request, connection) => {
    for (const each of bytes) await connection.write(each);
    await connection.sleep(5);
    connection.end();
  };
}

async function brokenFraming(each: Case): Promise<void> {
  const all = Object.entries(variants(each));
  assert.equal(all.length, 40);
  // The first seed plays all of them, the others some.
  const chance = chanceOf(each);
  for (const [name, bytes] of all) {
    if ((each.seed ?? 0) > 0 && chance() > 0.2) continue;
    await using play = await stage(each, { accounts: [{ answer: sends(bytes) }, {}], config: PATIENT });
    const reply = await play.ask();
    const { text, complete, error, stop } = play.verdict(reply);
    const { attempts } = await play.record(reply);
    const byWhom = attempts.at(-1) === "second:ok" ? wordsOf("second") : TEXT;
    const said = `${name}: ${attempts.join(" ")}, ${reply.status}, ${JSON.stringify(text)}`;
    if (complete) assert.equal(text, byWhom, said);
    // A chat stream that lacks only its marker has said why it stopped.
    else assert.ok((error ?? stop) !== undefined && TEXT.startsWith(text), said);
    // Whoever looks at the next request on that connection gets the next answer.
    assert.equal(play.upstream("first").requests.length <= 2, true, said);
  }
}

/** So much of nothing that it is small on the wire. */
const BOMB_BYTES = 96 << 20;
let bomb: Buffer | undefined;

async function inflated(each: Case): Promise<void> {
  await packed(each);
  await packedTwice(each);
  if (each.client !== each.upstream || each.stream) return;
  bomb ??= gzipSync(Buffer.alloc(BOMB_BYTES, "["));
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  await using play = await stage(each, {
    accounts: [{ answer: raw(bomb, headers) }, {}],
    config: PATIENT,
  });
  const before = process.memoryUsage().rss;
  await expectGood(play, await play.ask(), "second");
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 4 * BOMB_BYTES, `${grown >> 20} MB more for ${BOMB_BYTES >> 20} MB of nothing`);
}

/** Nobody is asked to compress; whoever does is understood, and what it said is passed on plainly. */
async function packed(each: Case): Promise<void> {
  const type = each.stream ? "text/event-stream" : "application/json";
  const answer = raw(gzipSync(bodyOf(each)), { "content-type": type, "content-encoding": "gzip" });
  await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
  const reply = await play.ask();
  const { text } = await expectWhole(play, reply);
  assert.equal(text, TEXT);
  assert.equal(reply.header("content-encoding"), undefined);
  const [request] = play.upstream("first").requests;
  assert.equal(request?.header("accept-encoding"), "identity");
}

async function packedTwice(each: Case): Promise<void> {
  const type = each.stream ? "text/event-stream" : "application/json";
  const headers = { "content-type": type, "content-encoding": "gzip, gzip" };
  const answer = raw(gzipSync(gzipSync(bodyOf(each))), headers);
  await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
  await expectGood(play, await play.ask(), "second");
}

function raw(body: Buffer, headers: Readonly<Record<string, string>>): Answer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 200 OK\r\n${lines.join("")}content-length: ${body.length}\r\n\r\n`;
  return async (_request, connection) => {
    await connection.write(head);
    await connection.finish(body);
  };
}

export const ROWS: readonly Row[] = [
  {
    number: 17,
    title: "framing that does not add up, in 40 ways: no garbage is an answer",
    run: brokenFraming,
  },
  { number: 18, title: "compressed answers: understood once, bounded, never twice", run: inflated },
];
