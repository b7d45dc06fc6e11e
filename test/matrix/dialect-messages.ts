// The matrix in Messages.
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import {
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
  type Dialect,
  type Part,
  type Said,
  type Turn,
} from "./dialect.ts";

function block(part: Part): JsonObject {
  if ("text" in part) return { type: "text", text: part.text };
  if ("image" in part)
    return { type: "image", source: { type: "base64", media_type: IMAGE, data: part.image } };
  return { type: "document", title: PDF_NAME, source: { type: "base64", media_type: PDF, data: part.pdf } };
}

function message(turn: Turn): JsonObject {
  if ("user" in turn) return { role: "user", content: turn.user.map(block) };
  if ("calls" in turn) {
    const content = turn.calls.map(({ id, input }) => ({ type: "tool_use", id, name: TOOL, input }));
    return { role: "assistant", content };
  }
  const content = turn.results.map(({ id, text, failed }) => ({
    type: "tool_result",
    tool_use_id: id,
    content: text,
    ...(failed === true && { is_error: true }),
  }));
  return { role: "user", content };
}

function request({ turns, tools, schema, stop, thinks }: Asked): JsonObject {
  return {
    max_tokens: 4096,
    messages: turns.map(message),
    ...(tools === true && { tools: [{ name: TOOL, input_schema: SCHEMA_OF_TOOL }] }),
    ...(schema !== undefined && { output_config: { format: { type: "json_schema", schema } } }),
    ...(stop !== undefined && { stop_sequences: [stop] }),
    ...(thinks === true && { thinking: { type: "adaptive", display: "summarized" } }),
  };
}

function readBlock(role: string, each: unknown): string {
  switch (pick(each, "type")) {
    case "text":
      return lineOfText(role, pickText(each, "text") ?? "");
    case "image":
      return `image ${pickText(each, "source", "data")}`;
    case "document":
      return `file ${pickText(each, "source", "data")}`;
    case "tool_use":
      return lineOfCall(String(pick(each, "id")), pick(each, "input"));
    case "tool_result":
      return readResult(
        pick(each, "tool_use_id"),
        textOf(pick(each, "content")),
        pick(each, "is_error") === true,
      );
    case "thinking":
      return lineOfThought({
        text: pickText(each, "thinking") ?? "",
        seal: pickText(each, "signature") ?? "",
      });
    default:
      return `unknown ${JSON.stringify(each)}`;
  }
}

function read(body: unknown): readonly string[] {
  const lines = pickList(body, "messages").flatMap((each) => {
    const role = pickText(each, "role") ?? "";
    const content = pick(each, "content");
    if (typeof content === "string") return [lineOfText(role, content)];
    return pickList(each, "content").map((inner) => readBlock(role, inner));
  });
  for (const tool of pickList(body, "tools"))
    lines.push(toolLine(pick(tool, "name"), pick(tool, "input_schema")));
  const schema = pick(body, "output_config", "format", "schema");
  if (schema !== undefined) lines.push(`schema ${sorted(schema)}`);
  for (const stop of pickList(body, "stop_sequences")) lines.push(`stop ${String(stop)}`);
  return lines;
}

function answer({ thought, text, refusal, calls = [], stop, met }: Said): JsonObject {
  const said = text ?? refusal;
  return {
    id: "msg_up1",
    type: "message",
    role: "assistant",
    model: "m",
    content: [
      ...(thought ? [{ type: "thinking", thinking: thought.text, signature: thought.seal }] : []),
      ...(said === undefined ? [] : [{ type: "text", text: said }]),
      ...calls.map(({ id, input }) => ({ type: "tool_use", id, name: TOOL, input })),
    ],
    stop_reason: STOPS[stop],
    stop_sequence: met ?? null,
    ...optional(
      "stop_details",
      refusal === undefined ? undefined : { category: "cyber", explanation: refusal },
    ),
    usage: {
      input_tokens: 20,
      cache_creation_input_tokens: 5,
      cache_read_input_tokens: 100,
      output_tokens: 60,
      output_tokens_details: { thinking_tokens: 32 },
    },
  };
}

const STOPS: Dialect["stops"] = {
  done: "end_turn",
  tools: "tool_use",
  length: "max_tokens",
  sequence: "stop_sequence",
  refused: "refusal",
};

function usage(counted: unknown): string {
  const at = (...path: readonly string[]): unknown => pick(counted, ...path);
  const input = [at("input_tokens"), at("cache_read_input_tokens"), at("cache_creation_input_tokens")];
  return `${input.join("+")} ${String(at("output_tokens"))}/${String(at("output_tokens_details", "thinking_tokens"))}`;
}

export const messages: Dialect = { request, read, answer, usage, stops: STOPS, tellsFailure: true };
