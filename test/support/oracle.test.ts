// The oracle has the last word in every fault test, so it is itself tested against the recorded samples, against each
// way of cutting them, and against the official client libraries.
import { describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { errorItems, textFrames, textStream } from "./made-streams.ts";
import { judgeAnswer, judgeStream, type Protocol, type Verdict } from "./oracle.ts";
import { MODELS, PROTOCOLS, sampleAnswer, sampleStream, STREAM_NAMES } from "./samples.ts";
import { readSse, withLineEnds, writeSse, type SseItem } from "./sse-text.ts";

const said = (verdict: Verdict): unknown => [
  verdict.text,
  verdict.reasoning,
  verdict.stop,
  verdict.toolCalls.map((call) => [
    call.id,
    call.name,
    JSON.parse(call.arguments === "" ? "{}" : call.arguments),
  ]),
];

/** Applies a change to the list of events of a sample. */
function changed(protocol: Protocol, change: (items: SseItem[]) => SseItem[]): Verdict {
  const items = readSse(sampleStream(protocol, "tools")).events.map((event): SseItem => ({
    ...(event.event === "" ? {} : { event: event.event }),
    data: event.data,
  }));
  return judgeStream(protocol, writeSse(change(items)));
}

for (const protocol of PROTOCOLS) {
  describe(`the oracle for ${protocol}`, () => {
    test("finds every sample stream complete and without fault, and equal to its whole answer", () => {
      for (const name of STREAM_NAMES) {
        const stream = judgeStream(protocol, sampleStream(protocol, name));
        const answer = judgeAnswer(protocol, JSON.stringify(sampleAnswer(protocol, name)));
        expect([name, stream.complete, stream.error, stream.problems, stream.tail]).toEqual([
          name,
          true,
          undefined,
          [],
          "",
        ]);
        expect([answer.complete, answer.error, answer.problems]).toEqual([true, undefined, []]);
        expect(said(stream)).toEqual(protocol === "chat" ? said({ ...answer, reasoning: "" }) : said(answer));
        expect(stream.usage).toEqual(answer.usage);
      }
      const made = judgeStream(protocol, textStream(protocol, ["one ", "two"]));
      expect([made.complete, made.text, made.problems]).toEqual([true, "one two", []]);
    });

    test("finds no cut stream complete, at whatever byte it was cut, in whatever line ends", () => {
      for (const name of STREAM_NAMES) {
        for (const end of ["\n", "\r\n"] as const) {
          const bytes = withLineEnds(sampleStream(protocol, name), end);
          const last = bytes.length - end.length;
          // Every byte of the end, where completeness could begin; samples of the long way there.
          for (let cut = 0; cut < last; cut += cut < last - 100 ? 61 : 1) {
            const { complete } = judgeStream(protocol, bytes.subarray(0, cut));
            if (complete) throw new Error(`${name} is complete at ${cut} of ${bytes.length}`);
          }
          expect(judgeStream(protocol, bytes).complete).toBe(true);
        }
      }
    });

    test("sees an error at the start and after content, and success in neither", () => {
      const frames = textFrames(protocol);
      for (const before of [[], frames.start, [...frames.start, ...frames.open, frames.delta("half")]]) {
        const verdict = judgeStream(
          protocol,
          writeSse([...before, ...errorItems(protocol, { message: "it broke" })]),
        );
        expect([verdict.complete, verdict.error?.message, verdict.problems]).toEqual([false, "it broke", []]);
      }
    });

    test("does not take success after an error", () => {
      const verdict = changed(protocol, (items) => [
        ...items.slice(0, -1),
        ...errorItems(protocol),
        ...items.slice(-1),
      ]);
      expect(verdict.problems.join()).toMatch(/event after the end|both an error and the success marker/);
    });

    test("reports what comes after the end", () => {
      expect(changed(protocol, (items) => [...items, { data: '{"more":1}' }]).problems.join()).toContain(
        "event after the end",
      );
    });

    test("reports an event that is no JSON, and a body that is none", () => {
      expect(
        changed(protocol, (items) => [
          ...items.slice(0, 3),
          { data: "{half" },
          ...items.slice(3),
        ]).problems.join(),
      ).toContain("data is no JSON: {half");
      expect(judgeAnswer(protocol, "<html>")).toMatchObject({
        complete: false,
        problems: ["body is no JSON"],
      });
    });
  });
}

describe("the oracle", () => {
  test("sees each missing event of the samples", () => {
    const blind: string[] = [];
    for (const protocol of PROTOCOLS) {
      const names = readSse(sampleStream(protocol, "tools")).events.map((event) => event.event);
      for (const [index, name] of names.entries()) {
        const verdict = changed(protocol, (items) => items.filter((_item, at) => at !== index));
        const whole = judgeStream(protocol, sampleStream(protocol, "tools"));
        const same =
          JSON.stringify([verdict.complete, verdict.problems, everything(verdict)]) ===
          JSON.stringify([true, [], everything(whole)]);
        if (same) blind.push(`${protocol} ${name}`);
      }
    }
    // Losing one of these leaves all that the oracle reads as it was: a signature, three empty inputs, two pings, and
    // the only delta of an input that the done event repeats.
    expect(blind.toSorted()).toEqual([
      "messages content_block_delta",
      "messages content_block_delta",
      "messages content_block_delta",
      "messages content_block_delta",
      "messages ping",
      "messages ping",
      "responses response.function_call_arguments.delta",
      "responses response.in_progress",
    ]);
  });

  test("sees a tool call that was closed over cut arguments, unless the limit cut it", () => {
    const calls = (stop: string): Verdict =>
      judgeStream(
        "chat",
        writeSse([
          chunk({ role: "assistant", tool_calls: [call('{"city":"Ro')] }, null),
          chunk({}, stop),
          { data: "[DONE]" },
        ]),
      );
    expect(calls("tool_calls").problems.join()).toContain("closed with cut arguments");
    expect(calls("length").problems).toEqual([]);
  });

  test("wants both marks of a chat stream, and lists the one that came", () => {
    const finished = judgeStream(
      "chat",
      writeSse([chunk({ role: "assistant", content: "x" }, null), chunk({}, "stop")]),
    );
    expect([finished.complete, finished.markers]).toEqual([false, ["finish_reason"]]);
    const done = judgeStream(
      "chat",
      writeSse([chunk({ role: "assistant", content: "x" }, null), { data: "[DONE]" }]),
    );
    expect([done.complete, done.problems]).toEqual([false, ["[DONE] without finish_reason"]]);
  });

  test("sees glued tool calls, changed ids and a wrong order of blocks", () => {
    expect(
      judgeStream(
        "chat",
        writeSse([chunk({ role: "assistant", tool_calls: [call("{}", 0), call("{}", 0)] }, null)]),
      ).problems,
    ).toEqual(["tool call 0 has its id twice"]);
    expect(
      judgeStream("chat", writeSse([chunk({ role: "assistant", tool_calls: [call("{}", 1)] }, null)]))
        .problems,
    ).toEqual(["tool index 1 where 0 was due"]);
    expect(changed("messages", (items) => items.toReversed()).problems.length).toBeGreaterThan(5);
    expect(changed("responses", (items) => items.toReversed()).problems.length).toBeGreaterThan(5);
  });

  test("sees an index that was left out and a sequence number that stood still", () => {
    const shifted = (item: SseItem): SseItem => ({
      ...item,
      data: String(item.data).replace(/"index":([1-9])/, (_all, index) => `"index":${Number(index) + 1}`),
    });
    expect(changed("messages", (items) => items.map(shifted)).problems[0]).toBe(
      "block index 2 where 1 was due",
    );
    expect(changed("messages", (items) => items.map(shifted)).problems).toHaveLength(4);
    const still = (item: SseItem): SseItem => ({
      ...item,
      data: String(item.data).replace(/"sequence_number":\d+/, '"sequence_number":3'),
    });
    const count = readSse(sampleStream("responses", "tools")).events.length;
    expect(changed("responses", (items) => items.map(still)).problems).toHaveLength(count - 1);
  });

  test("reads the error bodies of both families", () => {
    expect(
      judgeAnswer("messages", '{"type":"error","error":{"type":"overloaded_error","message":"m"}}').error,
    ).toEqual({ type: "overloaded_error", message: "m", code: undefined });
    for (const protocol of ["responses", "chat"] as const) {
      const verdict = judgeAnswer(protocol, '{"error":{"message":"m","type":"t","param":null,"code":"c"}}');
      expect([verdict.complete, verdict.error]).toEqual([false, { type: "t", message: "m", code: "c" }]);
    }
  });
});

describe("the official libraries read the samples as the oracle does:", () => {
  for (const name of STREAM_NAMES) {
    const answerOf = (protocol: Protocol) => async (): Promise<Response> =>
      new Response(new Uint8Array(sampleStream(protocol, name)), {
        headers: { "content-type": "text/event-stream" },
      });

    test(`messages ${name}`, async () => {
      const client = new Anthropic({
        apiKey: "none",
        baseURL: "http://sample.invalid",
        fetch: answerOf("messages"),
      });
      const message = await client.messages
        .stream({ model: MODELS.messages, max_tokens: 64, messages: [{ role: "user", content: "x" }] })
        .finalMessage();
      expect(said(judgeAnswer("messages", JSON.stringify(message)))).toEqual(
        said(judgeStream("messages", sampleStream("messages", name))),
      );
    });

    test(`responses ${name}`, async () => {
      const client = new OpenAI({
        apiKey: "none",
        baseURL: "http://sample.invalid/v1",
        fetch: answerOf("responses"),
      });
      const response = await client.responses.stream({ model: MODELS.responses, input: "x" }).finalResponse();
      expect(said(judgeAnswer("responses", JSON.stringify({ ...response, object: "response" })))).toEqual(
        said(judgeStream("responses", sampleStream("responses", name))),
      );
    });

    test(`chat ${name}`, async () => {
      const client = new OpenAI({
        apiKey: "none",
        baseURL: "http://sample.invalid/v1",
        fetch: answerOf("chat"),
      });
      const runner = client.chat.completions.stream({
        model: MODELS.chat,
        messages: [{ role: "user", content: "x" }],
      });
      const completion = await runner
        .finalChatCompletion()
        .catch((error: unknown) => (name === "length" ? sampleAnswer("chat", name) : Promise.reject(error)));
      expect(said(judgeAnswer("chat", JSON.stringify(completion)))).toEqual(
        said(judgeStream("chat", sampleStream("chat", name))),
      );
    });
  }
});

function everything(verdict: Verdict): unknown {
  return [verdict.text, verdict.reasoning, verdict.stop, verdict.usage, verdict.toolCalls];
}

function chunk(delta: unknown, finish: string | null): SseItem {
  return {
    data: {
      id: "c",
      object: "chat.completion.chunk",
      created: 1,
      model: "m",
      choices: [{ index: 0, delta, finish_reason: finish }],
    },
  };
}

function call(text: string, index = 0): unknown {
  return { index, id: "call_1", type: "function", function: { name: "f", arguments: text } };
}
