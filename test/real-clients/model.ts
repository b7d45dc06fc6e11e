// A model as a script: it looks at what the client offers and at what its tools have answered so far, and says or calls
// the next thing. One script plays behind either vendor's protocol.
import { CODECS } from "../../src/protocols/index.ts";
import {
  arrayAt,
  isObject,
  objectAt,
  parseObject,
  stringAt,
  type Json,
  type JsonObject,
} from "../../src/core/json.ts";
import { json, sse } from "../support/answers.ts";
import type { Answer, UpstreamRequest } from "../support/upstream.ts";

export type Vendor = "messages" | "responses";

/** What a request of the client's shows a model. */
export interface Seen {
  readonly tools: ReadonlySet<string>;
  /** The texts of all results so far, in order; `[failed] ` before those that say so. */
  readonly results: readonly string[];
  /** Everything of the conversation, as JSON text. */
  readonly text: string;
}

export type Step =
  | { readonly say: string }
  | { readonly call: string; readonly input: JsonObject }
  /** A tool whose input is text. */
  | { readonly call: string; readonly text: string };

export type Script = (seen: Seen) => Step;

/** A side task of the client's, such as a title: no tools, or none that could do anything. */
const ASIDE: Step = { say: "A short title" };

export function model(vendor: Vendor, script: Script): Answer {
  return (request, connection) => {
    const body = parseObject(request.body.toString()) ?? {};
    const seen = vendor === "messages" ? seenInMessages(body) : seenInResponses(body);
    const step = seen.tools.size < 2 ? ASIDE : script(seen);
    const answer = vendor === "messages" ? message(step, request) : response(step, request);
    const told = body["stream"] === true ? sse(CODECS[vendor].wire.unfold(answer)) : json(200, answer);
    return told(request, connection);
  };
}

/** Whether it is part of the conversation, and no side task. */
export function isTalk(vendor: Vendor, request: UpstreamRequest): boolean {
  const body = parseObject(request.body.toString()) ?? {};
  return (vendor === "messages" ? seenInMessages(body) : seenInResponses(body)).tools.size >= 2;
}

function textOf(content: Json | undefined): string {
  if (typeof content === "string") return content;
  return (Array.isArray(content) ? content : []).map((part: Json) => stringAt(part, "text") ?? "").join("");
}

function namesOf(body: JsonObject): Set<string> {
  return new Set(
    (arrayAt(body, "tools") ?? []).map((tool) => stringAt(tool, "name") ?? stringAt(tool, "type") ?? ""),
  );
}

function seenInMessages(body: JsonObject): Seen {
  const blocks = (arrayAt(body, "messages") ?? []).flatMap((message) => arrayAt(message, "content") ?? []);
  const results = blocks
    .filter(isObject)
    .filter((block) => block["type"] === "tool_result")
    .map((block) => `${block["is_error"] === true ? "[failed] " : ""}${textOf(block["content"])}`);
  return { tools: namesOf(body), results, text: JSON.stringify(body["messages"]) };
}

function seenInResponses(body: JsonObject): Seen {
  const items = (arrayAt(body, "input") ?? []).filter(isObject);
  const results = items
    .filter((item) => stringAt(item, "type")?.endsWith("_call_output") === true)
    .map((item) => textOf(item["output"]));
  return { tools: namesOf(body), results, text: JSON.stringify(body["input"]) };
}

function message(step: Step, { number }: UpstreamRequest): JsonObject {
  const input = "text" in step ? { input: step.text } : "input" in step ? step.input : {};
  const block: JsonObject =
    "say" in step
      ? { type: "text", text: step.say }
      : { type: "tool_use", id: `toolu_${number}`, name: step.call, input };
  return {
    id: `msg_${number}`,
    type: "message",
    role: "assistant",
    model: "m",
    content: [block],
    stop_reason: "say" in step ? "end_turn" : "tool_use",
    stop_sequence: null,
    usage: { input_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 5, output_tokens: 7 },
  };
}

function response(step: Step, { number }: UpstreamRequest): JsonObject {
  return {
    id: `resp_${number}`,
    object: "response",
    created_at: 1_790_000_000,
    status: "completed",
    model: "m",
    error: null,
    incomplete_details: null,
    output: [item(step, number)],
    usage: {
      input_tokens: 15,
      input_tokens_details: { cached_tokens: 5 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 22,
    },
  };
}

function item(step: Step, number: number): JsonObject {
  if ("say" in step) {
    const content = [{ type: "output_text", text: step.say, annotations: [], logprobs: [] }];
    return { id: `msg_${number}`, type: "message", role: "assistant", status: "completed", content };
  }
  const ids = { call_id: `call_${number}`, name: step.call, status: "completed" };
  return "text" in step
    ? { id: `ctc_${number}`, type: "custom_tool_call", ...ids, input: step.text }
    : { id: `fc_${number}`, type: "function_call", ...ids, arguments: JSON.stringify(step.input) };
}

/** The names of the function tools in a request, whatever the vendor, for messages of failed runs. */
export function offered(request: UpstreamRequest): readonly string[] {
  const body = parseObject(request.body.toString());
  return (arrayAt(body, "tools") ?? []).map(
    (tool) => stringAt(tool, "name") ?? stringAt(objectAt(tool, "function"), "name") ?? "?",
  );
}
