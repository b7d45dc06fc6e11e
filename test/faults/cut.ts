// Faults of the body: streams and answers that end before their end, by RST, by FIN, by a clean end that comes too
// early, or by framing that does not add up. Cut at every place of a short stream and around every event of a long one.
import assert from "node:assert/strict";
import { answerBody, type BodyEnd, type BodyOptions } from "../support/answers.ts";
import type { Reply } from "../support/client.ts";
import { textAnswer, textStream } from "../support/made-streams.ts";
import { judgeAnswer, judgeStream, type Verdict } from "../support/oracle.ts";
import { sampleAnswer, sampleStream } from "../support/samples.ts";
import { readSse, splitEvents } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { checkCut, expectAttempts, expectCut, expectGood, expectHits } from "./check.ts";
import { PATIENT, stage, wordsOf, type Case, type Row, type Stage } from "./row.ts";

const AT_ONCE = 8;
/** Time for what was sent before a FIN or RST to be read; what is unread then is lost. */
const LINGER_MS = 8;
const LONG_LINGER_MS = 50;
const TEXT = "Grüße ✓";

type End = Exclude<BodyEnd, "hang">;

interface Corpus {
  readonly bytes: Buffer;
  readonly places: readonly number[];
}

/** A short answer: around each event, and here and there in it. */
function shortCorpus(each: Case): Corpus {
  const bytes = each.stream
    ? textStream(each.upstream, [TEXT])
    : Buffer.from(JSON.stringify(textAnswer(each.upstream, TEXT)));
  return { bytes, places: placesIn(bytes, 2, 31, each.seed) };
}

/** A recorded answer with reasoning and tool calls. */
function longCorpus(each: Case): Corpus {
  const bytes = each.stream
    ? sampleStream(each.upstream, "tools")
    : Buffer.from(JSON.stringify(sampleAnswer(each.upstream, "tools")));
  return { bytes, places: placesIn(bytes, 0, 131, each.seed) };
}

/** Around the end of each event, and at every so many bytes: from another one on with each seed. */
function placesIn(bytes: Buffer, around: number, step: number, seed = 0): readonly number[] {
  const places = new Set<number>();
  let end = 0;
  for (const event of splitEvents(bytes)) {
    end += event.length;
    for (let place = end - around; place <= end + around; place += 1) places.add(place);
  }
  for (let place = (seed * 7) % step; place < bytes.length; place += step) places.add(place);
  return [...places].filter((place) => place < bytes.length);
}

interface Cut {
  readonly corpus: Buffer;
  readonly place: number;
  readonly end: End;
}

/** One account, which nobody can stand in for, and the same stream again and again, each time cut elsewhere. */
async function sweep(each: Case, end: End, corpora: readonly Corpus[]): Promise<void> {
  const cuts = corpora.flatMap(({ bytes, places }) =>
    places.map((place): Cut => ({ corpus: bytes, place, end })),
  );
  const answer: Answer = (request, connection) => {
    const cut = cuts[Number(request.header("x-stainless-retry-count"))] ?? cuts[0] ?? NO_CUT;
    return cutAnswer(each, cut)(request, connection);
  };
  await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
  let next = 0;
  const begun = { due: 0, streams: 0 };
  const work = async (): Promise<void> => {
    for (let index = next++; index < cuts.length; index = next++) {
      const cut = cuts[index] ?? NO_CUT;
      const reply = await play.ask({ headers: [["x-stainless-retry-count", String(index)]] });
      checkReply(each, play, cut, reply);
      if (each.stream && hasContent(judgeStream(each.upstream, cut.corpus.subarray(0, cut.place))))
        begun.due += 1;
      if (each.stream && reply.status === 200) begun.streams += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  // So that a gateway which passes nothing on is not taken for one that keeps cuts invisible. (What comes
  // together with a broken chunk is lost with it.)
  if (end !== "bad-chunk")
    assert.ok(begun.streams >= begun.due / 2, `${begun.streams} of ${begun.due} had begun`);
}

const NO_CUT: Cut = { corpus: Buffer.alloc(0), place: 0, end: "rst" };

type Linger = Pick<BodyOptions, "lingerMs" | "seen">;

function cutAnswer(each: Case, { corpus, place, end }: Cut, more: Linger = {}): Answer {
  const headers = { "content-type": each.stream ? "text/event-stream; charset=utf-8" : "application/json" };
  return answerBody(corpus, { headers, cutAt: place, end, chunking: 600, lingerMs: LINGER_MS, ...more });
}

function checkReply(each: Case, play: Stage, cut: Cut, reply: Reply): void {
  try {
    const verdict = play.verdict(reply);
    assert.equal(reply.end, "complete");
    assert.doesNotMatch(verdict.error?.message ?? "", /silent/);
    if (each.stream) checkStream(each, cut, reply, verdict);
    else checkWhole(each, cut, reply, verdict);
  } catch (error) {
    const where = `cut by ${cut.end} at byte ${cut.place} of ${cut.corpus.length}`;
    throw new Error(`${where}: ${JSON.stringify(reply.text().slice(-500))}`, { cause: error });
  }
}

function checkStream(each: Case, { corpus, place, end }: Cut, reply: Reply, verdict: Verdict): void {
  // At a clean end an event may lack its blank line.
  const sent = end === "clean" ? closed(corpus.subarray(0, place)) : corpus.subarray(0, place);
  const told = judgeStream(each.upstream, sent);
  // A connection that breaks may take with it what has not been read yet.
  const exact = end === "clean";
  const isOver = told.complete || endedWithoutMarker(each, end, told);
  if (verdict.complete) assert.ok(isOver, "complete only if upstream sent the end");
  if (exact && told.complete) assert.ok(verdict.complete, "all of it had been sent");
  if (verdict.complete) return;
  if (reply.status !== 200) {
    assert.equal(reply.status, 502);
    assert.ok(!exact || !hasContent(told), "content had come and was not passed on");
    return;
  }
  if (endedWithoutMarker(each, end, told)) return;
  checkCut(verdict);
  assert.ok(told.text.startsWith(verdict.text), "only text that was sent");
  if (exact) assert.equal(verdict.text, told.text, "all text that was sent");
  if (each.client !== each.upstream) return;
  const events = readSse(sent).events.slice(0, verdict.events.length - 1);
  assert.deepEqual(verdict.events.slice(0, -1), events, "whole events, unchanged");
}

function closed(sent: Buffer): Buffer {
  return sent.at(-1) === 0x0a && sent.at(-2) !== 0x0a ? Buffer.concat([sent, Buffer.from("\n")]) : sent;
}

function hasContent(told: Verdict): boolean {
  return told.text !== "" || told.reasoning !== "" || told.toolCalls.length > 0;
}

/** Chat's `finish_reason` has come, and only `[DONE]` is missing: some servers never send it. */
function endedWithoutMarker(each: Case, end: End, told: Verdict): boolean {
  return each.upstream === "chat" && (end === "clean" || end === "long-length") && told.stop !== undefined;
}

function checkWhole(each: Case, { corpus, place }: Cut, reply: Reply, verdict: Verdict): void {
  const told = judgeAnswer(each.upstream, corpus.subarray(0, place));
  assert.equal(told.complete, false, "no part of a JSON answer is an answer");
  assert.equal(verdict.complete, false);
  assert.equal(reply.status, 502);
  assert.equal(verdict.text, "");
}

/** Cut before any content: the client sees nothing of it. */
async function takenOver(each: Case, end: End): Promise<void> {
  const bytes = each.stream
    ? textStream(each.upstream, [TEXT])
    : Buffer.from(JSON.stringify(textAnswer(each.upstream, TEXT)));
  const opening = splitEvents(bytes)[0]?.length ?? 0;
  for (const place of each.stream ? [0, 1, opening - 1, opening] : [0, 1, bytes.length - 1]) {
    const answer = cutAnswer(each, { corpus: bytes, place, end });
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, `first:${blamed(each, end)} second:ok`);
    expectHits(play, "first", 1);
    assert.equal(play.verdict(reply).text, wordsOf("second"));
  }
}

/** Cut behind content: nobody takes over, and the account has a strike. */
async function notTakenOver(each: Case, end: End): Promise<void> {
  const { promise: seen, resolve: see } = Promise.withResolvers<void>();
  const answer = cutAnswer(each, betweenWords(each, end), { seen });
  await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
  const exchange = play.begin();
  await exchange.has(TEXT);
  see();
  const reply = await exchange.reply;
  const verdict = await expectCut(each, play, reply, { code: "upstream_cut" });
  assert.equal(verdict.text, TEXT);
  await expectAttempts(play, reply, "first:account");
  expectHits(play, "second", 0);
}

/** A stream in place of a whole answer: nothing of it has left, however far it came. */
async function foldedStream(each: Case, end: End): Promise<void> {
  const answer = cutAnswer({ ...each, stream: true }, betweenWords(each, end), { lingerMs: LONG_LINGER_MS });
  await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  await expectAttempts(play, reply, "first:account second:ok");
}

/** A stream that says its text once and is cut while it says it again. */
function betweenWords(each: Case, end: End): Cut {
  const corpus = textStream(each.upstream, [TEXT, TEXT]);
  return { corpus, place: corpus.indexOf(TEXT, corpus.indexOf(TEXT) + 1), end };
}

/** A clean end in the middle of JSON looks like a page that some other server sent. */
function blamed(each: Case, end: End): string {
  return !each.stream && (end === "clean" || end === "long-length") ? "route" : "account";
}

async function everywhere(each: Case, end: End): Promise<void> {
  await takenOver(each, end);
  await (each.stream ? notTakenOver : foldedStream)(each, end);
  await sweep(each, end, [shortCorpus(each), longCorpus(each)]);
}

async function brokenFraming(each: Case): Promise<void> {
  for (const end of ["fin", "short-length", "long-length", "bad-chunk"] as const) {
    await takenOver(each, end);
    await sweep(each, end, [shortCorpus(each)]);
  }
}

export const ROWS: readonly Row[] = [
  { number: 14, title: "reset in the middle of a body", run: (each) => everywhere(each, "rst") },
  { number: 15, title: "clean end before the answer's end", run: (each) => everywhere(each, "clean") },
  {
    number: 16,
    title: "no final chunk, wrong length, broken chunk",
    run: brokenFraming,
  },
];
