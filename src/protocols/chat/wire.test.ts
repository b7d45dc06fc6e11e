import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject } from "../../core/json.ts";
import { SseFrame } from "../../core/sse.ts";
import { chatWire } from "./wire.ts";

function frame(text: string): SseFrame {
  return new SseFrame(new TextEncoder().encode(text));
}

function chunk(delta: JsonObject, finish: string | null = null, rest: JsonObject = {}): SseFrame {
  return data({ id: "c", choices: [{ index: 0, delta, finish_reason: finish }], ...rest });
}

function data(value: JsonObject): SseFrame {
  return frame(`data: ${JSON.stringify(value)}\n\n`);
}

describe("kind", () => {
  test.each([
    ["a role alone", chunk({ role: "assistant", content: "" }), "prelude"],
    ["a role with null content", chunk({ role: "assistant", content: null, refusal: null }), "prelude"],
    ["an empty delta", chunk({}), "prelude"],
    ["text", chunk({ content: "x" }), "content"],
    ["a role with text", chunk({ role: "assistant", content: "x" }), "content"],
    ["a refusal", chunk({ refusal: "no" }), "content"],
    ["reasoning under a name of its own", chunk({ content: null, reasoning_content: "x" }), "content"],
    [
      "a call's beginning",
      chunk({ tool_calls: [{ index: 0, id: "c", function: { name: "f" } }] }),
      "content",
    ],
    ["arguments", chunk({ tool_calls: [{ index: 0, function: { arguments: "{" } }] }), "content"],
    ["a finish", chunk({}, "stop"), "finish"],
    ["a finish with text", chunk({ content: "x" }, "length"), "finish"],
    ["a finish with usage", chunk({}, "stop", { usage: { prompt_tokens: 1 } }), "finish"],
    ["usage", data({ choices: [], usage: { prompt_tokens: 1 } }), "aside"],
    ["a filter report without choices", data({ choices: [], prompt_filter_results: [] }), "aside"],
    ["an error", data({ error: { message: "x" } }), "error"],
    ["an error as text", data({ error: "x" }), "error"],
    ["an error behind choices", chunk({ content: "x" }, null, { error: { message: "y" } }), "error"],
    ["no error at all", chunk({ content: "x" }, null, { error: null }), "content"],
    ["the marker", frame("data: [DONE]\n\n"), "end"],
    ["the marker without a space", frame("data:[DONE]\r\n\r\n"), "end"],
    ["a comment", frame(": ping\n\n"), "aside"],
    ["an empty event", frame("data:\n\n"), "aside"],
    ["no JSON", frame("data: <html>\n\n"), "aside"],
    ["no chunk", data({ hello: "world" }), "aside"],
  ] as const)("%s", (_, given, kind) => {
    expect(chatWire.kind(given)).toBe(kind);
  });

  test("finish reasons are found with spaces, on several lines and in any choice", () => {
    const spaced = '{"choices": [{"index": 0, "delta": {"content":"x"}, "finish_reason": "stop"}]}';
    expect(chatWire.kind(frame(`data: ${spaced}\n\n`))).toBe("finish");
    const open = '{"choices":[{"delta":{"content":"x"},"finish_reason": null}]}';
    expect(chatWire.kind(frame(`data: ${open}\n\n`))).toBe("content");
    const lines = 'data: {"choices":[{"delta":{"content":"x"},\ndata: "finish_reason":"stop"}]}\n\n';
    expect(chatWire.kind(frame(lines))).toBe("finish");
    const second = [
      { index: 0, delta: { content: "x" }, finish_reason: null },
      { index: 1, delta: {}, finish_reason: "stop" },
    ];
    expect(chatWire.kind(data({ choices: second }))).toBe("finish");
  });

  test("text is content whatever it says", () => {
    const words = fc.constantFrom(
      '"error":{"message":"x"}',
      '{"error"',
      '"finish_reason":"stop"',
      "[DONE]",
      "data: [DONE]\n\n",
      '\\"error\\":',
      '"usage":{"prompt_tokens":1}',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string()), { minLength: 1 }), (pieces) => {
        const text = pieces.join("");
        fc.pre(text !== "");
        expect(chatWire.kind(chunk({ content: text }))).toBe("content");
        const call = { tool_calls: [{ index: 0, function: { arguments: text } }] };
        expect(chatWire.kind(chunk(call))).toBe("content");
        expect(chatWire.mayCount(chunk({ content: text }))).toBe(false);
      }),
    );
  });
});

test("usage comes in disjoint buckets, and a chunk that has none is not worth parsing", () => {
  const usage = {
    prompt_tokens: 125,
    completion_tokens: 60,
    prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 32 },
  };
  const buckets = { input: 20, cacheRead: 100, cacheWrite: 5, output: 60, reasoning: 32 };
  expect(chatWire.usage({ usage })).toEqual(buckets);
  expect(chatWire.usage({ usage: null })).toBeUndefined();
  expect(chatWire.usage({ usage: { prompt_tokens: 3, prompt_tokens_details: null } })).toEqual({
    input: 3,
    cacheRead: 0,
    cacheWrite: 0,
  });
  expect(chatWire.mayCount(data({ choices: [], usage }))).toBe(true);
  expect(chatWire.mayCount(data({ choices: [], usage: null }))).toBe(false);
  expect(chatWire.mayCount(data({ usage: null, choices: [{ usage }] }))).toBe(true);
});

test("an error event is the error alone, without a marker behind it", () => {
  const fault = {
    status: 502,
    type: "server_error",
    code: "gateway_upstream_cut",
    message: "cut",
    param: null,
    retryAfterMs: undefined,
    retry: undefined,
  };
  expect(chatWire.errorEvent(fault, "r")).toBe(
    'data: {"error":{"message":"cut","type":"server_error","param":null,"code":"gateway_upstream_cut"}}\n\n',
  );
});

describe("folder", () => {
  function fold(...frames: readonly SseFrame[]): JsonObject | undefined {
    const folder = chatWire.folder();
    for (const each of frames) folder.push(each);
    return folder.answer();
  }

  test("keeps what it does not know, and repeats no name", () => {
    const answer = fold(
      chunk({ role: "assistant", content: "" }, null, { system_fingerprint: "fp" }),
      chunk({ reasoning_details: [{ type: "a" }] }),
      chunk({ reasoning_details: [{ type: "b" }] }),
      chunk({
        tool_calls: [{ index: 1, id: "b", type: "function", function: { name: "g", arguments: "1" } }],
      }),
      chunk({
        tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "{" } }],
      }),
      chunk({ tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: "}" } }] }),
      chunk({}, "tool_calls", { service_tier: "flex" }),
    );
    expect(answer).toMatchObject({
      system_fingerprint: "fp",
      service_tier: "flex",
      object: "chat.completion",
    });
    expect(answer?.["choices"]).toMatchObject([
      {
        finish_reason: "tool_calls",
        message: {
          content: null,
          reasoning_details: [{ type: "a" }, { type: "b" }],
          tool_calls: [
            { id: "a", function: { name: "f", arguments: "{}" } },
            { id: "b", function: { name: "g", arguments: "1" } },
          ],
        },
      },
    ]);
  });

  test("has no answer before the finish, after an error, or when an event was lost", () => {
    expect(fold(chunk({ content: "x" }))).toBeUndefined();
    expect(fold(chunk({ content: "x" }, "stop"), data({ error: { message: "x" } }))).toBeUndefined();
    expect(fold(frame("data: {broken\n\n"), chunk({ content: "x" }, "stop"))).toBeUndefined();
    expect(fold(chunk({ content: "x" }, "stop"), frame("data: [DONE]\n\n"))).toBeDefined();
  });
});
