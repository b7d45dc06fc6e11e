// The input of a Responses request read into hub items.

import { readSeal } from "../../core/envelope.ts";
import type { Item, Tool } from "../../core/hub.ts";
import { arrayAt, isObject, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";
import { builtinArguments, calledBuiltin } from "./builtins.ts";
import { decodeContent, decodeTexts } from "./content.ts";
import { decodeTool } from "./tools.ts";

const PARAM = "input";

/** Steps the provider took on its own; they explain an answer but ask nothing of anybody. */
const PROVIDER_STEPS: ReadonlySet<string> = new Set([
  "web_search_call",
  "file_search_call",
  "code_interpreter_call",
  "image_generation_call",
  "mcp_list_tools",
  "mcp_call",
  "tool_search_call",
]);

export interface DecodedInput {
  readonly items: Item[];
  /** Tools that were loaded in the course of the conversation. */
  readonly tools: Tool[];
}

export function decodeInput(input: Json | undefined): DecodedInput {
  if (typeof input === "string")
    return {
      items: [{ type: "message", role: "user", blocks: [{ type: "text", text: input }] }],
      tools: [],
    };
  if (!Array.isArray(input)) throw invalid(PARAM, "input must be a string or an array");
  const decoded: DecodedInput = { items: [], tools: [] };
  const callIds = new Map<string, string>();
  input.forEach((item: Json, at) => {
    if (!isObject(item)) throw invalid(PARAM, `input[${at}] must be an object`);
    decodeItem(item, `input[${at}]`, decoded, callIds);
  });
  return decoded;
}

/** `callIds`: item id to call id, for results that name the item. */
function decodeItem(item: JsonObject, where: string, into: DecodedInput, callIds: Map<string, string>): void {
  const type = stringAt(item, "type") ?? (item["role"] === undefined ? "" : "message");
  if (type === "additional_tools" || type === "tool_search_output")
    into.tools.push(...(arrayAt(item, "tools") ?? []).flatMap(decodeTool));
  if (type === "additional_tools") return;
  const builtin = calledBuiltin(item);
  if (builtin !== undefined) {
    const id = needed(item, ["call_id", "id"], where);
    callIds.set(stringAt(item, "id") ?? id, id);
    const input = builtinArguments(builtin, item);
    into.items.push({ type: "call", kind: "function", id, name: builtin, input });
  } else if (PROVIDER_STEPS.has(type))
    into.items.push({ type: "native", native: { protocol: "responses", value: item } });
  else if (type.endsWith("_output")) into.items.push(decodeResult(item, type, where, callIds));
  else into.items.push(decodePlain(item, type, where));
}

function needed(item: JsonObject, keys: readonly string[], where: string): string {
  for (const key of keys) {
    const value = stringAt(item, key);
    if (value !== undefined && value !== "") return value;
  }
  throw invalid(PARAM, `${where}.${keys[0]} must be a string`);
}

function decodePlain(item: JsonObject, type: string, where: string): Item {
  switch (type) {
    case "message":
      return decodeMessage(item, where);
    case "reasoning":
      return decodeReasoning(item);
    case "function_call":
    case "custom_tool_call": {
      const kind = type === "function_call" ? "function" : "custom";
      const written = stringAt(item, kind === "function" ? "arguments" : "input") ?? "";
      const input = kind === "function" && written.trim() === "" ? "{}" : written;
      const [id, name] = [needed(item, ["call_id"], where), needed(item, ["name"], where)];
      return { type: "call", kind, id, name, namespace: stringAt(item, "namespace"), input };
    }
    default:
      throw unsupported(PARAM, `an item of type ${JSON.stringify(type)} (${where})`);
  }
}

function decodeMessage(item: JsonObject, where: string): Item {
  const { role } = item;
  const place = `${where}.content`;
  if (role === "system" || role === "developer")
    return { type: "instruction", role, top: false, blocks: decodeTexts(item["content"], place) };
  if (role !== "user" && role !== "assistant")
    throw invalid(PARAM, `${where}.role ${JSON.stringify(role ?? null)} is not known`);
  const blocks = decodeContent(item["content"], place);
  return { type: "message", role, blocks, phase: stringAt(item, "phase") };
}

function decodeReasoning(item: JsonObject): Item {
  const texts = (key: string): string[] =>
    (arrayAt(item, key) ?? []).map((part) => stringAt(part, "text") ?? "").filter((text) => text !== "");
  const summary = texts("summary");
  const data = stringAt(item, "encrypted_content");
  const seals = data === undefined ? [] : [readSeal(data, { protocol: "responses", kind: "encrypted" })];
  return { type: "reasoning", parts: summary.length > 0 ? summary : texts("content"), seals };
}

const RESULTS: ReadonlySet<string> = new Set([
  "function_call_output",
  "custom_tool_call_output",
  "local_shell_call_output",
  "shell_call_output",
  "apply_patch_call_output",
  "tool_search_output",
]);

function decodeResult(
  item: JsonObject,
  type: string,
  where: string,
  callIds: ReadonlyMap<string, string>,
): Item {
  if (!RESULTS.has(type)) throw unsupported(PARAM, `an item of type ${JSON.stringify(type)} (${where})`);
  const named = needed(item, ["call_id", "id"], where);
  const callId = callIds.get(named) ?? named;
  const failed = type === "apply_patch_call_output" && item["status"] === "failed";
  return { type: "result", callId, blocks: outputOf(item, type, where), failed };
}

function outputOf(item: JsonObject, type: string, where: string): ReturnType<typeof decodeContent> {
  if (type === "function_call_output" || type === "custom_tool_call_output")
    return decodeContent(item["output"], `${where}.output`);
  const told = item["output"] ?? item["tools"] ?? item["status"] ?? "";
  return [{ type: "text", text: typeof told === "string" ? told : JSON.stringify(told) }];
}
