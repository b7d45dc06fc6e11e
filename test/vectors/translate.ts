// Drives the codecs the way the gateway does: requests, whole answers, streams.

import type { Protocol } from "../../src/core/account.ts";
import { faultOf, GatewayError } from "../../src/core/errors.ts";
import type { StreamEvent } from "../../src/core/hub.ts";
import { createEnvelopes } from "../../src/core/envelope.ts";
import {
  arrayAt,
  objectAt,
  parseObject,
  scanObject,
  stringAt,
  type JsonObject,
} from "../../src/core/json.ts";
import { enclosing, opened, reasoningFor } from "../../src/core/reasoning.ts";
import type { EncodeContext, Translator } from "../../src/core/ports.ts";
import { SseReader } from "../../src/core/sse.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { forBackend } from "../../src/providers/chatgpt/body.ts";
import { messagesTranslator } from "../../src/protocols/messages/translator.ts";

export const ENVELOPES = createEnvelopes(() => [new Uint8Array(32).fill(1)]);
/** The account that answers, and the one that is asked. */
const ISSUER = "account1";

export const CONTEXT: EncodeContext = { model: "m", createdAt: 1790000000, requestId: "req1" };

export function translator(protocol: Protocol): Translator {
  if (protocol === "messages") return messagesTranslator;
  const found = CODECS[protocol].translator;
  if (found === undefined) throw new Error(`${protocol} has no translator`);
  return found;
}

/** JSON as it arrives: without unset members. */
export function asSent<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

export function translateRequest(
  from: Protocol,
  to: Protocol,
  body: JsonObject,
  issuer = ISSUER,
): JsonObject {
  const prompt = reasoningFor(opened(translator(from).decodeRequest(body), ENVELOPES), to, issuer);
  const stream = body["stream"] === true;
  return asSent(translator(to).encodeRequest(prompt, { model: String(body["model"]), stream }));
}

/** What a client's request becomes for a ChatGPT account. */
export function requestForChatgpt(from: Protocol, body: JsonObject): JsonObject {
  const sent = from === "responses" ? body : translateRequest(from, "responses", body);
  const bytes = new TextEncoder().encode(JSON.stringify(sent));
  const manner = { conversation: "talk", codex: false, nameOf: (field: string): string => field };
  const { body: made } = forBackend(bytes, scanObject(bytes), manner);
  return parseObject(new TextDecoder().decode(made)) ?? {};
}

/** The client's next request: the answer as it came, and the results of its calls. */
export function echo(
  protocol: Protocol,
  request: JsonObject,
  answer: JsonObject,
  result: string,
): JsonObject {
  if (protocol === "responses") {
    const output = arrayAt(answer, "output") ?? [];
    const results = output
      .filter((item) => stringAt(item, "type") === "function_call")
      .map((item) => ({ type: "function_call_output", call_id: stringAt(item, "call_id"), output: result }));
    return { ...request, input: [...(arrayAt(request, "input") ?? []), ...output, ...results] };
  }
  const before = arrayAt(request, "messages") ?? [];
  if (protocol === "messages") {
    const content = arrayAt(answer, "content") ?? [];
    const results = content
      .filter((block) => stringAt(block, "type") === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: stringAt(block, "id"), content: result }));
    const turns = [
      { role: "assistant", content },
      { role: "user", content: results },
    ];
    return { ...request, messages: [...before, ...turns] };
  }
  const message = objectAt(arrayAt(answer, "choices")?.[0], "message") ?? {};
  const results = (arrayAt(message, "tool_calls") ?? []).map((call) => ({
    role: "tool",
    tool_call_id: stringAt(call, "id"),
    content: result,
  }));
  return { ...request, messages: [...before, message, ...results] };
}

/** The smallest request of a protocol, with `members` added. */
export function ask(protocol: Protocol, members: JsonObject = {}): JsonObject {
  const plain = protocol === "responses" ? { input: "x" } : { messages: [{ role: "user", content: "x" }] };
  const limit = protocol === "messages" ? { max_tokens: 4096 } : {};
  return { model: "m", ...plain, ...limit, ...members };
}

export function translateAnswer(
  from: Protocol,
  to: Protocol,
  answer: JsonObject,
  request = ask(to),
): JsonObject {
  const prompt = translator(to).decodeRequest(request);
  const events = translator(from)
    .decodeAnswer(answer)
    .map(enclosing(ENVELOPES, ISSUER, prompt));
  return asSent(translator(to).encodeAnswer(events, prompt, CONTEXT));
}

/** The hub events of a stream that comes in these pieces. `end`: whether the upstream closed it cleanly. */
export function decodeStream(from: Protocol, pieces: readonly Uint8Array[], end = true): StreamEvent[] {
  const decoder = translator(from).decoder();
  const reader = new SseReader();
  const events = pieces.flatMap((piece) => reader.push(piece)).flatMap((frame) => decoder.push(frame));
  if (!end) return events;
  const rest = reader.end();
  return [...events, ...(rest === undefined ? [] : decoder.push(rest)), ...decoder.end()];
}

export function encodeStream(to: Protocol, events: readonly StreamEvent[], request: JsonObject): string {
  const codec = translator(to);
  const prompt = codec.decodeRequest(request);
  const encoder = codec.encoder(prompt, CONTEXT);
  const enclosed = enclosing(ENVELOPES, ISSUER, prompt);
  return events.map((event) => encoder.push(enclosed(event))).join("");
}

export interface SseEvent {
  readonly event?: string;
  readonly data: unknown;
}

/** Events as bytes on the wire; a text as data stands for itself. */
export function render(events: readonly SseEvent[], newline = "\n"): Uint8Array {
  const text = events.map(({ event, data }) => {
    const line = `data: ${typeof data === "string" ? data : JSON.stringify(data)}${newline}${newline}`;
    return event === undefined ? line : `event: ${event}${newline}${line}`;
  });
  return new TextEncoder().encode(text.join(""));
}

export function parseEvents(text: string): SseEvent[] {
  return new SseReader().push(new TextEncoder().encode(text)).flatMap((frame) => {
    const { name, data } = frame;
    if (data === undefined) return [];
    const parsed: unknown = data.startsWith("{") ? JSON.parse(data) : data;
    return [name === "" ? { data: parsed } : { event: name, data: parsed }];
  });
}

/** What a client is answered when its request cannot be translated; undefined when it can. */
export function refusalOf(
  from: Protocol,
  to: Protocol,
  body: JsonObject,
): { readonly status: number; readonly body: JsonObject } | undefined {
  try {
    translateRequest(from, to, body);
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { wire } = CODECS[from];
    const fault = faultOf(error, wire.family);
    return { status: fault.status, body: wire.errorBody(fault, "req1") };
  }
}
