// The messages of a Chat Completions request, split into the hub's finer items.

import type { CallItem, Item, ResultItem } from "../../core/hub.ts";
import { arrayAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";
import { inventedId } from "../../core/tool-names.ts";
import { decodeContent, decodeTexts } from "./content.ts";
import { decodeReasoning } from "./reasoning.ts";

const PARAM = "messages";

export function decodeMessages(messages: readonly Json[]): Item[] {
  const items: Item[] = [];
  messages.forEach((message, at) => {
    const where = `messages[${at}]`;
    if (!isObject(message)) throw invalid(PARAM, `${where} must be an object`);
    items.push(...decodeMessage(message, at, items));
  });
  return items;
}

function decodeMessage(message: JsonObject, at: number, before: readonly Item[]): Item[] {
  const where = `messages[${at}]`;
  const { role, content } = message;
  switch (role) {
    case "system":
    case "developer":
      return [{ type: "instruction", role, top: false, blocks: decodeTexts(content, where) }];
    case "user":
      return [{ type: "message", role, blocks: decodeContent(content, where) }];
    case "assistant":
      return decodeAssistant(message, at);
    case "tool":
      return [decodeResult(message, where)];
    case "function":
      return [decodeOldResult(message, where, before)];
    default:
      throw invalid(PARAM, `${where}.role ${JSON.stringify(role ?? null)} is not known`);
  }
}

function decodeAssistant(message: JsonObject, at: number): Item[] {
  const where = `messages[${at}]`;
  if (isObject(message["audio"])) throw unsupported(PARAM, `audio (${where})`);
  const items: Item[] = [];
  items.push(...decodeReasoning(message));
  const blocks = decodeContent(message["content"], where).filter(
    (block) => block.type !== "text" || block.text !== "",
  );
  const refusal = stringAt(message, "refusal");
  if (refusal !== undefined && refusal !== "") blocks.push({ type: "refusal", text: refusal });
  if (blocks.length > 0) items.push({ type: "message", role: "assistant", blocks });
  for (const call of arrayAt(message, "tool_calls") ?? []) items.push(decodeCall(call, where));
  const old = objectAt(message, "function_call");
  if (old !== undefined) items.push(functionCall(inventedId("function_call", at), old, where));
  return items;
}

function decodeCall(call: Json, where: string): CallItem {
  const id = stringAt(call, "id");
  if (id === undefined || id === "") throw invalid(PARAM, `${where}.tool_calls: every call needs an id`);
  const custom = objectAt(call, "custom");
  if (custom === undefined) return functionCall(id, objectAt(call, "function") ?? {}, where);
  return {
    type: "call",
    kind: "custom",
    id,
    name: calledName(custom, where),
    input: stringAt(custom, "input") ?? "",
  };
}

function functionCall(id: string, body: JsonObject, where: string): CallItem {
  const written = stringAt(body, "arguments") ?? "";
  const input = written.trim() === "" ? "{}" : written;
  return { type: "call", kind: "function", id, name: calledName(body, where), input };
}

function calledName(body: JsonObject, where: string): string {
  const name = stringAt(body, "name");
  if (name === undefined || name === "") throw invalid(PARAM, `${where}: every call needs a name`);
  return name;
}

function decodeResult(message: JsonObject, where: string): ResultItem {
  const callId = stringAt(message, "tool_call_id");
  if (callId === undefined) throw invalid(PARAM, `${where}.tool_call_id must be a string`);
  return { type: "result", callId, blocks: decodeContent(message["content"], where), failed: false };
}

/** The old form names the function only: it answers that function's last call. */
function decodeOldResult(message: JsonObject, where: string, before: readonly Item[]): ResultItem {
  const name = stringAt(message, "name");
  const call = before.findLast((item) => item.type === "call" && item.name === name);
  if (call?.type !== "call") throw invalid(PARAM, `${where} answers no function call`);
  const blocks = decodeContent(message["content"], where);
  return { type: "result", callId: call.id, blocks, failed: false };
}
