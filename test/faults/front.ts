// Faults at the client's side of the wire: heads and bodies that come too slowly or are too large, and requests that two
// readers might read in two ways. None of these depends on the protocol.
import assert from "node:assert/strict";
import { sendRaw } from "../support/client.ts";
import { provider } from "../support/provider.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectGood, expectHits } from "./check.ts";
import { wireOf, type Wire } from "./front-wire.ts";
import { chanceOf, PATIENT, stage, until, wordsOf, WHOLE, type Case, type Row, type Stage } from "./row.ts";
import { atTheLimit, headsAtTheLimit, notReadOn } from "./unread.ts";

const OWN: readonly Case[] = WHOLE.filter(({ client, upstream }) => client === upstream);
const SLOW = 40;
/** Waits for the gateway to close the connection, which it does at once. */
const STAYS = { stays: true, timeoutMs: 5_000 };
/** Bun ends a connection whose head has not come in 10 s, when its timer next comes round. */
const HEAD_MS = 20_000;

/** A body that does not come: 408 after its 60 s, while all others are served. */
async function slowBodies(each: Case): Promise<void> {
  const clock = new VirtualClock();
  await using play = await stage(each, { accounts: [{}], config: PATIENT, clock });
  const { body, start, length } = wireOf(each);
  const halves = [
    `${start}${length}\r\n${body.slice(0, 9)}`,
    `${start}transfer-encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n`,
  ];
  const slow = Array.from({ length: SLOW }, (_, index) =>
    play.count(sendRaw(play.gateway.url, [halves[index % 2] ?? ""], STAYS)),
  );
  await until("their heads are read", () => clock.pending >= SLOW);
  await expectGood(play, await play.ask(), "first");
  await clock.pass(59_000);
  await expectGood(play, await play.ask(), "first");
  await clock.pass(2_000);
  for (const { reply } of slow) {
    const { status, closed } = await reply;
    assert.deepEqual([status, closed], [408, true]);
  }
  expectHits(play, "first", 2);
}

/** A head that drips: the connection is closed, in real time, and nobody else notices. */
async function slowHeads(each: Case): Promise<void> {
  await using play = await stage(each, { accounts: [{}], config: PATIENT });
  const { start } = wireOf(each);
  const dripping = Array.from({ length: SLOW }, () =>
    sendRaw(play.gateway.url, [start], { timeoutMs: HEAD_MS }),
  );
  const drops = setInterval(() => {
    for (const { socket } of dripping) if (socket.writable) socket.write("x-more: y\r\n");
  }, 1_000);
  await expectGood(play, await play.ask(), "first");
  for (const { reply } of dripping) assert.equal((await reply).end, "fin", "the connection is closed");
  clearInterval(drops);
  await expectGood(play, await play.ask(), "first");
}

async function tooLarge(each: Case): Promise<void> {
  {
    await using play = await stage(each, { accounts: [{}], config: PATIENT });
    await headsAtTheLimit(each, play);
  }
  await atTheLimit(each);
  await notReadOn(each);
}

/**
 * What a request is, in so many ways. It is served as one request, or refused and its connection closed: before anybody
 * looks at it, or, where its head was sound, when its body turns out not to be.
 */
export function readings({
  body,
  start,
  length,
}: Wire): Readonly<Record<string, readonly ["served" | "refused" | "broken off", string]>> {
  const TE = "transfer-encoding: chunked\r\n";
  const size = body.length.toString(16);
  const chunked = `${size}\r\n${body}\r\n0\r\n\r\n`;
  const lengths = (value: string): string => `${start}content-length:${value}\r\n\r\n${body}`;
  const codings = (value: string): string => `${start}transfer-encoding:${value}\r\n\r\n${chunked}`;
  const chunks = (bytes: string): string => `${start}${TE}\r\n${bytes}`;
  const heads = (line: string): string => `${start}${length}${line}\r\n\r\n${body}`;
  return {
    "with its length": ["served", `${start}${length}\r\n${body}`],
    "in chunks": ["served", chunks(chunked)],
    "the same length twice": ["served", `${start}${length}${length}\r\n${body}`],
    "a tab before the coding": ["served", codings("\tchunked")],
    "a chunk extension": ["served", chunks(`${size};a=b\r\n${body}\r\n0\r\n\r\n`)],
    "a length and chunks": ["refused", `${start}${length}${TE}\r\n${chunked}`],
    "chunks and a length": ["refused", `${start}${TE}content-length: 4\r\n\r\n${chunked}`],
    "two lengths": ["refused", `${start}${length}content-length: 3\r\n\r\n${body}`],
    "a list of lengths": ["refused", lengths(` ${body.length}, ${body.length}`)],
    "a length with a plus": ["refused", lengths(` +${body.length}`)],
    "a negative length": ["refused", lengths(" -1")],
    "a length in hex": ["refused", lengths(" 0x10")],
    "a length beyond 2^64": ["refused", lengths(" 99999999999999999999")],
    "an empty length": ["refused", lengths("")],
    "a space before the colon of a length": [
      "refused",
      `${start}content-length : ${body.length}\r\n\r\n${body}`,
    ],
    "two codings": ["refused", `${start}${TE}${TE}\r\n${chunked}`],
    "chunked twice": ["refused", codings(" chunked, chunked")],
    "an unknown coding": ["refused", codings(" xchunked")],
    "a coding below chunks": ["refused", codings(" gzip, chunked")],
    "identity and a length": ["refused", `${start}transfer-encoding: identity\r\n${length}\r\n${body}`],
    "a vertical tab before the coding": ["refused", codings(" \u000bchunked")],
    "a folded coding": ["refused", codings("\r\n chunked")],
    "a space before the colon of a coding": [
      "refused",
      `${start}transfer-encoding : chunked\r\n\r\n${chunked}`,
    ],
    "a coding in quotes": ["refused", codings(' "chunked"')],
    "a chunk size that is no number": ["broken off", chunks(`zz\r\n${body}\r\n0\r\n\r\n`)],
    "a chunk size with 0x": ["broken off", chunks(`0x${chunked}`)],
    "a negative chunk size": ["broken off", chunks(`-5\r\n${body}`)],
    "a chunk size beyond 2^64": ["broken off", chunks(`fffffffffffffffff\r\n${body}`)],
    "a chunk larger than it says": [
      "broken off",
      chunks(`${(body.length - 2).toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    "an extension that ends in LF": ["broken off", chunks(`${size};\n${body}\r\n0\r\n\r\n`)],
    "chunk lines that end in LF": ["broken off", chunks(`${size}\n${body}\n0\n\n`)],
    "lines that end in LF": ["refused", `${start}${length}\r\n`.replaceAll("\r\n", "\n") + body],
    "a bare CR in a header": ["refused", heads("x: a\rb")],
    "a folded header": ["refused", heads("x: a\r\n b")],
    "a header without a colon": ["refused", heads("nonsense")],
    "NUL in a header": ["refused", heads("x: a\u0000b")],
    "a space in a header's name": ["refused", heads("x y: a")],
    "a header without a name": ["refused", heads(": a")],
    "another version": ["refused", `${start.replace("1.1", "2.0")}${length}\r\n${body}`],
    "two spaces in the first line": ["refused", `${start.replace(" ", "  ")}${length}\r\n${body}`],
    "no host": ["refused", `${start.replace("host: gateway\r\n", "")}${length}\r\n${body}`],
  };
}

async function readInOneWay(each: Case): Promise<void> {
  await using play = await stage(each, {
    accounts: [{ answer: provider({ text: wordsOf("first") }) }],
    config: PATIENT,
  });
  const wire = wireOf(each);
  const chance = chanceOf(each);
  let hits = 0;
  for (const [name, [fate, bytes]] of Object.entries(readings(wire))) {
    // The first seed plays all of them in one piece, the others part them anywhere.
    const at = (each.seed ?? 0) === 0 ? 0 : Math.floor(chance() * bytes.length);
    const parts = [bytes.slice(0, at), bytes.slice(at)]
      .filter((part) => part !== "")
      .map((part) => Buffer.from(part, "latin1"));
    const exchange = sendRaw(play.gateway.url, parts, fate === "served" ? {} : STAYS);
    // What is refused by its head never becomes a request, and leaves no record.
    if (fate !== "refused") play.count(exchange);
    const reply = await exchange.reply;
    if (fate === "served") {
      hits += 1;
      assert.equal(reply.status, 200, name);
      assert.equal(play.upstream("first").requests.at(-1)?.body.toString("latin1"), wire.body, name);
    } else {
      assert.ok(reply.status >= 400 && reply.status < 600, `${name}: ${reply.status} ${reply.end}`);
      assert.equal(reply.closed, true, `${name}: the connection is closed`);
      assert.equal(reply.raw.toString("latin1").split("HTTP/1.1 ").length, 2, `${name}: one answer`);
    }
    expectHits(play, "first", hits);
  }
  await pipelined(play, wire);
}

/** Nobody asks for a second thing before the first is answered: whoever does is cut off, and asked for nothing twice. */
async function pipelined(play: Stage, { body, start, length }: Wire): Promise<void> {
  const before = play.upstream("first").requests.length;
  const first = `${start}${length}\r\n${body}`;
  await play.count(sendRaw(play.gateway.url, [`${first}${first}`])).reply;
  const asked = play.upstream("first").requests.slice(before);
  assert.ok(
    asked.length <= 2 && asked.every((request) => request.body.toString("latin1") === body),
    "no other body",
  );
}

export const ROWS: readonly Row[] = [
  {
    number: 44,
    title: "slow heads are closed, slow bodies told 408; others are unhurt",
    cases: OWN,
    async run(each) {
      await slowBodies(each);
      // It takes its time, and is the same in every protocol.
      if (process.env["FAULTS"] === "all" && each.client === "chat" && (each.seed ?? 0) === 0)
        await slowHeads(each);
    },
  },
  {
    number: 45,
    title: "heads and bodies that are too large: 431, 413, not read on",
    cases: OWN,
    run: tooLarge,
  },
  {
    number: 47,
    title: "framing that could be read in two ways: 400 and closed",
    cases: OWN,
    run: readInOneWay,
  },
];
