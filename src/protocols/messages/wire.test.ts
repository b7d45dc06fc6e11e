import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../core/json.ts";
import { SseFrame, SseReader } from "../../core/sse.ts";
import { messagesWire } from "./wire.ts";

function frame(text: string): SseFrame {
  return new SseFrame(new TextEncoder().encode(text));
}

function named(type: string, members: JsonObject = {}): SseFrame {
  return frame(`event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`);
}

describe("kind", () => {
  test.each([
    ["message_start", "prelude"],
    ["content_block_start", "content"],
    ["content_block_delta", "content"],
    ["content_block_stop", "content"],
    ["message_delta", "content"],
    ["message_stop", "end"],
    ["error", "error"],
    ["ping", "aside"],
    ["something_new", "aside"],
  ] as const)("%s is %s", (type, kind) => {
    expect(messagesWire.kind(named(type))).toBe(kind);
    expect(messagesWire.kind(frame(`data: {"type":"${type}"}\r\n\r\n`))).toBe(kind);
    expect(messagesWire.kind(frame(`event: ${type}\n\n`))).toBe("aside");
  });

  test("the name decides, as it does for clients", () => {
    expect(messagesWire.kind(frame('event: ping\ndata: {"type":"message_stop"}\n\n'))).toBe("aside");
    const text = JSON.stringify({
      type: "content_block_delta",
      delta: { text: '"type":"error"\nevent: error' },
    });
    expect(messagesWire.kind(frame(`data: ${text}\n\n`))).toBe("content");
  });
});

test("counts are disjoint already; null ones leave what was known", () => {
  const start = { message: { usage: { input_tokens: 9, cache_read_input_tokens: 4, output_tokens: 1 } } };
  expect(messagesWire.usage(start)).toEqual({ input: 9, cacheRead: 4, output: 1 });
  const delta = {
    usage: { input_tokens: null, output_tokens: 7, output_tokens_details: { thinking_tokens: 2 } },
  };
  expect(messagesWire.usage(delta)).toEqual({ output: 7, reasoning: 2 });
  expect(messagesWire.usage({ type: "ping" })).toBeUndefined();
  expect(messagesWire.mayCount(named("message_delta", delta))).toBe(true);
  expect(messagesWire.mayCount(named("content_block_delta", { delta: { text: '"usage":{}' } }))).toBe(false);
});

test.each([
  ["overloaded_error", 529],
  ["rate_limit_error", 429],
  ["authentication_error", 401],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["invalid_request_error", 400],
  ["request_too_large", 413],
  ["billing_error", 402],
  ["timeout_error", 504],
  ["api_error", 500],
  ["strange_error", undefined],
] as const)("an error event of type %s amounts to %p", (type, status) => {
  const error = { type, message: "m" };
  expect(messagesWire.error({ type: "error", error })).toEqual({
    status,
    type,
    code: undefined,
    message: "m",
    param: undefined,
    raw: error,
  });
});

const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "c",
  content: [
    { type: "thinking", thinking: "", signature: "sig==" },
    { type: "redacted_thinking", data: "xyz" },
    { type: "text", text: "Héllo", citations: [{ type: "char_location", cited_text: "H" }] },
    { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "q" } },
    { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{ encrypted_content: "e" }] },
    {
      type: "tool_use",
      id: "toolu_1",
      name: "f",
      input: { a: [1, { b: null }] },
      caller: { type: "direct" },
    },
    { type: "brand_new", anything: { goes: true } },
  ],
  stop_reason: "tool_use",
  stop_sequence: null,
  usage: { input_tokens: 20, cache_creation: { ephemeral_5m_input_tokens: 5 }, output_tokens: 60 },
};

test("a message unfolds into a stream that folds back into it, unknown blocks included", () => {
  const folder = messagesWire.folder();
  const frames = new SseReader().push(new TextEncoder().encode(messagesWire.unfold(MESSAGE)));
  expect(frames.map((each) => each.name).filter((name) => name.startsWith("message_"))).toEqual([
    "message_start",
    "message_delta",
    "message_stop",
  ]);
  for (const each of frames) {
    expect(folder.answer()).toBeUndefined();
    folder.push(each);
  }
  expect(folder.answer()).toEqual(MESSAGE);
});

test("the folder takes cumulative counts, replaces signatures and needs the true end", () => {
  const folder = messagesWire.folder();
  folder.push(
    named("message_start", {
      message: { id: "m", content: [], usage: { input_tokens: 9, output_tokens: 1 } },
    }),
  );
  folder.push(
    named("content_block_start", {
      index: 0,
      content_block: { type: "thinking", thinking: "", signature: "" },
    }),
  );
  folder.push(named("content_block_delta", { index: 0, delta: { type: "signature_delta", signature: "a" } }));
  folder.push(named("content_block_delta", { index: 0, delta: { type: "signature_delta", signature: "b" } }));
  folder.push(named("ping"));
  folder.push(
    named("message_delta", {
      delta: { stop_reason: "end_turn" },
      usage: { input_tokens: null, output_tokens: 7 },
    }),
  );
  expect(folder.answer()).toBeUndefined();
  folder.push(named("message_stop"));
  expect(folder.answer()).toEqual({
    id: "m",
    content: [{ type: "thinking", thinking: "", signature: "b" }],
    stop_reason: "end_turn",
    usage: { input_tokens: 9, output_tokens: 7 },
  });
});

test("the folder has no answer when tool input was cut off or the stream failed", () => {
  const cut = messagesWire.folder();
  cut.push(named("message_start", { message: { id: "m" } }));
  cut.push(named("content_block_start", { index: 0, content_block: { type: "tool_use", input: {} } }));
  cut.push(
    named("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json: '{"a":' } }),
  );
  cut.push(named("message_stop"));
  expect(cut.answer()).toBeUndefined();
  const failed = messagesWire.folder();
  failed.push(named("message_start", { message: { id: "m" } }));
  failed.push(named("error", { error: { type: "api_error" } }));
  failed.push(named("message_stop"));
  expect(failed.answer()).toBeUndefined();
});
