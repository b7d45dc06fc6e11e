import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { faultOf, GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { SseFrame, SseReader } from "../../core/sse.ts";
import { responsesWire } from "./wire.ts";

function frame(text: string): SseFrame {
  return new SseFrame(new TextEncoder().encode(text));
}

function named(type: string, members: JsonObject = {}): SseFrame {
  return frame(`event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`);
}

describe("kind", () => {
  test.each([
    ["response.created", "prelude"],
    ["response.in_progress", "prelude"],
    ["response.queued", "prelude"],
    ["response.output_item.added", "content"],
    ["response.output_text.delta", "content"],
    ["response.something.new", "content"],
    ["response.completed", "end"],
    ["response.incomplete", "end"],
    ["response.failed", "error"],
    ["error", "error"],
    ["keepalive", "aside"],
    ["codex.rate_limits", "aside"],
    ["", "aside"],
  ] as const)("%s is %s, by its name or by its type", (type, kind) => {
    const text = `data: ${JSON.stringify({ type, a: 1 })}\n\n`;
    expect(responsesWire.kind(frame(text))).toBe(kind);
    expect(responsesWire.kind(frame(`event: ${type}\n${text}`))).toBe(kind);
    expect(responsesWire.kind(frame(`event:${type}\r\n${text.replaceAll("\n", "\r\n")}`))).toBe(kind);
    expect(responsesWire.kind(frame(`: note\nevent: ${type}\n${text}`))).toBe(kind);
    expect(responsesWire.kind(frame(`event: message\ndata: ${JSON.stringify({ a: 1, type })}\n\n`))).toBe(
      kind,
    );
  });

  test("a frame without data is nothing, whatever its name", () => {
    expect(responsesWire.kind(frame("event: response.completed\n\n"))).toBe("aside");
    expect(responsesWire.kind(frame(": response.completed\n\n"))).toBe("aside");
  });

  test("the last of several names counts, and text changes nothing", () => {
    const twice = 'event: response.completed\nevent: response.created\ndata: {"x":1}\n\n';
    expect(responsesWire.kind(frame(twice))).toBe("prelude");
    const behind = 'event: response.created\ndata: {"x":1}\nevent: response.completed\n\n';
    expect(responsesWire.kind(frame(behind))).toBe("end");
    const carriage = 'event: response.created\ndata: {"x":1}\revent: response.completed\n\n';
    expect(responsesWire.kind(frame(carriage))).toBe("end");
    const escaped = 'data: {"type":"response.complete\\u0064"}\n\n';
    expect(responsesWire.kind(frame(escaped))).toBe("end");
    fc.assert(
      fc.property(fc.string(), (text) => {
        const delta = `${text}","type":"response.completed"\nevent: error\n`;
        expect(
          responsesWire.kind(frame(`data: ${JSON.stringify({ delta, type: "response.x.delta" })}\n\n`)),
        ).toBe("content");
      }),
    );
  });
});

test("usage and id are read from the event's response and from a whole answer", () => {
  const usage = { input_tokens: 125, input_tokens_details: { cached_tokens: 100 }, output_tokens: 6 };
  const buckets = { input: 25, cacheRead: 100, cacheWrite: 0, output: 6 };
  const response = { id: "resp_1", object: "response", usage };
  expect(responsesWire.usage({ type: "response.completed", response })).toEqual(buckets);
  expect(responsesWire.usage(response)).toEqual(buckets);
  expect(responsesWire.responseId({ response })).toBe("resp_1");
  expect(responsesWire.responseId(response)).toBe("resp_1");
  expect(responsesWire.responseId({ id: "item_1" })).toBeUndefined();
  expect(responsesWire.mayCount(named("response.completed", { response }))).toBe(true);
  expect(responsesWire.mayCount(named("response.created", { response: { usage: null } }))).toBe(false);
});

test("an item whose id is no text is unfolded without one", () => {
  const content = [{ type: "output_text", text: "x" }];
  const item = { type: "message", role: "assistant", id: { toString: 1 }, content };
  const text = responsesWire.unfold({
    id: "resp_1",
    object: "response",
    status: "completed",
    output: [item],
  });
  expect(text).toContain('"item_id":"","output_index":0,"content_index":0,"delta":"x"');
});

describe("error", () => {
  test.each([
    [{ error: { message: "m", type: "tokens", param: null, code: "rate_limit_exceeded" } }, 429, "tokens"],
    [{ type: "error", code: "server_is_overloaded", message: "m", param: null }, 503, "server_is_overloaded"],
    [
      { type: "error", status: 429, error: { type: "usage_limit_reached", message: "m" } },
      429,
      "usage_limit_reached",
    ],
    [
      { type: "response.failed", response: { error: { code: "server_error", message: "m" } } },
      500,
      "server_error",
    ],
    [{ type: "response.failed", response: { error: { code: "slow_down", message: "m" } } }, 503, "slow_down"],
    [
      { error: { message: "m", type: "invalid_request_error", code: "context_length_exceeded" } },
      400,
      "invalid_request_error",
    ],
    [
      { error: { message: "m", type: "insufficient_quota", code: "insufficient_quota" } },
      429,
      "insufficient_quota",
    ],
    [{ error: { message: "m", code: 502 } }, 502, "api_error"],
    [{ error: { message: "m", type: "martian" } }, undefined, "martian"],
    [{ detail: "m" }, undefined, "api_error"],
    [{ error: "m" }, undefined, "api_error"],
  ] as const)("case %#: %j", (data, status, type) => {
    expect(responsesWire.error(data)).toMatchObject({ status, type, message: "m" });
  });

  test("a list of details is told as it stands", () => {
    const detail = [{ loc: ["body", "x"], msg: "field required" }];
    expect(responsesWire.error({ detail })?.message).toContain("field required");
  });

  test("an answer is none", () => {
    expect(responsesWire.error({ object: "response", error: null, output: [] })).toBeUndefined();
    expect(responsesWire.error({ type: "response.created", response: { error: null } })).toBeUndefined();
  });
});

describe("errorEvent", () => {
  function told(error: GatewayError): unknown {
    const [event] = new SseReader().push(
      new TextEncoder().encode(responsesWire.errorEvent(faultOf(error, "openai"), "req1")),
    );
    expect(event?.name).toBe("response.failed");
    return JSON.parse(event?.data ?? "null");
  }

  test("uses codes that clients know and keeps the gateway's own words in the message", () => {
    expect(told(new GatewayError("upstream_cut", "it broke"))).toMatchObject({
      type: "response.failed",
      response: {
        id: "resp_req1",
        status: "failed",
        error: { code: "server_error", message: "gateway_upstream_cut: it broke" },
      },
    });
  });

  test("says when to come back in the words that Codex reads", () => {
    const error = new GatewayError("pool_cooling", "all are resting.", { retryAfterMs: 11_050 });
    expect(told(error)).toMatchObject({
      response: {
        error: {
          code: "rate_limit_exceeded",
          message: "gateway_pool_cooling: all are resting. Please try again in 12s.",
        },
      },
    });
  });

  test("never says overloaded, which Codex takes as final", () => {
    const fault = {
      status: 503,
      type: "server_error",
      code: "server_is_overloaded",
      message: "m",
      param: null,
    };
    const text = responsesWire.errorEvent({ ...fault, retryAfterMs: undefined, retry: undefined }, "r");
    expect(text).toContain('"code":"server_error"');
  });
});

test("the folder rebuilds an empty output from the finished items, in their order", () => {
  const folder = responsesWire.folder();
  folder.push(named("response.output_item.done", { output_index: 1, item: { type: "b", more: 1 } }));
  folder.push(named("response.output_item.done", { output_index: 0, item: { type: "a" } }));
  expect(folder.answer()).toBeUndefined();
  folder.push(named("response.completed", { response: { id: "resp_1", output: [], extra: true } }));
  expect(folder.answer()).toEqual({
    id: "resp_1",
    output: [{ type: "a" }, { type: "b", more: 1 }],
    extra: true,
  });
  folder.push(named("response.failed", {}));
  expect(folder.answer()).toBeUndefined();
});
