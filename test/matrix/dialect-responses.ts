// The matrix in Responses.
import { parseJson, pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import {
  dataOf,
  IMAGE,
  lineOfCall,
  lineOfText,
  lineOfThought,
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
import { readTotals, totals } from "./totals.ts";

function part(each: Part): JsonObject {
  if ("text" in each) return { type: "input_text", text: each.text };
  if ("image" in each)
    return { type: "input_image", detail: "auto", image_url: `data:${IMAGE};base64,${each.image}` };
  return { type: "input_file", filename: PDF_NAME, file_data: `data:${PDF};base64,${each.pdf}` };
}

function items(turn: Turn): JsonObject[] {
  if ("user" in turn) return [{ type: "message", role: "user", content: turn.user.map(part) }];
  if ("calls" in turn)
    return turn.calls.map(({ id, input }) => ({
      type: "function_call",
      call_id: id,
      name: TOOL,
      arguments: JSON.stringify(input),
    }));
  return turn.results.map(({ id, text }) => ({ type: "function_call_output", call_id: id, output: text }));
}

function request({ turns, tools, schema, stop, thinks }: Asked): JsonObject {
  const format = { type: "json_schema", name: "out", schema, strict: true };
  const tool = { type: "function", name: TOOL, parameters: SCHEMA_OF_TOOL, strict: true };
  return {
    input: turns.flatMap(items),
    store: false,
    ...(tools === true && { tools: [tool] }),
    ...(schema !== undefined && { text: { format } }),
    // There is no such field: it stands for a client that thinks there is.
    ...(stop !== undefined && { stop: [stop] }),
    ...(thinks === true && {
      reasoning: { effort: "high", summary: "auto" },
      include: ["reasoning.encrypted_content"],
    }),
  };
}

function readItem(item: unknown): string[] {
  switch (pick(item, "type") ?? "message") {
    case "message":
      return readMessage(item);
    case "function_call":
      return [lineOfCall(String(pick(item, "call_id")), parseJson(pickText(item, "arguments") ?? ""))];
    case "function_call_output":
      return [readResult(pick(item, "call_id"), textOf(pick(item, "output")), false)];
    case "reasoning":
      return [
        lineOfThought({
          text: textOf(pick(item, "summary")),
          seal: pickText(item, "encrypted_content") ?? "",
        }),
      ];
    default:
      return [`unknown ${JSON.stringify(item)}`];
  }
}

function readMessage(item: unknown): string[] {
  const role = pickText(item, "role") ?? "";
  const content = pick(item, "content");
  if (typeof content === "string") return [lineOfText(role, content)];
  return pickList(item, "content").map((each) => {
    if (pick(each, "type") === "input_image") return `image ${dataOf(pick(each, "image_url"))}`;
    if (pick(each, "type") === "input_file") return `file ${dataOf(pick(each, "file_data"))}`;
    return lineOfText(role, pickText(each, "text") ?? "");
  });
}

function read(body: unknown): readonly string[] {
  const input = pick(body, "input");
  const lines =
    typeof input === "string" ? [lineOfText("user", input)] : pickList(body, "input").flatMap(readItem);
  for (const tool of pickList(body, "tools"))
    lines.push(toolLine(pick(tool, "name"), pick(tool, "parameters")));
  const schema = pick(body, "text", "format", "schema");
  if (schema !== undefined) lines.push(`schema ${sorted(schema)}`);
  for (const stop of pickList(body, "stop")) lines.push(`stop ${String(stop)}`);
  return lines;
}

function answer({ thought, text, refusal, calls = [], stop }: Said): JsonObject {
  const isCut = stop === "length";
  const parts = [
    ...(text === undefined ? [] : [{ type: "output_text", text, annotations: [], logprobs: [] }]),
    ...(refusal === undefined ? [] : [{ type: "refusal", refusal }]),
  ];
  const status = isCut ? "incomplete" : "completed";
  const reasoning = thought && {
    id: "rs_1",
    type: "reasoning",
    summary: [{ type: "summary_text", text: thought.text }],
    encrypted_content: thought.seal,
  };
  return {
    id: "resp_up1",
    object: "response",
    created_at: 1_790_000_000,
    status,
    model: "m",
    error: null,
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    output: [
      ...(reasoning ? [reasoning] : []),
      ...(parts.length === 0
        ? []
        : [{ id: "msg_1", type: "message", role: "assistant", status, content: parts }]),
      ...calls.map(({ id, input }) => ({
        id: `fc_${id}`,
        type: "function_call",
        call_id: id,
        name: TOOL,
        arguments: JSON.stringify(input),
        status: "completed",
      })),
    ],
    usage: totals("input_tokens", "output_tokens"),
  };
}

const STOPS: Dialect["stops"] = {
  done: "completed",
  tools: "completed",
  length: "max_output_tokens",
  sequence: "completed",
  refused: "completed",
};

function usage(counted: unknown): string {
  return readTotals(counted, "input_tokens", "output_tokens");
}

export const responses: Dialect = { request, read, answer, usage, stops: STOPS, tellsFailure: false };
