// Faults of what is said: answers of the wrong kind, errors in good clothes, and streams in unusual ones.
import assert from "node:assert/strict";
import { empty, html, interim, json, redirect, sse } from "../support/answers.ts";
import { errorItems, textAnswer, textFrames, textStream, type ErrorWords } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { sampleAnswer, sampleStream } from "../support/samples.ts";
import { writeSse, type SseItem } from "../support/sse-text.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectAttempts, expectCut, expectError, expectGood, expectHits, expectWhole } from "./check.ts";
import { PATIENT, stage, until, wordsOf, type Case, type Row } from "./row.ts";

const FAILED = { status: 502, anthropic: "api_error", openai: "server_error" };
const REDIRECTS = [301, 302, 303, 307, 308] as const;

const good = (name: "first" | "second"): Answer => provider({ text: wordsOf(name) });

/** The second account answers in place of the first, and where there is none the client is told 502. */
async function passedOver(each: Case, answer: Answer, blamed: string): Promise<void> {
  {
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, `first:${blamed} second:ok`);
    expectHits(play, "first", 1);
  }
  await using alone = await stage(each, { accounts: [{ answer }], config: PATIENT });
  const reply = await alone.ask();
  await expectError(each, alone, reply, FAILED);
  assert.equal(reply.header("location"), undefined);
}

async function oddStatuses(each: Case): Promise<void> {
  {
    const answer = interim([100, 102, 103], good("first"));
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
    await expectGood(play, await play.ask(), "first");
  }
  await passedOver(each, empty(204), "route");
  await passedOver(each, empty(304), "route");
  await using trap = await startUpstream();
  trap.otherwise(good("first"));
  for (const status of REDIRECTS)
    await passedOver(each, redirect(status, `${trap.url}/v1/messages`), "account");
  const words = { error: { type: "api_error", message: "This has moved." } };
  await passedOver(each, json(307, words, { location: `${trap.url}/moved` }), "account");
  await passedOver(each, redirect(308, "/v1/elsewhere"), "account");
  assert.equal(trap.connections, 0, "a redirect is never followed");
}

async function wrongKind(each: Case): Promise<void> {
  const words = wordsOf("first");
  const whole = textAnswer(each.upstream, words);
  const answers = each.stream
    ? [json(200, whole), json(200, whole, { "content-type": "text/plain" })]
    : [sse(textStream(each.upstream, [words]))];
  for (const answer of answers) {
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "first");
    const type = each.stream ? "text/event-stream" : "application/json";
    assert.ok(reply.header("content-type")?.startsWith(type), `${type} was asked for`);
    assert.ok((await play.record(reply)).usage !== undefined, "its usage is counted");
  }
  await passedOver(each, html(200), "route");
  await passedOver(each, json(200, "", {}), "route");
}

/** Events, fields and lines that nobody knows yet, before, between and after the known ones. */
function strange(each: Case): readonly SseItem[] {
  const frames = textFrames(each.upstream);
  const unknown: SseItem =
    each.upstream === "chat"
      ? { data: { object: "chat.future", choices: [], later: { deep: ["✓"] } } }
      : {
          event: "future.event",
          data: { type: "future.event", sequence_number: 0.5, later: { deep: ["✓"] } },
        };
  const delta = frames.delta(wordsOf("first"));
  const known =
    typeof delta.data === "object" ? { ...delta, data: { ...delta.data, obfuscation: "a8Fz" } } : delta;
  return [
    { comment: "a comment" },
    unknown,
    ...frames.start,
    unknown,
    ...frames.open,
    { comment: "another" },
    known,
    unknown,
    ...frames.close(wordsOf("first")),
  ];
}

async function unknownThings(each: Case): Promise<void> {
  const passes = each.client === each.upstream;
  if (!each.stream) {
    const body = JSON.stringify({
      ...textAnswer(each.upstream, wordsOf("first")),
      later: { big: 1, deep: ["✓"] },
    });
    const exact = body.replace('"big":1', '"big":12345678901234567890');
    await using play = await stage(each, { accounts: [{ answer: json(200, exact) }], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "first");
    if (passes) assert.equal(reply.text(), exact);
    return;
  }
  const bytes = Buffer.from(
    writeSse(strange(each)).toString("utf8").replace("\n\n", "\nid: 7\nretry: 10\n\n"),
  );
  await using play = await stage(each, { accounts: [{ answer: sse(bytes) }], config: PATIENT });
  const reply = await play.ask();
  // The kit's reader is strict about unknown events, so only what a lenient client sees is looked at.
  const verdict = play.verdict(reply);
  assert.equal(verdict.complete, true);
  assert.equal(verdict.text, wordsOf("first"));
  if (passes) assert.equal(reply.text(), bytes.toString("utf8"));
  await afterTheEnd(each);
}

/** What comes behind the terminal event is nobody's, and its connection does not live on for long. */
async function afterTheEnd(each: Case): Promise<void> {
  const whole = textStream(each.upstream, [wordsOf("first")]);
  const more = writeSse([textFrames(each.upstream).delta("Never seen.")]);
  const tails: Readonly<Record<string, Answer>> = {
    "in one piece": sse(Buffer.concat([whole, more]), { chunking: "whole", end: "hang" }),
    later: sse(Buffer.concat([whole, more]), { delayMs: 5, end: "hang" }),
    nothing: sse(whole, { end: "hang" }),
  };
  for (const [how, answer] of Object.entries(tails)) {
    const clock = new VirtualClock();
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT, clock });
    const first = play.upstream("first");
    const reply = await play.ask();
    await expectGood(play, reply, "first");
    assert.ok(!reply.text().includes("Never seen."), how);
    await Bun.sleep(10);
    await clock.pass(2_000);
    await until(`${how}: the connection is closed`, () => first.openConnections === 0);
  }
}

interface ErrorCase extends ErrorWords {
  readonly blamed: string;
  /** What the client is told where nobody else can answer. */
  readonly status: number;
}

const PASSING: Readonly<Record<"anthropic" | "openai", readonly ErrorCase[]>> = {
  anthropic: [
    { type: "api_error", blamed: "account", status: 500 },
    { type: "overloaded_error", blamed: "provider", status: 529 },
    { type: "rate_limit_error", blamed: "limit", status: 429 },
    { type: "authentication_error", blamed: "credential", status: 502 },
  ],
  openai: [
    { type: "server_error", code: "server_error", blamed: "account", status: 500 },
    { type: "requests", code: "rate_limit_exceeded", blamed: "limit", status: 429 },
    { type: "insufficient_quota", code: "insufficient_quota", blamed: "quota", status: 429 },
    { type: "invalid_request_error", code: "invalid_api_key", blamed: "credential", status: 502 },
  ],
};

const familyOf = (each: Case): "anthropic" | "openai" =>
  each.upstream === "messages" ? "anthropic" : "openai";

/** An error where an answer was due: as the first event, behind the prelude, or as a body. */
function earlyErrors(each: Case, words: ErrorWords): readonly Answer[] {
  const items = errorItems(each.upstream, words);
  if (each.stream) return [sse(items), sse([...textFrames(each.upstream).start, ...items])];
  const [event] = items;
  const data = typeof event?.data === "object" ? event.data : {};
  const inner: unknown = data !== null && "response" in data ? data.response : data;
  return [json(200, inner), sse(items)];
}

async function errorFirst(each: Case): Promise<void> {
  for (const { blamed, status, ...words } of PASSING[familyOf(each)]) {
    for (const answer of earlyErrors(each, words)) {
      await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
      const reply = await play.ask();
      await expectGood(play, reply, "second");
      await expectAttempts(play, reply, `first:${blamed} second:ok`);
      await using alone = await stage(each, { accounts: [{ answer }], config: PATIENT });
      await expectError(each, alone, await alone.ask(), { status });
    }
  }
  // The request's own fault: nobody else is asked.
  const words = {
    type: "invalid_request_error",
    code: "invalid_prompt",
    message: "This prompt is not allowed.",
  };
  for (const answer of earlyErrors(each, words)) {
    await using play = await stage(each, { accounts: [{ answer }, {}], config: PATIENT });
    const { error } = await expectError(each, play, await play.ask(), { status: 400 });
    assert.equal(error?.message, words.message);
    expectHits(play, "second", 0);
  }
}

async function errorAfterContent(each: Case): Promise<void> {
  const frames = textFrames(each.upstream);
  const begun = [...frames.start, ...frames.open, frames.delta("Begun")];
  const words = {
    type: each.upstream === "messages" ? "overloaded_error" : "server_error",
    code: "server_error",
    message: "It broke in the middle.",
  };
  const items = [...begun, ...errorItems(each.upstream, words), frames.delta("Never seen.")];
  for (const chunking of ["event", "whole"] as const) {
    await using play = await stage(each, {
      accounts: [{ answer: sse(items, { chunking }) }, {}],
      config: PATIENT,
    });
    const reply = await play.ask();
    if (!each.stream) {
      // Nothing of a whole answer has left yet.
      await expectGood(play, reply, "second");
      continue;
    }
    const verdict = await expectCut(each, play, reply, toldAs(each, words.type));
    assert.equal(verdict.text, "Begun");
    assert.equal(verdict.error?.message, words.message, "the provider's own words");
    await expectAttempts(play, reply, `first:${each.upstream === "messages" ? "provider" : "account"}`);
    expectHits(play, "second", 0);
  }
}

/** A provider's error type in the client's protocol: its own, or the counterpart in the other family. */
function toldAs(each: Case, type: string): { readonly anthropic: string; readonly openai: string } {
  const isSame = (each.client === "messages") === (each.upstream === "messages");
  if (isSame) return { anthropic: type, openai: type };
  return type === "overloaded_error"
    ? { anthropic: type, openai: each.client === "chat" ? "server_error" : "service_unavailable_error" }
    : { anthropic: "api_error", openai: type };
}

async function incomplete(each: Case): Promise<void> {
  for (const reason of ["max_output_tokens", "content_filter"] as const) {
    const stop = (text: string): string => text.replaceAll(/("reason": ?)"\w+"/g, `$1"${reason}"`);
    const answer = each.stream
      ? sse(stop(sampleStream(each.upstream, "length").toString("utf8")))
      : json(200, stop(JSON.stringify(sampleAnswer(each.upstream, "length"))));
    await using play = await stage(each, { accounts: [{ answer }], config: PATIENT });
    const verdict = await expectWhole(play, await play.ask());
    const chat = reason === "content_filter" ? "content_filter" : "length";
    assert.equal(verdict.stop, each.client === "chat" ? chat : reason);
    assert.notEqual(verdict.text, "");
  }
}

const OVER_RESPONSES: readonly Case[] = (["responses", "chat"] as const).flatMap((client) =>
  [true, false].map((stream): Case => ({ client, upstream: "responses", stream })),
);

export const ROWS: readonly Row[] = [
  {
    number: 19,
    title: "1xx is skipped, 204 and 3xx are failures, no redirect is followed",
    run: oddStatuses,
  },
  { number: 20, title: "JSON for a stream is converted, a page is passed over", run: wrongKind },
  { number: 22, title: "unknown things pass, nothing passes behind the end", run: unknownThings },
  { number: 37, title: "200 with an error first: as if it had that status", run: errorFirst },
  { number: 38, title: "200 with an error after content: told in its own words", run: errorAfterContent },
  { number: 39, title: "incomplete is no stop", cases: OVER_RESPONSES, run: incomplete },
];
