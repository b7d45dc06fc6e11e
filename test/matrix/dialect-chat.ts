// The matrix in Chat Completions.
import { parseJson, pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import {
  dataOf,
  IMAGE,
  lineOfCall,
  lineOfText,
  lineOfThought,
  optional,
  PDF,
  PDF_NAME,
  readResult,
  SCHEMA_OF_TOOL,
  sorted,
  textOf,
  TOOL,
  toolLine,
  type Asked,
  type Call,
  type Dialect,
  type Part,
  type Said,
  type Turn,
} from "./dialect.ts";
import { readTotals, totals } from "./totals.ts";

function part(each: Part): JsonObject {
  if ("text" in each) return { type: "text", text: each.text };
  if ("image" in each) return { type: "image_url", image_url: { url: `data:${IMAGE};base64,${each.image}` } };
  return { type: "file", file: { filename: PDF_NAME, file_data: `data:${PDF};base64,${each.pdf}` } };
}

function call({ id, input }: Call): JsonObject {
  return { id, type: "function", function: { name: TOOL, arguments: JSON.stringify(input) } };
}

function messagesOf(turn: Turn): JsonObject[] {
  if ("user" in turn) return [{ role: "user", content: turn.user.map(part) }];
  if ("calls" in turn) return [{ role: "assistant", content: null, tool_calls: turn.calls.map(call) }];
  return turn.results.map(({ id, text }) => ({ role: "tool", tool_call_id: id, content: text }));
}

function request({ turns, tools, schema, stop, thinks }: Asked): JsonObject {
  const tool = { name: TOOL, parameters: SCHEMA_OF_TOOL, strict: true };
  return {
    messages: turns.flatMap(messagesOf),
    stream_options: { include_usage: true },
    ...(tools === true && { tools: [{ type: "function", function: tool }] }),
    ...(schema !== undefined && {
      response_format: { type: "json_schema", json_schema: { name: "out", schema, strict: true } },
    }),
    ...(stop !== undefined && { stop: [stop] }),
    ...(thinks === true && { reasoning_effort: "high" }),
  };
}

function readMessage(message: unknown): string[] {
  const role = pickText(message, "role") ?? "";
  const content = pick(message, "content");
  if (role === "tool") return [readResult(pick(message, "tool_call_id"), textOf(content), false)];
  const thought = pickText(message, "reasoning_content");
  const parts = Array.isArray(content) ? pickList(message, "content") : [];
  return [
    ...(thought === undefined ? [] : [lineOfThought({ text: thought, seal: "" })]),
    ...(typeof content === "string" && content !== "" ? [lineOfText(role, content)] : []),
    ...parts.map((each) => readPart(role, each)),
    ...pickList(message, "tool_calls").map((each) =>
      lineOfCall(String(pick(each, "id")), parseJson(pickText(each, "function", "arguments") ?? "")),
    ),
  ];
}

function readPart(role: string, each: unknown): string {
  if (pick(each, "type") === "image_url") return `image ${dataOf(pick(each, "image_url", "url"))}`;
  if (pick(each, "type") === "file") return `file ${dataOf(pick(each, "file", "file_data"))}`;
  return lineOfText(role, pickText(each, "text") ?? "");
}

function read(body: unknown): readonly string[] {
  const lines = pickList(body, "messages").flatMap(readMessage);
  for (const tool of pickList(body, "tools"))
    lines.push(toolLine(pick(tool, "function", "name"), pick(tool, "function", "parameters")));
  const schema = pick(body, "response_format", "json_schema", "schema");
  if (schema !== undefined) lines.push(`schema ${sorted(schema)}`);
  const stop = pick(body, "stop");
  for (const each of Array.isArray(stop) ? stop : stop === undefined ? [] : [stop])
    lines.push(`stop ${String(each)}`);
  return lines;
}

function answer({ thought, text, refusal, calls = [], stop }: Said): JsonObject {
  const message = {
    role: "assistant",
    content: text ?? null,
    refusal: refusal ?? null,
    ...optional("reasoning_content", thought?.text),
    ...optional("tool_calls", calls.length > 0 ? calls.map(call) : undefined),
  };
  return {
    id: "chatcmpl-up1",
    object: "chat.completion",
    created: 1_790_000_000,
    model: "m",
    choices: [{ index: 0, message, logprobs: null, finish_reason: STOPS[stop] }],
    usage: totals("prompt_tokens", "completion_tokens"),
  };
}

const STOPS: Dialect["stops"] = {
  done: "stop",
  tools: "tool_calls",
  length: "length",
  sequence: "stop",
  refused: "stop",
};

function usage(counted: unknown): string {
  return readTotals(counted, "prompt_tokens", "completion_tokens");
}

export const chat: Dialect = { request, read, answer, usage, stops: STOPS, tellsFailure: false };
