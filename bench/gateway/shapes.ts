// What travels in the benchmark: requests and answers as real clients and providers write them. The word
// after "bench-" in the model's name tells the mock upstream how to answer, whoever forwarded the request.

export type Wire = "messages" | "responses" | "chat";

/** `whole` one JSON answer; `burst` all events at once; `paced` one event each 2 ms; `held` one event a second, for ever. */
export const MODES = ["whole", "burst", "paced", "held"] as const;
export type Mode = (typeof MODES)[number];

export interface Request {
  readonly wire: Wire;
  /** Whose model is asked for: an Anthropic or an OpenAI account answers. */
  readonly family: "claude" | "gpt";
  readonly mode: Mode;
  /** Length of the body in bytes, at least a few hundred. */
  readonly bytes: number;
}

export const STREAM_EVENTS = 200;
export const WHOLE_ANSWER_BYTES = 2048;

const PATHS: Readonly<Record<Wire, string>> = {
  messages: "/v1/messages",
  responses: "/v1/responses",
  chat: "/v1/chat/completions",
};

/** What a finished stream must contain in its last bytes. */
export const STREAM_ENDS: Readonly<Record<Wire, string>> = {
  messages: "message_stop",
  // Of the usage: the terminal event repeats the whole answer, so its name stands far from the end.
  responses: '"total_tokens":892',
  chat: "[DONE]",
};

const PROSE =
  "The gateway keeps its promise: bytes pass as they came, and the account that answers is named. ";

function prose(length: number): string {
  return PROSE.repeat(Math.ceil(Math.max(length, 1) / PROSE.length)).slice(0, Math.max(length, 0));
}

function clientHeaders(wire: Wire, key: string): readonly string[] {
  const common = [
    "accept: application/json",
    "content-type: application/json",
    "user-agent: bench/1.0",
    "accept-encoding: gzip, deflate, br",
    "x-stainless-lang: js",
    "x-stainless-package-version: 1.12.0",
    "x-stainless-os: Linux",
    "x-stainless-arch: x64",
    "x-stainless-runtime: node",
    "x-stainless-runtime-version: v22.11.0",
    "x-stainless-retry-count: 0",
    "x-stainless-timeout: 600",
  ];
  if (wire !== "messages") return [...common, `authorization: Bearer ${key}`];
  return [
    ...common,
    `x-api-key: ${key}`,
    "anthropic-version: 2023-06-01",
    "anthropic-beta: interleaved-thinking-2025-05-14",
  ];
}

/** A complete HTTP/1.1 request. */
export function renderRequest(request: Request, key: string, port: number): Buffer {
  const body = requestBody(request);
  const head = [
    `POST ${PATHS[request.wire]} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    ...clientHeaders(request.wire, key),
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function requestBody(request: Request): string {
  const empty = JSON.stringify(requestJson(request, []));
  const turns = turnsOf(request.bytes - empty.length);
  return JSON.stringify(requestJson(request, turns));
}

/** A conversation of alternating turns of up to 4 KB each. */
function turnsOf(bytes: number): readonly { role: string; content: string }[] {
  const overhead = 34;
  const count = Math.max(1, Math.ceil(bytes / 4096)) | 1;
  const share = Math.floor(bytes / count) - overhead;
  return Array.from({ length: count }, (_, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: prose(share).trimEnd(),
  }));
}

function requestJson(request: Request, turns: readonly object[]): object {
  const model = `${request.family}-bench-${request.mode}`;
  const stream = request.mode !== "whole";
  if (request.wire === "responses") return { model, stream, store: false, input: turns };
  if (request.wire === "chat")
    return { model, stream, ...(stream ? { stream_options: { include_usage: true } } : {}), messages: turns };
  return {
    model,
    max_tokens: 4096,
    stream,
    system: [{ type: "text", text: "You are brief." }],
    messages: turns,
  };
}

/** A whole answer of WHOLE_ANSWER_BYTES, as JSON text. */
export function wholeAnswer(wire: Wire): string {
  const short = wholeJson(wire, "");
  return wholeJson(wire, prose(WHOLE_ANSWER_BYTES - short.length));
}

function wholeJson(wire: Wire, text: string): string {
  if (wire === "responses")
    return JSON.stringify(response("completed", [messageItem("completed", text)], RESPONSES_USAGE));
  if (wire === "chat") {
    const choices = [
      { index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" },
    ];
    return JSON.stringify({
      id: "chatcmpl-bench",
      object: "chat.completion",
      created: 1_790_000_000,
      model: "gpt-bench",
      choices,
      usage: CHAT_USAGE,
    });
  }
  const usage = { ...MESSAGES_USAGE, output_tokens: 400 };
  return JSON.stringify({ ...MESSAGE, content: [{ type: "text", text }], stop_reason: "end_turn", usage });
}

const MESSAGES_USAGE = {
  input_tokens: 12,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 480,
  output_tokens: 1,
};
const CHAT_USAGE = {
  prompt_tokens: 492,
  completion_tokens: 400,
  total_tokens: 892,
  prompt_tokens_details: { cached_tokens: 480 },
};
const RESPONSES_USAGE = {
  input_tokens: 492,
  input_tokens_details: { cached_tokens: 480 },
  output_tokens: 400,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 892,
};
const MESSAGE = {
  id: "msg_01BenchBenchBenchBench",
  type: "message",
  role: "assistant",
  model: "claude-bench",
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: MESSAGES_USAGE,
};

function response(status: string, output: readonly object[], usage: object | null): object {
  const echo = {
    model: "gpt-bench",
    parallel_tool_calls: true,
    store: false,
    tool_choice: "auto",
    tools: [],
  };
  return {
    id: "resp_bench",
    object: "response",
    created_at: 1_790_000_000,
    status,
    error: null,
    incomplete_details: null,
    ...echo,
    output,
    usage,
  };
}

function messageItem(status: string, text: string): object {
  const content = text === "" ? [] : [{ type: "output_text", text, annotations: [], logprobs: [] }];
  return { id: "msg_bench", type: "message", status, role: "assistant", content };
}

export interface StreamShape {
  /** Leaves with the head. */
  readonly opening: string;
  readonly event: (index: number) => string;
  /** Leaves with the last event. */
  readonly closing: string;
}

function frame(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

/** About four tokens, as long as a provider's usual delta. */
function deltaText(index: number): string {
  return `${PROSE.slice((index * 7) % 60, ((index * 7) % 60) + 18)} `;
}

export function streamShape(wire: Wire): StreamShape {
  if (wire === "messages") return messagesStream();
  if (wire === "responses") return responsesStream();
  return chatStream();
}

function messagesStream(): StreamShape {
  const index = 0;
  const start = frame("message_start", { message: MESSAGE });
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  return {
    opening:
      start +
      frame("content_block_start", { index, content_block: { type: "text", text: "" } }) +
      frame("ping", {}),
    event: (at) =>
      frame("content_block_delta", { index, delta: { type: "text_delta", text: deltaText(at) } }),
    closing:
      frame("content_block_stop", { index }) +
      frame("message_delta", { delta, usage: { output_tokens: 400 } }) +
      frame("message_stop", {}),
  };
}

function responsesStream(): StreamShape {
  const at = { item_id: "msg_bench", output_index: 0, content_index: 0 };
  const text = Array.from({ length: STREAM_EVENTS }, (_, index) => deltaText(index)).join("");
  const part = (value: string): object => ({
    type: "output_text",
    text: value,
    annotations: [],
    logprobs: [],
  });
  const opening = [
    frame("response.created", { response: response("in_progress", [], null), sequence_number: 0 }),
    frame("response.in_progress", { response: response("in_progress", [], null), sequence_number: 1 }),
    frame("response.output_item.added", {
      output_index: 0,
      item: messageItem("in_progress", ""),
      sequence_number: 2,
    }),
    frame("response.content_part.added", { ...at, part: part(""), sequence_number: 3 }),
  ];
  const last = STREAM_EVENTS + 4;
  const closing = [
    frame("response.output_text.done", { ...at, text, logprobs: [], sequence_number: last }),
    frame("response.content_part.done", { ...at, part: part(text), sequence_number: last + 1 }),
    frame("response.output_item.done", {
      output_index: 0,
      item: messageItem("completed", text),
      sequence_number: last + 2,
    }),
    frame("response.completed", {
      response: response("completed", [messageItem("completed", text)], RESPONSES_USAGE),
      sequence_number: last + 3,
    }),
  ];
  return {
    opening: opening.join(""),
    event: (index) =>
      frame("response.output_text.delta", {
        ...at,
        delta: deltaText(index),
        logprobs: [],
        sequence_number: index + 4,
      }),
    closing: closing.join(""),
  };
}

function chatStream(): StreamShape {
  const base = {
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "gpt-bench",
  };
  const chunk = (delta: object, finish_reason: string | null): string =>
    `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason }], usage: null })}\n\n`;
  return {
    opening: chunk({ role: "assistant", content: "" }, null),
    event: (index) => chunk({ content: deltaText(index) }, null),
    closing: `${chunk({}, "stop")}data: ${JSON.stringify({ ...base, choices: [], usage: CHAT_USAGE })}\n\ndata: [DONE]\n\n`,
  };
}
