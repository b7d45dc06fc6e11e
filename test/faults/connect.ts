// Faults of connections: nobody there, nobody answering, and kept connections that die or speak out of turn.
import assert from "node:assert/strict";
import { hangUp, json, reset } from "../support/answers.ts";
import { textAnswer } from "../support/made-streams.ts";
import { blackHole } from "../support/ports.ts";
import { provider } from "../support/provider.ts";
import type { Answer, Connection, UpstreamRequest } from "../support/upstream.ts";
import {
  expectAttempts,
  expectError,
  expectGood,
  expectHits,
  expectNotCooled,
  expectWhole,
} from "./check.ts";
import { PATIENT, stage, wordsOf, type Case, type Player, type Row } from "./row.ts";

const FAILED = { status: 502, anthropic: "api_error", openai: "server_error", code: "upstream_failed" };
const TIMED_OUT = {
  status: 504,
  anthropic: "timeout_error",
  openai: "server_error",
  code: "upstream_timeout",
};
const AT_ONCE_MS = 3000;

const good = (name: "first" | "second"): Answer => provider({ text: wordsOf(name) });

/** Ports below the range from which others are given out, so that nobody listens there meanwhile. */
const REFUSED: Player = { url: "http://127.0.0.1:1" };
const REFUSED_TOO: Player = { url: "http://127.0.0.1:2" };

async function connectionRefused(each: Case): Promise<void> {
  {
    await using play = await stage(each, { accounts: [REFUSED, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, "first:route second:ok");
    assert.ok(reply.endAtMs < AT_ONCE_MS, `at once, not after ${reply.endAtMs} ms`);
    expectNotCooled(play, "first");
  }
  await using nobody = await stage(each, { accounts: [REFUSED, REFUSED_TOO], config: PATIENT });
  await expectError(each, nobody, await nobody.ask(), FAILED);
  expectNotCooled(nobody, "first");
  expectNotCooled(nobody, "second");
}

async function blackHoles(each: Case): Promise<void> {
  using hole = await blackHole();
  const config = { ...PATIENT, connect_timeout: "200ms" };
  {
    await using play = await stage(each, { accounts: [{ url: hole.url }, {}], config });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, "first:route second:ok");
    assert.ok(reply.endAtMs > 150 && reply.endAtMs < AT_ONCE_MS, `after 200 ms, not ${reply.endAtMs}`);
    expectNotCooled(play, "first");
  }
  await using nobody = await stage(each, { accounts: [{ url: hole.url }], config });
  await expectError(each, nobody, await nobody.ask(), TIMED_OUT);
}

interface Parting {
  readonly answer: Answer;
  /** What happens to the kept connection once its answer has been read. */
  readonly whenIdle?: () => void;
}

/** How a kept connection goes: while it is idle, or only when the next request is on it. */
const PARTINGS: Readonly<Record<string, () => Parting>> = {
  "FIN while idle": () => leaving((socket) => socket.end()),
  "RST while idle": () => leaving((socket) => socket.resetAndDestroy()),
  "RST under a request": () => ({ answer: onceFirst(good("first"), reset()) }),
  "FIN under a request": () => ({ answer: onceFirst(good("first"), hangUp()) }),
};

/** A reset sooner than that would take back what of the answer has not been read. */
function leaving(leave: (socket: Connection["socket"]) => void): Parting {
  const kept: Connection[] = [];
  return {
    answer(request, connection) {
      kept.push(connection);
      return good("first")(request, connection);
    },
    whenIdle: () => kept.splice(0).forEach(({ socket }) => leave(socket)),
  };
}

/** The first request of each connection gets the one answer, later ones the other. */
function onceFirst(first: Answer, later: Answer): Answer {
  const used = new WeakSet<UpstreamRequest["connection"]>();
  return (request, connection) => {
    const answer = used.has(connection) ? later : first;
    used.add(connection);
    return answer(request, connection);
  };
}

async function keptConnectionDies(each: Case): Promise<void> {
  for (const [parting, make] of Object.entries(PARTINGS)) {
    const { answer, whenIdle } = make();
    // One account alone: nothing but a second connection to it can help.
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
    await expectGood(play, await play.ask(), "first");
    whenIdle?.();
    await Bun.sleep(10);
    const reply = await play.ask();
    await expectGood(play, reply, "first");
    await expectAttempts(play, reply, "first:ok");
    assert.equal(play.upstream("first").connections, 2, parting);
    expectNotCooled(play, "first");
  }
}

async function freshConnectionDies(each: Case): Promise<void> {
  // The kept connection dies under the request, and so does the one in its place.
  const dying = onceFirst(good("first"), reset());
  const once: Answer = (request, connection) => (connection.id === 1 ? dying : reset())(request, connection);
  await using play = await stage(each, { accounts: [{ answer: once }, {}], config: PATIENT });
  await expectGood(play, await play.ask(), "first");
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  await expectAttempts(play, reply, "first:account second:ok");
  expectHits(play, "first", 3);
}

async function answerHasBegun(each: Case): Promise<void> {
  const begun = json(200, {}, {}, { cutAt: 0, end: "rst", lingerMs: 20 });
  await using play = await stage(each, {
    accounts: [{ answer: onceFirst(good("first"), begun) }, {}],
    config: PATIENT,
  });
  await expectGood(play, await play.ask(), "first");
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  await expectAttempts(play, reply, "first:account second:ok");
  expectHits(play, "first", 2);
}

const POISON = (each: Case): string => {
  const body = JSON.stringify(textAnswer(each.upstream, "Poison."));
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};

async function unaskedBytes(each: Case): Promise<void> {
  const poison = Buffer.from(POISON(each));
  const glued: Answer = async (request, connection) => {
    await good("first")(request, connection);
    await connection.write(poison);
  };
  {
    await using play = await stage(each, { accounts: [{ answer: glued }], config: PATIENT });
    for (let turn = 0; turn < 3; turn += 1) await expectGood(play, await play.ask(), "first");
  }
  for (const bytes of [poison, Buffer.from("\r\n\r\nHTTP/9")]) await whileIdle(each, bytes);
}

async function whileIdle(each: Case, bytes: Buffer): Promise<void> {
  await using play = await stage(each, { accounts: [{ answer: good("first") }], config: PATIENT });
  const first = play.upstream("first");
  let closed = 0;
  for (let turn = 0; turn < 3; turn += 1) {
    await expectGood(play, await play.ask(), "first");
    await Bun.sleep(10);
    const connection = first.requests.at(-1)?.connection;
    // It may be closed before the last of them have left.
    await connection?.write(bytes).catch(() => undefined);
    await Promise.race([connection?.closed, Bun.sleep(100)]);
    if (connection?.open === false) closed += 1;
  }
  // On a busy machine they may be read together with the answer's end, and then they are only thrown away.
  assert.ok(closed > 0, "a connection that speaks out of turn is closed");
}

async function resetAfterRequest(each: Case): Promise<void> {
  for (const answer of [reset(), hangUp()]) {
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, "first:account second:ok");
    expectHits(play, "first", 1);
    expectNotCooled(play, "first");
  }
  await chargedRetries(each);
  if (each.client === each.upstream && each.client !== "messages") await notReplayable(each);
}

/** Passing failures are paid for: after three the client is told. */
async function chargedRetries(each: Case): Promise<void> {
  const answer = reset();
  await using play = await stage(each, {
    accounts: [{ answer }, { answer }, { answer }, {}],
    config: PATIENT,
  });
  const reply = await play.ask();
  await expectError(each, play, reply, FAILED);
  await expectAttempts(play, reply, "first:account second:account third:account");
  expectHits(play, "fourth", 0);
}

/** What is stored upstream would be there twice. */
async function notReplayable(each: Case): Promise<void> {
  await using play = await stage(each, { accounts: [{ answer: reset() }, {}], config: PATIENT });
  await expectError(each, play, await play.ask({ extra: { store: true } }), FAILED);
  expectHits(play, "first", 1);
  expectHits(play, "second", 0);
  // It had not been sent yet, or was refused: nothing is there.
  await using refusing = await stage(each, { accounts: [REFUSED, {}], config: PATIENT });
  await expectGood(refusing, await refusing.ask({ extra: { store: true } }), "second");
  const unavailable = json(429, { error: { type: "rate_limit_error", message: "Slow down." } });
  await using limited = await stage(each, { accounts: [{ answer: unavailable }, {}], config: PATIENT });
  await expectWhole(limited, await limited.ask({ extra: { store: true } }));
}

export const ROWS: readonly Row[] = [
  { number: 1, title: "connection refused: the next account answers at once", run: connectionRefused },
  { number: 2, title: "unanswered SYN: the next account after the connect timeout", run: blackHoles },
  {
    number: 6,
    title: "kept connection dies: one silent resend, then the next account",
    async run(each) {
      await keptConnectionDies(each);
      await freshConnectionDies(each);
      await answerHasBegun(each);
    },
  },
  { number: 7, title: "bytes on an idle connection never become an answer", run: unaskedBytes },
  { number: 8, title: "reset between request and head: the next account, charged", run: resetAfterRequest },
];
