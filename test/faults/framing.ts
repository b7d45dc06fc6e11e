// Upstreams whose HTTP does not add up: nothing of it becomes an answer.
import assert from "node:assert/strict";
import { inTurn } from "../support/answers.ts";
import type { Reply } from "../support/client.ts";
import { textAnswer, textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { PROTOCOLS } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { chanceOf, PATIENT, stage, until, wordsOf, type Case, type Row, type Stage } from "./row.ts";

export const TEXT = wordsOf("first");
const BIG = "x".repeat(20_000);

const BOTH = "both lengths";

type Bytes = Buffer | string;

export function bodyOf(each: Case): Buffer {
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
    [BOTH]: [head(TE, "content-length: 5\r\n"), chunked(body)],
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

type Parting = "closed" | "kept";

/** Closed, whoever reads learns that nothing more comes; kept, it has to find out, and to leave the connection. */
function sends(bytes: readonly Bytes[], parting: Parting): Answer {
  return async (_request, connection) => {
    for (const each of bytes) await connection.write(each);
    if (parting === "kept") return;
    await connection.sleep(5);
    connection.end();
  };
}

/** For what is waited for in vain. */
const SHORT = { first_event_timeout: "250ms", response_timeout: "250ms", stream_read_timeout: "250ms" };

/** With the first seed every variant parts both ways, streaming and not, for two of the clients; else by chance. */
function partings(each: Case): (index: number) => Parting | undefined {
  const chance = chanceOf(each);
  const seed = each.seed ?? 0;
  const client = PROTOCOLS.indexOf(each.client) + (each.client === each.upstream ? 0 : 1);
  return (index) => {
    if (seed > 0) return chance() < 0.2 ? (chance() < 0.5 ? "closed" : "kept") : undefined;
    const turn = Math.floor(client / 2) + Math.floor(index / 2) + (each.stream ? 1 : 0);
    return (index + client) % 2 === 0 ? (turn % 2 === 0 ? "closed" : "kept") : undefined;
  };
}

async function brokenFraming(each: Case): Promise<void> {
  const all = Object.entries(variants(each));
  assert.equal(all.length, 40);
  const partingOf = partings(each);
  for (const [index, [name, bytes]] of all.entries()) {
    const parting = partingOf(index);
    if (parting !== undefined) await brokenOnce(each, `${name}, ${parting}`, sends(bytes, parting));
  }
}

async function brokenOnce(each: Case, name: string, answer: Answer): Promise<void> {
  const accounts = [{ answer: inTurn(answer, provider({ text: TEXT })) }, {}];
  await using play = await stage(each, { accounts, config: { ...PATIENT, ...SHORT } });
  const { said, first } = await honest(play, await play.ask(), name);
  const { requests } = play.upstream("first");
  const [{ connection } = { connection: undefined }] = requests;
  assert.ok(connection !== undefined && requests.length <= 2, said);
  const isBoth = name.startsWith(BOTH);
  assert.ok(!isBoth || first === "first:account", said);
  // An answer that Bun has read to its end is refused all the same, but not its connection: what may still come there
  // belongs to no request.
  if (first !== "first:ok" && !isBoth) await until(`closed: ${said}`, () => !connection.open);
  // Whoever looks at the next request gets the next answer.
  await honest(play, await play.ask({ text: "Again." }), `after ${said}`);
}

/** What is whole is what its account said; anything else is its beginning at most, and says that it is not whole. */
async function honest(
  play: Stage,
  reply: Reply,
  name: string,
): Promise<{ readonly said: string; readonly first: string | undefined }> {
  const { text, complete, error, stop } = play.verdict(reply);
  const { attempts } = await play.record(reply);
  const byWhom = attempts.at(-1) === "second:ok" ? wordsOf("second") : TEXT;
  const said = `${name}: ${attempts.join(" ")}, ${reply.status}, ${JSON.stringify(text)}`;
  if (complete) assert.equal(text, byWhom, said);
  // A chat stream that lacks only its marker has said why it stopped.
  else assert.ok((error ?? stop) !== undefined && TEXT.startsWith(text), said);
  return { said, first: attempts[0] };
}

export const ROWS: readonly Row[] = [
  {
    number: 17,
    title: "framing that does not add up, in 40 ways: no garbage is an answer",
    run: brokenFraming,
  },
];
