import { describe, expect, test } from "bun:test";
import type { StreamEvent } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { SseFrame, SseReader } from "../../core/sse.ts";
import { chatTranslator } from "./translator.ts";

const CONTEXT = { model: "m", createdAt: 1, requestId: "req1" };

function chunk(delta: JsonObject, finish: string | null = null, rest: JsonObject = {}): JsonObject {
  return { id: "chatcmpl-1", model: "x", choices: [{ index: 0, delta, finish_reason: finish }], ...rest };
}

/** Deltas of one tool call each. */
function calls(...deltas: readonly JsonObject[]): JsonObject[] {
  return deltas.map((delta) => chunk({ tool_calls: [delta] }));
}

function decode(chunks: readonly (JsonObject | string)[]): StreamEvent[] {
  const decoder = chatTranslator.decoder();
  const frames = chunks.map((each) => {
    const data = typeof each === "string" ? each : JSON.stringify(each);
    return new SseFrame(new TextEncoder().encode(`data: ${data}\n\n`));
  });
  return [...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

/** One line a block, then how it ended. */
function story(events: readonly StreamEvent[]): string[] {
  const lines: string[] = [];
  for (const event of events) {
    if (event.type === "block_open") {
      const { block } = event;
      lines.push(block.type === "call" ? `${block.kind} ${block.name} ${block.id}: ` : `${block.type}: `);
    } else if (event.type === "delta") lines[lines.length - 1] += event.text;
    else if (event.type === "block_close" && !event.whole) lines[lines.length - 1] += " (cut)";
    else if (event.type === "end") lines.push(event.stop.reason);
    else if (event.type === "error") lines.push("error");
  }
  return lines;
}

const STOP = chunk({}, "tool_calls");

describe("decoding what servers really send", () => {
  test.each<[string, JsonObject[], string[]]>([
    [
      "a name in pieces, and late",
      calls(
        { index: 0, id: "c" },
        { index: 0, function: { name: "get_" } },
        { index: 0, function: { name: "weather", arguments: "" } },
        { index: 0, function: { arguments: "{}" } },
      ),
      ["function get_weather c: {}", "tool_call"],
    ],
    [
      "a name and id in every chunk",
      calls(
        { index: 0, id: "c", function: { name: "f", arguments: '{"a"' } },
        { index: 0, id: "c", function: { name: "f", arguments: ":1}" } },
      ),
      ['function f c: {"a":1}', "tool_call"],
    ],
    [
      "all indexes 0, told apart by id",
      calls(
        { index: 0, id: "a", function: { name: "f", arguments: "{}" } },
        { index: 0, id: "b", function: { name: "g", arguments: "{}" } },
      ),
      ["function f a: {}", "function g b: {}", "tool_call"],
    ],
    [
      "no indexes at all",
      calls(
        { id: "a", function: { name: "f", arguments: '{"x":' } },
        { function: { arguments: "1}" } },
        { id: "b", function: { name: "g", arguments: "{}" } },
      ),
      ['function f a: {"x":1}', "function g b: {}", "tool_call"],
    ],
    [
      "no arguments",
      calls({ index: 0, id: "a", function: { name: "f" } }, { index: 1, id: "b", function: { name: "g" } }),
      ["function f a: {}", "function g b: {}", "tool_call"],
    ],
    [
      "text behind a call that is whole",
      [...calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" } }), chunk({ content: "bye" })],
      ["function f a: {}", "text: bye", "tool_call"],
    ],
    [
      "text within a call",
      [
        ...calls({ index: 0, id: "a", function: { name: "f", arguments: "{" } }),
        chunk({ content: "hm" }),
        ...calls({ index: 0, function: { arguments: "}" } }),
      ],
      ["function f a: {}", "text: hm", "tool_call"],
    ],
    [
      "the old form",
      [chunk({ function_call: { name: "f", arguments: "{}" } })],
      [expect.stringMatching(/^function f call_[0-9a-f]{8}: \{\}$/), "tool_call"],
    ],
    [
      "reasoning by its other name",
      [chunk({ reasoning: "hm", content: "" }), chunk({ content: "x" })],
      ["reasoning: hm", "text: x", "done"],
    ],
    ["content in parts", [chunk({ content: [{ type: "text", text: "a" }] })], ["text: a", "done"]],
    [
      "a second choice that nobody asked for",
      [chunk({ content: "a" }), { choices: [{ index: 1, delta: { content: "b" } }] }],
      ["text: a", "done"],
    ],
  ])("%s", (_, chunks, lines) => {
    expect(story(decode([...chunks, STOP, "[DONE]"]))).toEqual(lines);
    // A server may also leave the marker out.
    expect(story(decode([...chunks, STOP]))).toEqual(lines);
  });

  test("calls without an id get one, the same every time and different ones for two", () => {
    const events = (): StreamEvent[] =>
      decode([
        ...calls(
          { index: 0, function: { name: "f", arguments: "{}" } },
          { index: 1, function: { name: "g", arguments: "{}" } },
        ),
        STOP,
      ]);
    const ids = events().flatMap((event) =>
      event.type === "block_open" && event.block.type === "call" ? [event.block.id] : [],
    );
    expect(new Set(ids).size).toBe(2);
    expect(events()).toEqual(events());
  });

  test("usage is taken from wherever it stands, the last one whole", () => {
    const usage = { prompt_tokens: 9, completion_tokens: 2 };
    const buckets = { input: 9, cacheRead: 0, cacheWrite: 0, output: 2, reasoning: 0 };
    const first = { usage: { prompt_tokens: 9, completion_tokens: 0 } };
    const streams = [
      [chunk({ content: "a" }, "stop", { usage })],
      [chunk({ content: "a" }, null, first), chunk({}, "stop"), { choices: [], usage }],
    ];
    for (const chunks of streams)
      expect(decode(chunks).at(-1)).toMatchObject({ type: "end", usage: buckets });
    expect(decode([chunk({}, "stop", { usage: null })]).at(-1)).toMatchObject({ usage: undefined });
  });
});

describe("what is not a success", () => {
  test.each<[string, (JsonObject | string)[]]>([
    ["no finish reason, though the marker came", [chunk({ content: "a" }), "[DONE]"]],
    ["nothing at all", []],
    [
      "an error in a chunk",
      [chunk({ content: "a" }), { error: { message: "m", code: 502 } }, chunk({}, "stop")],
    ],
    ["an error as finish reason", [chunk({ content: "a" }), chunk({}, "error")]],
    ["an event that is no JSON", [chunk({ content: "a" }), "{half", chunk({}, "stop")]],
    [
      "a call that breaks off and is called finished",
      [...calls({ index: 0, id: "a", function: { name: "f", arguments: '{"a' } }), STOP],
    ],
    [
      "a call whose arguments are no object",
      [...calls({ index: 0, id: "a", function: { name: "f", arguments: "[1]" } }), chunk({}, "stop")],
    ],
  ])("%s", (_, chunks) => {
    const events = decode([...chunks, "[DONE]"]);
    expect(events.at(-1)?.type).toBe("error");
    expect(events.filter((event) => event.type === "end" || event.type === "error")).toHaveLength(1);
  });

  test("a call that the limit cut is told as cut", () => {
    const chunks = [
      ...calls({ index: 0, id: "a", function: { name: "f", arguments: '{"a' } }),
      chunk({}, "length"),
    ];
    expect(story(decode(chunks))).toEqual(['function f a: {"a (cut)', "length"]);
    const custom = calls({ index: 0, id: "a", type: "custom", custom: { name: "f", input: "free" } });
    expect(story(decode([...custom, chunk({}, "length")]))).toEqual(["custom f a: free (cut)", "length"]);
    expect(story(decode([...custom, STOP]))).toEqual(["custom f a: free", "tool_call"]);
  });
});

describe("encoding", () => {
  const START: StreamEvent = { type: "start", id: "resp_up", model: "x" };
  const END: StreamEvent = { type: "end", stop: { reason: "done" }, usage: undefined };

  function encode(events: readonly StreamEvent[], members: JsonObject = {}): unknown[] {
    const prompt = chatTranslator.decodeRequest({
      model: "m",
      messages: [{ role: "user", content: "x" }],
      ...members,
    });
    const encoder = chatTranslator.encoder(prompt, CONTEXT);
    const text = events.map((event) => encoder.push(event)).join("");
    return new SseReader()
      .push(new TextEncoder().encode(text))
      .map(({ data = "" }) => (data === "[DONE]" ? data : JSON.parse(data)));
  }

  test("the role comes first even when the answer is empty", () => {
    expect(encode([START, END], { stream: true })).toEqual([
      {
        id: "chatcmpl-up",
        object: "chat.completion.chunk",
        created: 1,
        model: "m",
        choices: [
          {
            index: 0,
            delta: { role: "assistant", content: "", refusal: null },
            logprobs: null,
            finish_reason: null,
          },
        ],
      },
      expect.objectContaining({
        choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }],
      }),
      "[DONE]",
    ]);
  });

  test("log probabilities, citations and the tier reach the client", () => {
    const token = { token: "a", logprob: -0.5, top_logprobs: [{ token: "b", logprob: -1 }] };
    const url = { type: "url", url: "https://example.com", title: "T", start: 0, end: 1 } as const;
    const chunks = encode(
      [
        START,
        { type: "block_open", block: { type: "text" } },
        { type: "delta", text: "a", logprobs: [token] },
        { type: "annotation", annotation: url },
        { type: "block_close", whole: true },
        { ...END, type: "end", tier: "flex" },
      ],
      { stream: true },
    );
    const content = [{ ...token, bytes: null, top_logprobs: [{ token: "b", logprob: -1, bytes: null }] }];
    expect(chunks).toMatchObject([
      {},
      { choices: [{ delta: { content: "a" }, logprobs: { content, refusal: null } }] },
      {
        choices: [
          {
            delta: {
              annotations: [
                {
                  type: "url_citation",
                  url_citation: { url: "https://example.com", title: "T", start_index: 0, end_index: 1 },
                },
              ],
            },
          },
        ],
      },
      { service_tier: "flex" },
      "[DONE]",
    ]);
  });

  test("a client of the old function form is answered in it", () => {
    const chunks = encode(
      [
        START,
        { type: "block_open", block: { type: "call", kind: "function", id: "c", name: "f" } },
        { type: "delta", text: "{}" },
        { type: "block_close", whole: true },
        { type: "end", stop: { reason: "tool_call" }, usage: undefined },
      ],
      { functions: [{ name: "f" }], stream: true },
    );
    expect(chunks).toMatchObject([
      {},
      { choices: [{ delta: { function_call: { name: "f", arguments: "" } } }] },
      { choices: [{ delta: { function_call: { arguments: "{}" } } }] },
      { choices: [{ finish_reason: "function_call" }] },
      "[DONE]",
    ]);
  });

  test("an error is told once, as an error", () => {
    const error: StreamEvent = {
      type: "error",
      error: { status: 529, type: "overloaded_error", code: undefined, message: "m", param: undefined },
    };
    expect(encode([START, error], { stream: true }).slice(1)).toEqual([
      { error: { message: "m", type: "server_error", param: null, code: "server_is_overloaded" } },
    ]);
  });

  test("what only tunes an answer is dropped by name, neutral values without a word", () => {
    const body = {
      model: "m",
      messages: [],
      seed: 7,
      presence_penalty: 0,
      logit_bias: {},
      frequency_penalty: 0.5,
    };
    expect(chatTranslator.decodeRequest(body).dropped).toEqual(["seed", "frequency_penalty"]);
  });
});
