// Faults of time: upstreams that say nothing, stop in the middle, or say it one byte at a time.
import assert from "node:assert/strict";
import { answerBody, drip, hangBeforeHeaders, headersOnly, headText, sse } from "../support/answers.ts";
import type { Exchange } from "../support/client.ts";
import { textAnswer, textFrames } from "../support/made-streams.ts";
import { writeSse, type SseItem } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectAttempts, expectCut, expectError, expectGood, expectHits, expectWhole } from "./check.ts";
import { stage, STREAMING, until, WHOLE, type Case, type Row, type Stage } from "./row.ts";

const TIMED_OUT = {
  status: 504,
  anthropic: "timeout_error",
  openai: "server_error",
  code: "upstream_timeout",
};
const LIMIT_MS = 250;
const SOON_MS = 3000;
const NEVER = "20s";
/** By then what has been sent has been read, also on a busy machine. */
const READ_MS = 60;

/** One limit is short; a row that waits for any other fails by its time. */
function limits(...short: readonly ("first_event_timeout" | "response_timeout" | "stream_read_timeout")[]) {
  const all = {
    connect_timeout: NEVER,
    first_event_timeout: NEVER,
    response_timeout: NEVER,
    stream_read_timeout: NEVER,
  };
  return { ...all, ...Object.fromEntries(short.map((key) => [key, `${LIMIT_MS}ms`])) };
}

const beforeAnswer = (each: Case): ReturnType<typeof limits> =>
  limits(each.stream ? "first_event_timeout" : "response_timeout");

/** Silence before any content: the second account answers, and where there is none the client is told. */
async function invisible(each: Case, answer: Answer): Promise<void> {
  const config = beforeAnswer(each);
  {
    await using play = await stage(each, { accounts: [{ answer }, {}], config });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, "first:account second:ok");
    assert.ok(reply.endAtMs > LIMIT_MS && reply.endAtMs < SOON_MS, `in time, not after ${reply.endAtMs} ms`);
    await abandoned(play);
  }
  await using alone = await stage(each, { accounts: [{ answer }], config });
  await expectError(each, alone, await alone.ask(), TIMED_OUT);
}

/** The gateway has closed its connection to the first account. */
async function abandoned(play: Stage): Promise<void> {
  const first = play.upstream("first");
  await until("the silent connection is closed", () => first.openConnections === 0);
  assert.equal(first.requests[0]?.state, "abandoned");
}

async function silentUnderClock(each: Case, answer: Answer): Promise<void> {
  const clock = new VirtualClock();
  const config = { connect_timeout: "10s", first_event_timeout: "1m", stream_read_timeout: "5m" };
  await using play = await stage(each, { accounts: [{ answer }, {}], config, clock });
  const exchange = play.begin();
  const keptAlive = listening(each, exchange);
  await until("the first account is asked", () => play.upstream("first").requests.length === 1);
  await Bun.sleep(READ_MS);
  // Half of the connect timeout: an upstream without a head is dialed, to see that it is there.
  await clock.pass(5_000);
  await Bun.sleep(READ_MS);
  await clock.pass(9_999);
  await Bun.sleep(READ_MS);
  assert.equal(exchange.receivedBytes, 0, "nothing leaves in the first 15 s");
  await clock.pass(1);
  await until("a keep-alive at 15 s", () => keptAlive() === 1);
  await clock.pass(15_000);
  await until("another at 30 s", () => keptAlive() === 2);
  await clock.pass(29_990);
  expectHits(play, "second", 0);
  await clock.pass(10);
  const reply = await exchange.reply;
  await expectGood(play, reply, "second");
  await expectAttempts(play, reply, "first:account second:ok");
}

const KEEP_ALIVE = {
  messages: 'event: ping\ndata: {"type":"ping"}\n\n',
  responses: 'event: keepalive\ndata: {"type":"keepalive"}\n\n',
  chat: ": keepalive\n\n",
} as const;

/** Counts the keep-alives that arrive, in the words that the client's protocol has for them. */
function listening(each: Case, exchange: Exchange): () => number {
  let text = "";
  exchange.socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  return () => text.split(KEEP_ALIVE[each.client]).length - 1;
}

async function keptAliveThenFailed(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const config = { connect_timeout: "10s", first_event_timeout: "20s" };
  await using play = await stage(each, { accounts: [{ answer: headersOnly() }], config, clock });
  const exchange = play.begin();
  await until("the account is asked", () => play.upstream("first").requests.length === 1);
  await Bun.sleep(READ_MS);
  await clock.pass(15_000);
  await clock.pass(5_000);
  const reply = await exchange.reply;
  const verdict = play.verdict(reply);
  assert.equal(reply.status, 200);
  assert.equal(verdict.complete, false);
  assert.deepEqual(verdict.problems, []);
  assert.match(JSON.stringify(verdict.error), /gateway_upstream_timeout/);
}

/** Everything behind this head is body, until the connection closes. */
const UNFRAMED = headText(200, { "content-type": "text/event-stream", connection: "close" });

const opening = (each: Case): readonly SseItem[] => {
  const frames = textFrames(each.upstream);
  return [...frames.start, ...frames.open, frames.delta("Begun")];
};

/** Where a stream stops: after whole events, inside one, and while comments go on. */
function stalls(each: Case): Readonly<Record<string, Answer>> {
  const frames = textFrames(each.upstream);
  const begun = writeSse(opening(each));
  const next = writeSse([frames.delta(" and never seen")]);
  const comments: Answer = async (_request, connection) => {
    await connection.write(UNFRAMED);
    await connection.write(begun);
    for (;;) {
      await connection.sleep(LIMIT_MS / 5);
      await connection.write(": still here\n\n");
    }
  };
  return {
    "after an event": sse(begun, { end: "hang" }),
    "inside an event": sse(Buffer.concat([begun, next.subarray(0, next.length - 8)]), { end: "hang" }),
    "before the blank line": sse(Buffer.concat([begun, next.subarray(0, next.length - 1)]), { end: "hang" }),
    "but for comments": comments,
  };
}

async function stalledStream(each: Case): Promise<void> {
  const config = limits("stream_read_timeout");
  for (const [where, answer] of Object.entries(stalls(each))) {
    await using play = await stage(each, { accounts: [{ answer }, {}], config });
    const reply = await play.ask();
    const verdict = await expectCut(each, play, reply, TIMED_OUT);
    assert.equal(verdict.text, "Begun", where);
    assert.ok(reply.endAtMs > LIMIT_MS && reply.endAtMs < SOON_MS, `${where}: after ${reply.endAtMs} ms`);
    // Blamed on the account, which is what a strike is.
    await expectAttempts(play, reply, "first:account");
    expectHits(play, "second", 0);
    await abandoned(play);
  }
  await slowButAlive(each);
}

/** A stream may take many times the limit as long as whole events keep coming. */
async function slowButAlive(each: Case): Promise<void> {
  const frames = textFrames(each.upstream);
  const words = ["It ", "goes ", "on ", "and ", "on ", "and ", "on."];
  const items = [
    ...frames.start,
    ...frames.open,
    ...words.map((word) => frames.delta(word)),
    ...frames.close(words.join("")),
  ];
  // On a busy machine an event may come half a second late.
  const limitMs = 4 * LIMIT_MS;
  const answer = sse(items, { delayMs: limitMs / 6 });
  const config = { ...limits(), stream_read_timeout: `${limitMs}ms` };
  await using play = await stage(each, { accounts: [{ answer }], config });
  const reply = await play.ask();
  const { text } = await expectWhole(play, reply);
  assert.equal(text, words.join(""));
  assert.ok(reply.endAtMs > limitMs, "it took longer than the limit");
}

function stalledBody(each: Case): Answer {
  const whole = Buffer.from(JSON.stringify(textAnswer(each.upstream, "Never seen.")));
  const headers = { "content-type": "application/json" };
  return answerBody(whole, { headers, cutAt: whole.length - 20, end: "hang" });
}

const MS_PER_BYTE = 5;
/** So much of a dripping answer that its head has long been read. */
const DRIPPING = 160;
const MAX_EVENT = 16 << 20;
/** Keeps the process busy, so it comes last, when no other case waits for a limit any more. */
const HEAVY: Case = { client: "messages", upstream: "messages", stream: true };
const HEAVY_LAST: readonly Case[] = [
  ...WHOLE,
  ...STREAMING.filter(({ client }) => client !== HEAVY.client),
  HEAVY,
];

/** Bytes come all the time, but no event ever ends. */
async function dripping(each: Case): Promise<void> {
  if (!each.stream) {
    const body = JSON.stringify(textAnswer(each.upstream, "Never seen."));
    return invisible(each, drip(body, MS_PER_BYTE, { headers: { "content-type": "application/json" } }));
  }
  await invisible(each, drip(writeSse(textFrames(each.upstream).start), MS_PER_BYTE));
  const begun = writeSse(opening(each));
  const endless = `data: ${"x".repeat(5000)}`;
  const answer: Answer = async (_request, connection) => {
    await connection.write(UNFRAMED);
    await connection.write(begun);
    for (const character of endless) {
      await connection.write(character);
      await connection.sleep(MS_PER_BYTE);
    }
  };
  await using play = await stage(each, { accounts: [{ answer }, {}], config: limits("stream_read_timeout") });
  const reply = await play.ask();
  const verdict = await expectCut(each, play, reply, TIMED_OUT);
  assert.equal(verdict.text, "Begun");
  assert.ok(reply.endAtMs < SOON_MS, `in time, not after ${reply.endAtMs} ms`);
  await abandoned(play);
  if (each.client === HEAVY.client) await endlessEvent(each);
}

/** An event without an end is not kept in memory for ever, however fast it comes. */
async function endlessEvent(each: Case): Promise<void> {
  const begun = writeSse(opening(each));
  const piece = Buffer.alloc(1 << 18, "x");
  let sent = 0;
  const answer: Answer = async (_request, connection) => {
    await connection.write(UNFRAMED);
    await connection.write(Buffer.concat([begun, Buffer.from("data: ")]));
    for (; sent < 4 * MAX_EVENT; sent += piece.length) await connection.write(piece);
    await connection.hang();
  };
  await using play = await stage(each, { accounts: [{ answer }], config: limits() });
  const verdict = await expectCut(each, play, await play.ask(), { code: "upstream_failed" });
  assert.equal(verdict.text, "Begun");
  assert.ok(sent >= MAX_EVENT - piece.length && sent < 2 * MAX_EVENT, `after ${sent} bytes`);
  await abandoned(play);
}

/** The body of an error is worth two seconds and 64 KiB; the status says enough. */
async function drippingError(each: Case): Promise<void> {
  const words = JSON.stringify({ error: { type: "server_error", message: "x".repeat(500) } });
  const statuses = [
    { status: 503, attempts: "first:account second:ok" },
    { status: 429, attempts: "first:limit second:ok" },
    { status: 401, attempts: "first:credential second:ok" },
  ];
  for (const { status, attempts } of statuses) {
    const clock = new VirtualClock();
    const answer = drip(words, MS_PER_BYTE, { status, headers: { "content-type": "application/json" } });
    await using play = await stage(each, { accounts: [{ answer }, {}], config: limits(), clock });
    const first = play.upstream("first");
    const exchange = play.begin();
    await until("the error drips", () => (first.requests[0]?.connection.sentBytes ?? 0) > DRIPPING);
    await clock.pass(1_990);
    await Bun.sleep(10);
    expectHits(play, "second", 0);
    await clock.pass(20);
    const reply = await exchange.reply;
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, attempts);
    await abandoned(play);
  }
  await endlessError(each);
}

async function endlessError(each: Case): Promise<void> {
  let sent = 0;
  const piece = Buffer.alloc(1 << 14, "x");
  const answer: Answer = async (_request, connection) => {
    await connection.write(headText(503, { "content-type": "text/plain", connection: "close" }));
    for (;;) {
      await connection.write(piece);
      sent += piece.length;
    }
  };
  await using play = await stage(each, {
    accounts: [{ answer }, {}],
    config: limits(),
    clock: new VirtualClock(),
  });
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  await expectAttempts(play, reply, "first:account second:ok");
  await abandoned(play);
  assert.ok(sent < 32 << 20, `${sent} bytes of an error`);
}

export const ROWS: readonly Row[] = [
  {
    number: 9,
    title: "silence before the head: the next account after the limit",
    run: (each) => invisible(each, hangBeforeHeaders()),
  },
  {
    number: 10,
    title: "head and no event: keep-alives from 15 s, then the next account",
    async run(each) {
      if (!each.stream)
        return invisible(each, headersOnly({ headers: { "content-type": "application/json" } }));
      await invisible(each, headersOnly());
      await silentUnderClock(each, headersOnly());
      await silentUnderClock(each, hangBeforeHeaders());
      await keptAliveThenFailed(each);
    },
  },
  {
    number: 11,
    title: "stall in the middle: an error event after the limit",
    run: (each) => (each.stream ? stalledStream(each) : invisible(each, stalledBody(each))),
  },
  { number: 12, title: "drip without an end of the event: as a stall", cases: HEAVY_LAST, run: dripping },
  { number: 13, title: "drip-fed error body: judged by its status after 2 s", run: drippingError },
];
