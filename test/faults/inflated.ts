// Compressed answers, which nobody asks for: understood in one layer, and never larger than what may be kept.
import assert from "node:assert/strict";
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { answerBody } from "../support/answers.ts";
import { textFrames } from "../support/made-streams.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { expectCut, expectGood, expectWhole } from "./check.ts";
import { bodyOf, TEXT } from "./framing.ts";
import { chanceOf, PATIENT, stage, type Case, type Row } from "./row.ts";

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const CODINGS = {
  gzip: (body: Buffer): Buffer => gzipSync(body, { level: 1 }),
  deflate: (body: Buffer): Buffer => deflateSync(body, { level: 1 }),
  br: (body: Buffer): Buffer => brotliCompressSync(body, FAST),
  zstd: (body: Buffer): Buffer => zstdCompressSync(body),
} as const;
type Coding = keyof typeof CODINGS;
const ALL = Object.keys(CODINGS) as readonly Coding[];

/** With the first seed each of them, else one. */
function chosen(each: Case): readonly Coding[] {
  const at = Math.floor(chanceOf(each)() * ALL.length);
  return (each.seed ?? 0) === 0 ? ALL : ALL.slice(at, at + 1);
}

function sent(each: Case, body: Buffer, coding: string, status = 200): Answer {
  const type = each.stream && status === 200 ? "text/event-stream" : "application/json";
  const headers = { "content-type": type, "content-encoding": coding };
  return answerBody(body, { status, headers, framing: "length", chunking: "whole" });
}

/** Nobody is asked to compress; whoever does is understood, and what it said is passed on plainly. */
async function packed(each: Case): Promise<void> {
  for (const coding of chosen(each)) {
    const answer = sent(each, CODINGS[coding](bodyOf(each)), coding);
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
    const reply = await play.ask();
    const { text } = await expectWhole(play, reply);
    assert.equal(text, TEXT, coding);
    assert.equal(reply.header("content-encoding"), undefined);
    const [request] = play.upstream("first").requests;
    assert.equal(request?.header("accept-encoding"), "identity");
  }
}

/** Two layers, a layer that is broken off, one that is none, and one nobody knows. */
async function notUnderstood(each: Case): Promise<void> {
  const body = bodyOf(each);
  const once = gzipSync(body);
  const answers = [
    sent(each, gzipSync(once), "gzip, gzip"),
    sent(each, gzipSync(deflateSync(body)), "deflate, gzip"),
    sent(each, once, "squeezed"),
  ];
  // Of these Bun complains by itself, so the first seed is spared them.
  if ((each.seed ?? 0) > 0) answers.push(sent(each, once.subarray(0, 20), "gzip"), sent(each, body, "gzip"));
  for (const answer of answers) {
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    await expectGood(play, await play.ask(), "second");
  }
}

/** So much of nothing that it is small on the wire; a whole answer may have 64 MiB. */
const BOMB_BYTES = 72 << 20;
const MOST_BYTES = 384 << 20;
const bombs = new Map<string, Buffer>();

function bomb(coding: Coding, start: string): Buffer {
  const name = `${coding} ${start}`;
  const made =
    bombs.get(name) ?? CODINGS[coding](Buffer.concat([Buffer.from(start), Buffer.alloc(BOMB_BYTES, "[")]));
  bombs.set(name, made);
  return made;
}

let before: Promise<void> = Promise.resolve();

/** One after another, because the memory is that of all cases. */
function bounded(what: string, work: () => Promise<void>): Promise<void> {
  const own = before.then(() => measured(what, work));
  before = own.catch(() => undefined);
  return own;
}

async function measured(what: string, work: () => Promise<void>): Promise<void> {
  const rss = process.memoryUsage().rss;
  await work();
  const grown = process.memoryUsage().rss - rss;
  assert.ok(grown < MOST_BYTES, `${what}: ${grown >> 20} MB more for ${BOMB_BYTES >> 20} MB of nothing`);
}

/** As an answer, as an event that never ends, as an error's words, and behind content that has gone to the client. */
async function bombed(each: Case): Promise<void> {
  // They are large; one way of compressing for each protocol will do.
  if (each.client !== each.upstream || (each.seed ?? 0) > 0) return;
  const coding = each.client === "messages" ? "gzip" : each.client === "chat" ? "br" : "zstd";
  const passedOver = async (answer: Answer): Promise<void> => {
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    await expectGood(play, await play.ask(), "second");
  };
  const plain = bomb(coding, each.stream ? "data: " : "");
  await bounded("an answer", () => passedOver(sent(each, plain, coding)));
  if (each.stream) return bounded("behind content", () => behindContent(each, coding));
  await bounded("an error", () => passedOver(sent(each, plain, coding, 503)));
}

async function behindContent(each: Case, coding: Coding): Promise<void> {
  const frames = textFrames(each.upstream);
  const start = writeSse([...frames.start, ...frames.open, frames.delta(TEXT)]).toString("utf8");
  const answer = sent(each, bomb(coding, `${start}data: `), coding);
  await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
  await expectCut(each, play, await play.ask());
}

export const ROWS: readonly Row[] = [
  {
    number: 18,
    title: "compressed answers: understood once, bounded, never twice",
    async run(each) {
      await packed(each);
      await notUnderstood(each);
      await bombed(each);
    },
  },
];
