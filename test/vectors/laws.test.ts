// What holds for every answer, every conversation and every way the network may cut it.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Protocol } from "../../src/core/account.ts";
import { type StreamEvent } from "../../src/core/hub.ts";
import { arrayAt, objectAt, type JsonObject } from "../../src/core/json.ts";
import { SseReader } from "../../src/core/sse.ts";
import { CODECS } from "../../src/protocols/index.ts";
import * as samples from "./samples.ts";
import * as run from "./translate.ts";

interface Side {
  readonly from: Protocol;
  readonly to: Protocol;
  readonly answers: fc.Arbitrary<JsonObject>;
}

const SIDES: readonly Side[] = [
  { from: "chat", to: "responses", answers: samples.completion },
  { from: "responses", to: "chat", answers: samples.response },
  { from: "chat", to: "messages", answers: samples.completion },
  { from: "responses", to: "messages", answers: samples.response },
  { from: "messages", to: "chat", answers: samples.message },
  { from: "messages", to: "responses", answers: samples.message },
  { from: "messages", to: "messages", answers: samples.message },
];

/** A request whose answer tells everything its protocol can tell. */
function curious(protocol: Protocol, members: JsonObject = {}): JsonObject {
  if (protocol === "messages") return run.ask(protocol, { thinking: { type: "adaptive" }, ...members });
  return run.ask(protocol, members);
}

function streamOf(protocol: Protocol, answer: JsonObject): Uint8Array {
  return new TextEncoder().encode(CODECS[protocol].wire.unfold(answer));
}

function foldOf(protocol: Protocol, bytes: Uint8Array): JsonObject | undefined {
  const folder = CODECS[protocol].wire.folder();
  for (const frame of new SseReader().push(bytes)) folder.push(frame);
  return folder.answer();
}

/** Events with the deltas of a block joined: how a text was cut says nothing. */
function joined(events: readonly StreamEvent[]): StreamEvent[] {
  const list: StreamEvent[] = [];
  for (const event of events) {
    const last = list.at(-1);
    if (event.type === "delta" && last?.type === "delta")
      list[list.length - 1] = { type: "delta", text: last.text + event.text };
    else list.push(event);
  }
  return list;
}

/** The marks of success in a client's stream. */
const SUCCESS = /"finish_reason":"|\[DONE\]\n|event: (response\.(completed|incomplete)|message_stop)/;

for (const { from, to, answers } of SIDES)
  describe(`${from} to ${to}`, () => {
    test("a whole answer unfolds into a stream that folds back into it", () => {
      fc.assert(
        fc.property(answers, (answer) => {
          expect(foldOf(from, streamOf(from, answer))).toEqual(answer);
        }),
      );
    });

    test("any cutting of the bytes gives the same events", () => {
      fc.assert(
        fc.property(answers, samples.cuts, (answer, cuts) => {
          const bytes = streamOf(from, answer);
          expect(run.decodeStream(from, samples.cutAt(bytes, cuts))).toEqual(run.decodeStream(from, [bytes]));
        }),
      );
    });

    test("decoding a stream and decoding the answer it folds into say the same", () => {
      fc.assert(
        fc.property(answers, (answer) => {
          const bytes = streamOf(from, answer);
          const folded = foldOf(from, bytes) ?? {};
          expect(joined(run.translator(from).decodeAnswer(folded))).toEqual(
            joined(run.decodeStream(from, [bytes])),
          );
        }),
      );
    });

    test("the client's stream folds into the client's whole answer", () => {
      fc.assert(
        fc.property(answers, (answer) => {
          const request = curious(to, { stream: true, stream_options: { include_usage: true } });
          const text = run.encodeStream(to, run.decodeStream(from, [streamOf(from, answer)]), request);
          const whole = run.translateAnswer(from, to, answer, request);
          expect(foldOf(to, new TextEncoder().encode(text))).toEqual(whole);
        }),
      );
    });

    test("an answer is the same after a way there and back", () => {
      fc.assert(
        fc.property(answers, (answer) => {
          const there = run.translateAnswer(from, to, answer, curious(to));
          const back = run.translateAnswer(to, from, there, curious(from));
          const through = to === "messages" ? seenThroughMessages : (said: unknown) => said;
          expect(through(essence(from, back))).toEqual(through(essence(from, answer)));
        }),
      );
    });

    test("a stream cut at any byte never succeeds more than the upstream did", () => {
      fc.assert(
        fc.property(answers, fc.double({ min: 0, max: 1, noNaN: true }), (answer, share) => {
          const bytes = streamOf(from, answer);
          const part = bytes.subarray(0, Math.floor(share * bytes.length));
          const given = new TextDecoder().decode(part);
          const request = run.ask(to, { stream: true });
          const text = run.encodeStream(to, run.decodeStream(from, [part]), request);
          if (!upstreamEnded(from, given)) {
            expect(text).not.toMatch(SUCCESS);
            expect(text).toContain('"error":{');
          }
        }),
        { numRuns: 400 },
      );
    });
  });

/** Whether the part of a stream holds the whole event that ends it. */
function upstreamEnded(protocol: Protocol, text: string): boolean {
  // The blank line behind an event may be missing at a clean end; half a line is nothing.
  const events = run.parseEvents(`${text.slice(0, text.lastIndexOf("\n") + 1)}\n`);
  if (protocol === "messages") return events.some(({ event }) => event === "message_stop");
  return events.some(({ data }) =>
    protocol === "chat"
      ? /"finish_reason":"/.test(withoutText(data))
      : /^"response\.(completed|incomplete)"/.test(
          JSON.stringify(objectAt({ data: data as JsonObject }, "data")?.["type"] ?? null),
        ),
  );
}

/** A chunk's JSON without its delta, whose text may say anything. */
function withoutText(data: unknown): string {
  return JSON.stringify(data, (key, value: unknown) => (key === "delta" ? undefined : value));
}

/** What an answer says, without ids of items and what only one protocol has. */
function essence(protocol: Protocol, answer: JsonObject): unknown {
  if (protocol === "chat") {
    const [choice] = arrayAt(answer, "choices") ?? [];
    const message = objectAt(choice, "message");
    return {
      message,
      finish: objectAt({ choice: choice ?? null }, "choice")?.["finish_reason"],
      usage: answer["usage"],
    };
  }
  if (protocol === "messages") {
    const content = (arrayAt(answer, "content") ?? []).map((block) => {
      const { signature: _, ...rest } = objectAt({ block }, "block") ?? {};
      return rest;
    });
    const { service_tier: _, ...usage } = objectAt(answer, "usage") ?? {};
    return { content, stop: answer["stop_reason"], usage };
  }
  const output = (arrayAt(answer, "output") ?? []).map((item) => {
    const { id: _, status: __, ...rest } = objectAt({ item }, "item") ?? {};
    return rest;
  });
  return { output, status: answer["status"], details: answer["incomplete_details"], usage: answer["usage"] };
}

/** A freeform call is a function of one text there, and counts are always told. */
function seenThroughMessages(said: unknown): unknown {
  return JSON.parse(JSON.stringify(said), (_, value: unknown) => {
    const held = objectAt({ value: value as JsonObject }, "value");
    if (held === undefined) return value;
    const { usage, ...rest } = held;
    if ("usage" in held) return (objectAt({ usage }, "usage")?.["total_tokens"] ?? 0) === 0 ? rest : held;
    const custom = objectAt(held, "custom") ?? (held["type"] === "custom_tool_call" ? held : undefined);
    if (custom === undefined) return value;
    const [name, args] = [custom["name"], JSON.stringify({ input: custom["input"] })];
    return custom === held
      ? { type: "function_call", call_id: held["call_id"], name, arguments: args }
      : { id: held["id"], type: "function", function: { name, arguments: args } };
  });
}

describe("requests", () => {
  const lists = { chat: "messages", responses: "input", messages: "messages" } as const;
  const conversations = {
    chat: samples.chatConversation,
    responses: samples.responsesConversation,
    messages: samples.messagesConversation,
  };
  const pairs = [
    ["chat", "responses", "m"],
    ["responses", "chat", "m"],
    ["chat", "messages", "claude-opus-5"],
    ["chat", "messages", "claude-haiku-4-5"],
    ["responses", "messages", "claude-opus-5"],
    ["responses", "messages", "claude-haiku-4-5"],
    ["messages", "chat", "m"],
    ["messages", "responses", "m"],
    ["messages", "messages", "claude-opus-5"],
  ] as const;
  for (const [from, to, model] of pairs)
    test(`a longer conversation begins with the bytes of the shorter one, ${from} to ${to} of ${model}`, () => {
      fc.assert(
        fc.property(conversations[from], (requests) => {
          const texts = requests.map((items) => {
            const body = run.ask(from, { model, [lists[from]]: items });
            const sent = run.translateRequest(from, to, body);
            expect(JSON.stringify(run.translateRequest(from, to, run.asSent(body)))).toBe(
              JSON.stringify(sent),
            );
            return JSON.stringify(sent[lists[to]]).slice(0, -1);
          });
          texts.forEach((text, at) => expect(text).toStartWith(texts[at - 1] ?? ""));
        }),
      );
    });
});
