// Rows about clients: that leave, close half, read slowly or not at all, and send what is no sound JSON.
import assert from "node:assert/strict";
import { flood, hangBeforeHeaders, held, json, sse } from "../support/answers.ts";
import { send, sendRaw, type Exchange } from "../support/client.ts";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { ask, textAnswer, textFrames, textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectError, expectGood, expectHits, expectNotCooled, expectWhole } from "./check.ts";
import {
  chanceOf,
  modelOf,
  stage,
  STREAMING,
  until,
  wordsOf,
  type Case,
  type Row,
  type Stage,
} from "./row.ts";
import { Script } from "./scene.ts";

/** Nobody waits for a limit here, however busy the machine is. */
const PATIENT = { connect_timeout: "5m", first_event_timeout: "5m", stream_read_timeout: "5m" };

/** How soon the upstream must see that the client has left; as a rule, because the machine may be busy. */
const NOTICED_MS = 100;

function checkNoticed(tookMs: readonly number[]): void {
  const usual = tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length / 2)] ?? Number.POSITIVE_INFINITY;
  assert.ok(usual < NOTICED_MS, `the upstream was left after ${usual} ms`);
}

/** Nobody was blamed: the account is asked next, at once, and answers. */
async function expectUnharmed(on: Stage): Promise<void> {
  await expectGood(on, await on.ask({ text: "Somebody else." }), "first");
  expectNotCooled(on, "first");
  expectHits(on, "second", 0);
}

/** What is recorded of clients that left before any answer. */
function expectGone(on: Stage, records: number, attempts: readonly string[]): void {
  const gone = on.gateway.exchanges.filter(({ outcome }) => outcome === "gone");
  assert.equal(gone.length, records, JSON.stringify(on.gateway.exchanges));
  for (const record of gone) {
    assert.deepEqual([record.status, record.attempts, record.error], [499, attempts, undefined]);
  }
}

async function leavesQueue(each: Case): Promise<void> {
  const gate = held(provider({ text: wordsOf("first") }));
  await using on = await stage(each, { accounts: [{ answer: gate.answer, more: { concurrency: 1 } }] });
  const served = on.ask();
  await until("the slot is taken", () => gate.waiting === 1);
  const waiting = Array.from({ length: 10 }, (_, index) =>
    on.begin({
      text: `Waits ${index}.`,
      leaveAfterMs: 5 + 5 * index,
      leaveBy: index % 2 === 0 ? "fin" : "rst",
    }),
  );
  await Promise.all(waiting.map(({ reply }) => reply));
  await until("all have left", () => on.gateway.exchanges.length === 10);
  expectGone(on, 10, []);
  assert.equal(on.gateway.active(), 1);
  gate.release();
  await expectGood(on, await served, "first");
  expectHits(on, "first", 1);
  await expectGood(on, await on.ask({ text: "The slot is free again." }), "first");
}

async function leavesSoon(on: Stage, script: Script, exchange: Exchange, by: "fin" | "rst"): Promise<number> {
  const upstream = on.upstream("first");
  await until("the upstream is asked", () => upstream.active === 1 && script.left === 0);
  exchange.leave(by);
  const leftAt = performance.now();
  await until("the upstream sees it", () => upstream.active === 0);
  const tookMs = performance.now() - leftAt;
  assert.equal(upstream.requests.at(-1)?.state, "abandoned");
  return tookMs;
}

async function leavesBeforeFirstByte(each: Case): Promise<void> {
  const script = new Script("first");
  await using on = await stage(each, { accounts: [{ answer: script.answer }, {}], config: PATIENT });
  const tookMs: number[] = [];
  for (const by of ["fin", "rst"] as const) {
    for (let turn = 0; turn < 6; turn += 1) {
      script.next(hangBeforeHeaders());
      tookMs.push(await leavesSoon(on, script, on.begin({ text: `Leaves ${turn}.` }), by));
    }
  }
  checkNoticed(tookMs);
  await until("all are recorded", () => on.gateway.exchanges.length === 12);
  expectGone(on, 12, ["first:gone"]);
  await expectUnharmed(on);
}

async function leavesMidway(each: Case): Promise<void> {
  const script = new Script("first");
  await using on = await stage(each, { accounts: [{ answer: script.answer }, {}], config: PATIENT });
  const pieces = ["Here ", "it ", "breaks ", "off."];
  const half: Answer = each.stream
    ? sse(textStream(each.upstream, pieces), { cutAt: -250, end: "hang" })
    : json(200, textAnswer(each.upstream, pieces.join("")), {}, { cutAt: 40, end: "hang" });
  const tookMs: number[] = [];
  for (const by of ["fin", "rst"] as const) {
    for (let turn = 0; turn < 6; turn += 1) {
      script.next(half);
      const exchange = on.begin({ text: `Leaves ${turn}.` });
      if (each.stream) assert.ok(await exchange.has("breaks "));
      tookMs.push(await leavesSoon(on, script, exchange, by));
    }
  }
  checkNoticed(tookMs);
  await until("all are recorded", () => on.gateway.exchanges.length === 12);
  for (const { outcome, error, attempts, status } of on.gateway.exchanges)
    assert.deepEqual(
      [outcome, error, attempts, status],
      ["gone", undefined, ["first:gone"], each.stream ? 200 : 499],
    );
  await expectUnharmed(on);
}

/** With the eight cases 320 in all. */
const RANDOM_LEAVES = 40;

async function leavesAnyTime(each: Case): Promise<void> {
  const answer = provider({ text: wordsOf("first"), sse: { delayMs: 2, headDelayMs: 2 } });
  await using on = await stage(each, { accounts: [{ answer }, {}] });
  const chance = chanceOf(each);
  const leaving = Array.from({ length: RANDOM_LEAVES }, (_, index) => {
    const leaveAfterMs = chance() * (each.stream ? 30 : 8);
    return on.ask({ text: `Leaves ${index}.`, leaveAfterMs, leaveBy: index % 2 === 0 ? "fin" : "rst" });
  });
  await Promise.all(leaving);
  await until("all are recorded", () => on.gateway.exchanges.length === RANDOM_LEAVES);
  const others = on.gateway.exchanges.filter(({ outcome }) => outcome !== "gone" && outcome !== "ok");
  assert.deepEqual(others, []);
  await expectUnharmed(on);
}

async function leavesWhileSending(each: Case): Promise<void> {
  await using on = await stage(each, { accounts: [{}] });
  const body = JSON.stringify(ask(each.client, { ...each, model: modelOf(each), text: "x".repeat(200_000) }));
  const head = (length: string): string =>
    `POST ${PATHS[each.client]} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CLIENT_KEY}\r\n${length}\r\n\r\n`;
  const chunk = `${(90_000).toString(16)}\r\n${body.slice(0, 90_000)}`;
  const halves = [
    head(`content-length: ${body.length}`) + body.slice(0, 90_000),
    head("transfer-encoding: chunked") + chunk,
  ];
  for (const half of halves)
    for (const leaveBy of ["fin", "rst"] as const)
      await on.count(sendRaw(on.gateway.url, [half], { leaveAfterMs: 20, leaveBy })).reply;
  await until("all are recorded", () => on.gateway.exchanges.length === 4);
  expectGone(on, 4, []);
  expectHits(on, "first", 0);
}

async function closesHalf(each: Case): Promise<void> {
  const script = new Script("first");
  await using on = await stage(each, { accounts: [{ answer: script.answer }, {}], config: PATIENT });
  script.next(hangBeforeHeaders());
  const exchange = on.begin({ text: "Closes half." });
  await until("the upstream is asked", () => on.upstream("first").active === 1 && script.left === 0);
  exchange.halfClose();
  await until("it is taken for leaving", () => on.upstream("first").active === 0, 1000);
  const reply = await exchange.reply;
  assert.equal(reply.body.length, 0);
  await until("it is recorded", () => on.gateway.exchanges.length === 1);
  expectGone(on, 1, ["first:gone"]);
  await expectUnharmed(on);
}

/** What the kernel keeps on both ways, generously; without a brake it would be hundreds of megabytes a second. */
const KERNEL_BYTES = 48 << 20;

function flooding(each: Case): { readonly answer: Answer; readonly takenBytes: number } {
  const frames = textFrames(each.upstream);
  const start = writeSse([...frames.start, ...frames.open]);
  return flood(writeSse([frames.delta("x".repeat(2000))]), { start });
}

/** So many looks in a row at which nothing has moved: a busy machine may rest between two of them. */
const STILL = 6;

/** Waits until the upstream can write no more, and says how much it wrote. */
async function untilStuck(takenBytes: () => number): Promise<number> {
  let before = -1;
  for (let still = 0; still < STILL; still = before === takenBytes() ? still + 1 : 0) {
    before = takenBytes();
    assert.ok(before < KERNEL_BYTES, `${before} bytes taken for a client that reads nothing`);
    await Bun.sleep(50);
  }
  return takenBytes();
}

/** That the client takes nothing for a while is not the upstream's silence. */
async function pausedReader(each: Case): Promise<void> {
  const upstream = flooding(each);
  const clock = new VirtualClock();
  const config = { ...PATIENT, stream_read_timeout: "20s" };
  await using on = await stage(each, { clock, accounts: [{ answer: upstream.answer }], config });
  const exchange = on.begin({ read: "never" });
  await until("it flows", () => upstream.takenBytes > 0);
  const stuckAt = await untilStuck(() => upstream.takenBytes);
  await clock.pass(100_000);
  assert.equal(on.gateway.exchanges.length, 0);
  exchange.resume();
  await until("it flows again", () => upstream.takenBytes > stuckAt + (8 << 20), 10_000);
  exchange.leave();
  await until("it is recorded", () => on.gateway.exchanges.length === 1);
  assert.equal(on.gateway.exchanges[0]?.outcome, "gone");
}

/** Everything comes, in order and once. */
async function slowReader(each: Case): Promise<void> {
  const pieces = Array.from({ length: 1500 }, (_, index) => `${index} ${"x".repeat(1000)} `);
  const answer = sse(textStream(each.upstream, pieces), { chunking: 65_536 });
  await using on = await stage(each, { accounts: [{ answer }], config: PATIENT });
  const reply = await on.ask({ read: 20_000_000 });
  const verdict = await expectWhole(on, reply);
  assert.equal(verdict.text, pieces.join(""));
}

async function stopsReading(each: Case): Promise<void> {
  const upstream = flooding(each);
  const clock = new VirtualClock();
  await using on = await stage(each, { clock, accounts: [{ answer: upstream.answer }], config: PATIENT });
  const exchange = on.begin({ read: "never" });
  await until("it flows", () => upstream.takenBytes > 0);
  await untilStuck(() => upstream.takenBytes);
  await clock.pass(110_000);
  await Bun.sleep(10);
  assert.deepEqual([on.gateway.active(), on.gateway.exchanges.length], [1, 0]);
  await clock.pass(30_000);
  await until("the upstream is left", () => on.upstream("first").active === 0);
  await until("it is recorded", () => on.gateway.exchanges.length === 1);
  assert.equal(on.gateway.exchanges[0]?.outcome, "gone");
  exchange.leave();
  expectNotCooled(on, "first");
}

/** Bodies that are no JSON object, or that two readers might read differently. */
function unsound(each: Case): readonly string[] {
  const model = `"model":"${modelOf(each)}"`;
  const deep = (levels: number): string => `{${model},"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  return [
    ...[
      "",
      " ",
      "null",
      "[]",
      `"text"`,
      "7",
      "{",
      `{${model}`,
      `{${model},}`,
      `{${model} "a":1}`,
      `{"a"}`,
      `{a:1}`,
    ],
    ...[
      `{${model}}{}`,
      `{${model}} x`,
      `\uFEFF{${model}}`,
      `{'model':'x'}`,
      `{${model},"a":01}`,
      `{${model},"a":.5}`,
    ],
    ...[
      `{${model},"a":1.}`,
      `{${model},"a":+1}`,
      `{${model},"a":NaN}`,
      `{${model},"a":tru}`,
      `{${model},"a":"\\x"}`,
    ],
    ...[`{${model},"a":"\\u12"}`, `{${model},"a":"\n"}`, `{${model},"a":"open}`, `{${model},"a":[1,]}`, "{}"],
    ...[
      `{"model":""}`,
      `{"model":null}`,
      `{"model":["a"]}`,
      `{${model},${model}}`,
      `{${model},"mod\\u0065l":"b"}`,
    ],
    ...[`{${model},"stream":true,"stream":true}`, `{${model},"stream":"yes"}`, `{${model},"stream":1}`],
    ...[deep(128), deep(100_000), `{${model},"a":${'{"a":'.repeat(128)}1${"}".repeat(128)}}`],
  ];
}

/** Members that a reader and writer of JSON would change; they belong to nobody and go as they are. */
const ODD = [
  `"big":123456789012345678901234567890`,
  `"exact":1.10000000000000000000001e+2`,
  `"minus":-0`,
  `"escapes":"\\u0041\\/\\u00e9\\ud83d\\ude00"`,
  `"lone":"\\ud800 and \\udfff"`,
  `"__proto__":{"polluted":true}`,
  `"constructor":{"prototype":{"polluted":true}}`,
  `"twice":1,"twice":2`,
  `"spaced"  :\t[ 1 ,\r\n2 ]`,
  `"deep":${"[".repeat(126)}${"]".repeat(126)}`,
].join(",");

async function unsoundBodies(each: Case): Promise<void> {
  await using on = await stage(each, { accounts: [{}] });
  const post = (body: string): Exchange =>
    on.count(send(on.gateway.url, { key: CLIENT_KEY, path: PATHS[each.client], body }));
  for (const body of unsound(each)) {
    const reply = await post(body).reply;
    const words = { status: 400, anthropic: "invalid_request_error", openai: "invalid_request_error" };
    await expectError(each, on, reply, { ...words, code: "invalid_request" }).catch((problem: unknown) => {
      throw new Error(`for the body ${body.slice(0, 80)}`, { cause: problem });
    });
  }
  expectHits(on, "first", 0);
  const plain = JSON.stringify(ask(each.client, { ...each, model: modelOf(each) }));
  const odd = `${plain.slice(0, -1)},${ODD}}`;
  const reply = await post(odd).reply;
  if (each.client === each.upstream) {
    await expectGood(on, reply, "first");
    assert.equal(on.upstream("first").requests[0]?.body.toString(), odd);
  }
  assert.equal(Reflect.get({}, "polluted"), undefined);
}

export const ROWS: readonly Row[] = [
  {
    number: 40,
    title: "the client leaves: so does the gateway, and blames nobody",
    async run(each) {
      await leavesQueue(each);
      await leavesWhileSending(each);
      await leavesBeforeFirstByte(each);
      await leavesMidway(each);
      await leavesAnyTime(each);
    },
  },
  { number: 41, title: "the client closes its half: taken for leaving", run: closesHalf },
  {
    number: 42,
    title: "a slow reader: the upstream is paused, nothing is lost",
    cases: STREAMING,
    async run(each) {
      await pausedReader(each);
      await slowReader(each);
    },
  },
  {
    number: 43,
    title: "a reader that stops for ever: left after 120 s",
    cases: STREAMING,
    run: stopsReading,
  },
  { number: 46, title: "unsound JSON: 400; odd but sound: byte for byte upstream", run: unsoundBodies },
];
