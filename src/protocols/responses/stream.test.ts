import { describe, expect, test } from "bun:test";
import type { StreamEvent } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { SseFrame, SseReader } from "../../core/sse.ts";
import { responsesTranslator } from "./translator.ts";

const CONTEXT = { model: "m", createdAt: 1, requestId: "req1" };

function decode(events: readonly JsonObject[]): StreamEvent[] {
  const decoder = responsesTranslator.decoder();
  const frames = events.map(
    (event) => new SseFrame(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`)),
  );
  return [...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

const CREATED = { type: "response.created", response: { id: "resp_1", model: "x" } };
const USAGE = { input_tokens: 5, output_tokens: 2 };
const COMPLETED = {
  type: "response.completed",
  response: { output: [], usage: USAGE, service_tier: "flex" },
};

function item(output_index: number, value: JsonObject): JsonObject {
  return { type: "response.output_item.done", output_index, item: value };
}

describe("decoding", () => {
  const message = {
    type: "message",
    role: "assistant",
    phase: "commentary",
    content: [
      {
        type: "output_text",
        text: "Hi",
        annotations: [{ type: "url_citation", url: "u", title: "t", start_index: 0, end_index: 2 }],
      },
      { type: "refusal", refusal: "No." },
    ],
  };
  const blocks: StreamEvent[] = [
    { type: "block_open", block: { type: "text", phase: "commentary" } },
    { type: "delta", text: "Hi" },
    { type: "annotation", annotation: { type: "url", url: "u", title: "t", start: 0, end: 2 } },
    { type: "block_close", whole: true },
    { type: "block_open", block: { type: "refusal" } },
    { type: "delta", text: "No." },
    { type: "block_close", whole: true },
  ];
  const end: StreamEvent = {
    type: "end",
    stop: { reason: "done", word: "completed" },
    usage: { input: 5, cacheRead: 0, cacheWrite: 0, output: 2, reasoning: 0 },
    tier: "flex",
  };
  const start: StreamEvent = { type: "start", id: "resp_1", model: "x" };

  test("items told only when they are done, or only in the last event", () => {
    expect(decode([CREATED, item(0, message), COMPLETED])).toEqual([start, ...blocks, end]);
    const response = { ...COMPLETED.response, output: [message] };
    expect(decode([CREATED, { type: "response.completed", response }])).toEqual([start, ...blocks, end]);
  });

  test("a done event adds only what the deltas before it left out", () => {
    const place = { item_id: "i", output_index: 0, content_index: 0 };
    const events = decode([
      CREATED,
      { type: "response.output_text.delta", ...place, delta: "H" },
      { type: "response.output_text.done", ...place, text: "Hi" },
      { type: "response.content_part.done", ...place, part: { type: "output_text", text: "Hi" } },
      item(0, { type: "message", content: [{ type: "output_text", text: "Hi" }] }),
      COMPLETED,
    ]);
    expect(events.flatMap((event) => (event.type === "delta" ? [event.text] : []))).toEqual(["H", "i"]);
    expect(events.filter((event) => event.type === "block_close")).toHaveLength(1);
  });

  test("items that overlap leave one after the other", () => {
    const call = (at: number): JsonObject => ({
      type: "response.output_item.added",
      output_index: at,
      item: { type: "function_call", call_id: `c${at}`, name: "f" },
    });
    const piece = (at: number, delta: string): JsonObject => ({
      type: "response.function_call_arguments.delta",
      output_index: at,
      delta,
    });
    const done = (at: number): JsonObject =>
      item(at, { type: "function_call", call_id: `c${at}`, arguments: "{}" });
    const events = decode([
      call(0),
      call(1),
      piece(1, "{"),
      piece(0, "{}"),
      piece(1, "}"),
      done(1),
      done(0),
      COMPLETED,
    ]);
    const story = events.map((event) => {
      if (event.type === "block_open" && event.block.type === "call") return event.block.id;
      return event.type === "delta" ? event.text : event.type;
    });
    expect(story).toEqual(["start", "c0", "{}", "block_close", "c1", "{", "}", "block_close", "end"]);
  });

  test("reasoning keeps its parts and its seal; a seal alone is kept, too", () => {
    const reasoning = {
      type: "reasoning",
      summary: [
        { type: "summary_text", text: "a" },
        { type: "summary_text", text: "b" },
      ],
      encrypted_content: "gAAA",
    };
    const seal: StreamEvent = {
      type: "seal",
      seal: { protocol: "responses", kind: "encrypted", data: "gAAA" },
    };
    const open: StreamEvent = { type: "block_open", block: { type: "reasoning" } };
    const close: StreamEvent = { type: "block_close", whole: true };
    expect(decode([item(0, reasoning), COMPLETED]).slice(1, -1)).toEqual([
      open,
      { type: "delta", text: "a" },
      { type: "part" },
      { type: "delta", text: "b" },
      seal,
      close,
    ]);
    expect(decode([item(0, { ...reasoning, summary: [] }), COMPLETED]).slice(1, -1)).toEqual([
      open,
      seal,
      close,
    ]);
    expect(decode([item(0, { type: "reasoning", summary: [] }), COMPLETED])).toHaveLength(2);
  });

  test("what the provider did by itself passes as its own, and unknown events say nothing", () => {
    const search = { type: "web_search_call", id: "ws_1", status: "completed" };
    const events = decode([
      { type: "codex.rate_limits", plan: "plus" },
      CREATED,
      { type: "response.web_search_call.searching", output_index: 0 },
      item(0, search),
      { type: "response.brand_new", delta: "x" },
      COMPLETED,
    ]);
    expect(events).toEqual([
      start,
      { type: "native", native: { protocol: "responses", value: search } },
      end,
    ]);
  });

  test.each<[string, JsonObject[]]>([
    ["no terminal event", [CREATED, item(0, message)]],
    [
      "a failure",
      [CREATED, { type: "response.failed", response: { error: { code: "server_error", message: "m" } } }],
    ],
    ["an error event", [CREATED, { type: "error", code: "server_error", message: "m" }, COMPLETED]],
    [
      "half a call",
      [item(0, { type: "function_call", call_id: "c", name: "f", arguments: '{"a' }), COMPLETED],
    ],
  ])("%s is no success", (_, events) => {
    const decoded = decode(events);
    expect(decoded.at(-1)?.type).toBe("error");
    expect(decoded.some((event) => event.type === "end")).toBe(false);
  });
});

describe("encoding", () => {
  function encode(events: readonly StreamEvent[], members: JsonObject = {}): JsonObject[] {
    const prompt = responsesTranslator.decodeRequest({ model: "m", input: "x", ...members });
    const encoder = responsesTranslator.encoder(prompt, CONTEXT);
    const text = events.map((event) => encoder.push(event)).join("");
    return new SseReader().push(new TextEncoder().encode(text)).map((frame) => {
      const event = JSON.parse(frame.data ?? "null");
      expect(frame.name).toBe(event.type);
      return event;
    });
  }

  const START: StreamEvent = { type: "start", id: "chatcmpl-up", model: "x" };
  const END: StreamEvent = { type: "end", stop: { reason: "done" }, usage: undefined };
  const call = (name: string, input: string): StreamEvent[] => [
    { type: "block_open", block: { type: "call", kind: "function", id: "c1", name } },
    { type: "delta", text: input },
    { type: "block_close", whole: true },
  ];

  test.each([
    [
      { type: "local_shell" },
      "local_shell",
      '{"command":["ls"],"timeout_ms":5}',
      { type: "local_shell_call", action: { type: "exec", env: {}, command: ["ls"], timeout_ms: 5 } },
    ],
    [
      { type: "shell", environment: { type: "local" } },
      "shell",
      '{"commands":["ls"]}',
      { type: "shell_call", action: { commands: ["ls"], timeout_ms: null, max_output_length: null } },
    ],
    [
      { type: "apply_patch" },
      "apply_patch",
      '{"type":"delete_file","path":"a"}',
      { type: "apply_patch_call", operation: { type: "delete_file", path: "a" } },
    ],
    [
      { type: "tool_search", execution: "client" },
      "tool_search",
      '{"query":"q"}',
      { type: "tool_search_call", execution: "client", arguments: { query: "q" } },
    ],
  ] as const)("a call of %j goes back as the item the client knows", (tool, name, input, wanted) => {
    const events = encode([START, ...call(name, input), END], { tools: [tool] });
    const done = events.find((event) => event["type"] === "response.output_item.done");
    expect(done).toMatchObject({ item: { ...wanted, call_id: "c1", status: "completed" } });
    expect(JSON.stringify(events)).not.toContain("function_call");
    // The item as history is the same call again.
    const again = responsesTranslator.decodeRequest({
      model: "m",
      input: [done?.["item"] ?? null],
      tools: [tool],
    });
    expect(again.items).toMatchObject([{ type: "call", id: "c1", name }]);
    const [item] = again.items;
    expect(item?.type === "call" && JSON.parse(item.input)).toMatchObject(JSON.parse(input));
  });

  test("the response repeats the request, with defaults for what it left out", () => {
    const tools = [{ type: "function", name: "f" }];
    const members = {
      tools,
      temperature: 0.5,
      store: true,
      metadata: { a: "b" },
      text: { verbosity: "low" },
    };
    const [created] = encode([START], members);
    expect(created?.["response"]).toMatchObject({
      id: "resp_up",
      object: "response",
      created_at: 1,
      model: "m",
      status: "in_progress",
      temperature: 0.5,
      top_p: 1,
      store: false,
      metadata: { a: "b" },
      text: { format: { type: "text" }, verbosity: "low" },
      tools: [{ type: "function", name: "f", description: null, parameters: null, strict: null }],
      tool_choice: "auto",
      parallel_tool_calls: true,
      truncation: "disabled",
      instructions: null,
    });
  });

  test("an answer without an id takes the request's, and sequence numbers rise by one", () => {
    const events = encode([{ type: "start", id: "", model: "x" }, ...call("f", "{}"), END]);
    expect(events[0]).toMatchObject({ response: { id: "resp_req1" } });
    expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_, at) => at));
  });

  test("a refusal is a part of its own kind, and log probabilities stay with their text", () => {
    const token = { token: "a", logprob: -1, bytes: null };
    const events = encode([
      START,
      { type: "block_open", block: { type: "text" } },
      { type: "delta", text: "a", logprobs: [token] },
      { type: "block_close", whole: true },
      { type: "block_open", block: { type: "refusal" } },
      { type: "delta", text: "No." },
      { type: "block_close", whole: true },
      END,
    ]);
    const whole = { token: "a", logprob: -1, bytes: [], top_logprobs: [] };
    expect(events.at(-1)).toMatchObject({
      response: {
        output: [
          { content: [{ type: "output_text", text: "a", logprobs: [whole] }] },
          { content: [{ type: "refusal", refusal: "No." }] },
        ],
      },
    });
    expect(events.some((event) => event["type"] === "response.refusal.done")).toBe(true);
  });

  test("a failure keeps the response's id and what was done before it", () => {
    const error = {
      status: 400,
      type: "invalid_request_error",
      code: "context_length_exceeded",
      message: "m",
    };
    const events = encode([
      START,
      ...call("f", "{}"),
      { type: "error", error: { ...error, param: undefined } },
    ]);
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: {
        id: "resp_up",
        status: "failed",
        error: { code: "context_length_exceeded", message: "m" },
        output: [{ type: "function_call" }],
      },
    });
  });

  test("tools loaded in the conversation are tools, once each", () => {
    const loaded = { type: "function", name: "f", parameters: { type: "object" } };
    const prompt = responsesTranslator.decodeRequest({
      model: "m",
      tools: [{ type: "tool_search", execution: "client" }],
      input: [
        { type: "additional_tools", role: "developer", tools: [loaded] },
        { type: "tool_search_call", call_id: "s", execution: "client", arguments: { query: "q" } },
        { type: "tool_search_output", call_id: "s", execution: "client", tools: [loaded] },
      ],
    });
    expect(prompt.tools.map((tool) => tool.kind === "function" && tool.name)).toEqual(["tool_search", "f"]);
    expect(prompt.items.map((item) => item.type)).toEqual(["call", "result"]);
  });
});
