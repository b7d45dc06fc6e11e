// Streams, answers and requests whose text the test chooses, in the grammar of each protocol.
import type { JsonObject } from "./json-pick.ts";
import type { Protocol } from "./oracle.ts";
import { MODELS } from "./samples.ts";
import { writeSse, type SseItem } from "./sse-text.ts";

export interface Making {
  readonly id?: string;
  readonly model?: string;
  /** Whether a chat stream ends with the usage chunk; as if `include_usage` had been asked for. */
  readonly usage?: boolean;
}

/** The parts of a text stream, for tests that stop in between. */
export interface TextFrames {
  /** Names the upstream message; a gateway may hold it back. */
  readonly start: readonly SseItem[];
  /** Opens the text; counts as content. */
  readonly open: readonly SseItem[];
  delta(text: string): SseItem;
  close(text: string): readonly SseItem[];
}

export interface ErrorWords {
  readonly type?: string;
  readonly code?: string;
  readonly message?: string;
}

const CREATED = 1_790_000_000;

/** A whole successful stream that says these pieces of text. */
export function textStream(protocol: Protocol, pieces: readonly string[], making: Making = {}): Buffer {
  const frames = textFrames(protocol, making);
  const text = pieces.join("");
  return writeSse([
    ...frames.start,
    ...frames.open,
    ...pieces.map((piece) => frames.delta(piece)),
    ...frames.close(text),
  ]);
}

export function textFrames(protocol: Protocol, making: Making = {}): TextFrames {
  const model = making.model ?? MODELS[protocol];
  if (protocol === "messages") return messagesFrames(making.id ?? "msg_made_1", model);
  return protocol === "responses"
    ? responsesFrames(making.id ?? "resp_made_1", model)
    : chatFrames(making.id ?? "chatcmpl-made-1", model, making.usage ?? true);
}

/** A whole answer without a stream. */
export function textAnswer(protocol: Protocol, text: string, making: Making = {}): JsonObject {
  const model = making.model ?? MODELS[protocol];
  if (protocol === "messages") {
    const content = [{ type: "text", text }];
    const usage = { input_tokens: 10, output_tokens: 5 };
    return {
      id: making.id ?? "msg_made_1",
      type: "message",
      role: "assistant",
      model,
      content,
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    };
  }
  if (protocol === "responses") return finishedResponse(making.id ?? "resp_made_1", model, text);
  const choice = {
    index: 0,
    message: { role: "assistant", content: text, refusal: null },
    logprobs: null,
    finish_reason: "stop",
  };
  return {
    id: making.id ?? "chatcmpl-made-1",
    object: "chat.completion",
    created: CREATED,
    model,
    choices: [choice],
    usage: chatUsage(),
  };
}

/** The event with which a provider says inside a stream that it has failed. */
export function errorItems(protocol: Protocol, words: ErrorWords = {}): readonly SseItem[] {
  const message = words.message ?? "The server had an error while processing your request.";
  if (protocol === "messages") {
    const error = { type: words.type ?? "api_error", message };
    return [named({ type: "error", error, request_id: "req_made_1" })];
  }
  const code = words.code ?? "server_error";
  if (protocol === "chat")
    return [{ data: { error: { message, type: words.type ?? "server_error", param: null, code } } }];
  const failed = { ...responseObject("resp_made_1", MODELS.responses, "failed"), error: { code, message } };
  return [named({ type: "response.failed", sequence_number: 100_000, response: failed })];
}

/** The smallest sensible request; `extra` goes into the body. */
export function ask(
  protocol: Protocol,
  options: {
    readonly stream: boolean;
    readonly text?: string;
    readonly model?: string;
    readonly extra?: JsonObject;
  },
): JsonObject {
  const model = options.model ?? MODELS[protocol];
  const text = options.text ?? "Say hello.";
  const messages = [{ role: "user", content: text }];
  if (protocol === "messages")
    return { model, max_tokens: 64, messages, stream: options.stream, ...options.extra };
  if (protocol === "chat") return { model, messages, stream: options.stream, ...options.extra };
  return { model, input: text, stream: options.stream, store: false, ...options.extra };
}

function named(data: JsonObject & { readonly type: string }): SseItem {
  return { event: data.type, data };
}

function messagesFrames(id: string, model: string): TextFrames {
  const usage = {
    input_tokens: 10,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 1,
  };
  const message = {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  return {
    start: [named({ type: "message_start", message })],
    open: [named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } })],
    delta: (text) => named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
    close: () => [
      named({ type: "content_block_stop", index: 0 }),
      named({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 5 },
      }),
      named({ type: "message_stop" }),
    ],
  };
}

function responsesFrames(id: string, model: string): TextFrames {
  let sequence = 0;
  const next = (type: string, fields: JsonObject): SseItem =>
    named({ type, sequence_number: sequence++, ...fields });
  const place = { item_id: "msg_made_item", output_index: 0, content_index: 0 };
  const running = responseObject(id, model, "in_progress");
  const item = {
    id: "msg_made_item",
    type: "message",
    status: "in_progress",
    role: "assistant",
    content: [],
  };
  return {
    start: [
      next("response.created", { response: running }),
      next("response.in_progress", { response: running }),
    ],
    open: [
      next("response.output_item.added", { output_index: 0, item }),
      next("response.content_part.added", {
        ...place,
        part: { type: "output_text", text: "", annotations: [], logprobs: [] },
      }),
    ],
    delta: (text) => next("response.output_text.delta", { ...place, delta: text, logprobs: [] }),
    close: (text) => [
      next("response.output_text.done", { ...place, text, logprobs: [] }),
      next("response.content_part.done", {
        ...place,
        part: { type: "output_text", text, annotations: [], logprobs: [] },
      }),
      next("response.output_item.done", { output_index: 0, item: messageItem(text) }),
      next("response.completed", { response: finishedResponse(id, model, text) }),
    ],
  };
}

function chatFrames(id: string, model: string, usage: boolean): TextFrames {
  const nothing = usage ? { usage: null } : {};
  const chunk = (delta: JsonObject, finish: string | null): SseItem => {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return {
      data: { id, object: "chat.completion.chunk", created: CREATED, model, choices: [choice], ...nothing },
    };
  };
  const last = {
    data: { id, object: "chat.completion.chunk", created: CREATED, model, choices: [], usage: chatUsage() },
  };
  return {
    start: [chunk({ role: "assistant", content: "", refusal: null }, null)],
    open: [],
    delta: (text) => chunk({ content: text }, null),
    close: () => [chunk({}, "stop"), ...(usage ? [last] : []), { data: "[DONE]" }],
  };
}

function messageItem(text: string): JsonObject {
  return {
    id: "msg_made_item",
    type: "message",
    status: "completed",
    role: "assistant",
    content: [{ type: "output_text", text, annotations: [], logprobs: [] }],
  };
}

function responseObject(id: string, model: string, status: string): JsonObject {
  const fixed = {
    error: null,
    incomplete_details: null,
    parallel_tool_calls: true,
    store: false,
    tool_choice: "auto",
    tools: [],
  };
  return { id, object: "response", created_at: CREATED, status, model, output: [], usage: null, ...fixed };
}

function finishedResponse(id: string, model: string, text: string): JsonObject {
  return { ...responseObject(id, model, "completed"), output: [messageItem(text)], usage: responsesUsage() };
}

function responsesUsage(): JsonObject {
  return {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 15,
  };
}

function chatUsage(): JsonObject {
  const details = {
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
  return { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, ...details };
}
