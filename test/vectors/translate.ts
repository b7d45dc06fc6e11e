// Drives the codecs the way the gateway does: requests, whole answers, streams.

import type { Protocol } from "../../src/core/account.ts";
import { faultOf, GatewayError } from "../../src/core/errors.ts";
import type { StreamEvent } from "../../src/core/hub.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { EncodeContext, Translator } from "../../src/core/ports.ts";
import { SseReader } from "../../src/core/sse.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { messagesTranslator } from "../../src/protocols/messages/translator.ts";

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

export function translateRequest(from: Protocol, to: Protocol, body: JsonObject): JsonObject {
  const prompt = translator(from).decodeRequest(body);
  const stream = body["stream"] === true;
  return asSent(translator(to).encodeRequest(prompt, { model: String(body["model"]), stream }));
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
  return asSent(translator(to).encodeAnswer(translator(from).decodeAnswer(answer), prompt, CONTEXT));
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
  const encoder = codec.encoder(codec.decodeRequest(request), CONTEXT);
  return events.map((event) => encoder.push(event)).join("");
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
