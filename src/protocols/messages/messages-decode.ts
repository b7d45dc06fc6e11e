// The messages of a Messages request, split into the hub's finer items.

import { readSeal } from "../../core/envelope.ts";
import type { Block, CallItem, InstructionItem, Item, ResultItem } from "../../core/hub.ts";
import { isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";
import { cacheOf, decodeContent, decodeTexts } from "./content.ts";
import { sealsOf } from "./seals.ts";

const PARAM = "messages";

/** A line that one client puts first for its own provider's books; it changes with every request. */
const BILLING = "x-anthropic-billing-header:";

/** The system text as the instructions that stand apart, one for each block. */
export function decodeSystem(system: Json | undefined): InstructionItem[] {
  return decodeTexts(system, "system", "system")
    .filter((block) => !block.text.startsWith(BILLING))
    .map((block) => ({ type: "instruction", role: "system", top: true, blocks: [block] }));
}

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeMessages(messages: readonly Json[]): Item[] {
  const items = messages.flatMap((message, at) => {
    const where = `messages[${at}]`;
    if (!isObject(message)) throw invalid(PARAM, `${where} must be an object`);
    return decodeMessage(message, where);
  });
  const last = items.at(-1);
  // Other protocols would begin a new answer where this one goes on with the one that was begun.
  if (last?.type === "message" && last.role === "assistant")
    throw unsupported(PARAM, "the beginning of an answer, to be continued,");
  return items;
}

function decodeMessage(message: JsonObject, where: string): Item[] {
  const { role, content } = message;
  const path = `${where}.content`;
  if (role === "system")
    return [{ type: "instruction", role, top: false, blocks: decodeTexts(content, path, PARAM) }];
  if (role !== "user" && role !== "assistant")
    throw invalid(PARAM, `${where}.role ${JSON.stringify(role ?? null)} is not known`);
  if (!Array.isArray(content)) return said(role, decodeContent(content, path));
  const items: Item[] = [];
  let run: Json[] = [];
  const flush = (): void => {
    items.push(...said(role, decodeContent(run, path)));
    run = [];
  };
  content.forEach((block: Json, at) => {
    const own = decodeOwn(block, `${path}[${at}]`, role);
    if (own === undefined) return void run.push(block);
    flush();
    items.push(...own);
  });
  flush();
  return items;
}

function said(role: "user" | "assistant", blocks: readonly Block[]): Item[] {
  return blocks.length > 0 ? [{ type: "message", role, blocks }] : [];
}

/** The items of a block that is more than a part of what was said; undefined for a part. */
function decodeOwn(block: Json, where: string, role: "user" | "assistant"): Item[] | undefined {
  if (!isObject(block)) return undefined;
  const type = stringAt(block, "type") ?? "";
  if (role === "user") return type === "tool_result" ? [decodeResult(block, where)] : undefined;
  switch (type) {
    case "tool_use":
      return [decodeCall(block, where)];
    case "thinking":
      return decodeThinkingBlock(block);
    case "redacted_thinking": {
      const data = stringAt(block, "data") ?? "";
      return [
        { type: "reasoning", parts: [], seals: [readSeal(data, { protocol: "messages", kind: "redacted" })] },
      ];
    }
    case "text":
    case "image":
    case "document":
      return undefined;
    default:
      // What the provider did by itself explains an answer but asks nothing of anybody.
      if (type.endsWith("_tool_use") || type.endsWith("_tool_result") || type === "mcp_tool_use")
        return [{ type: "native", native: { protocol: "messages", value: block } }];
      return undefined;
  }
}

function decodeThinkingBlock(block: JsonObject): Item[] {
  const text = stringAt(block, "thinking") ?? "";
  const seals = sealsOf(stringAt(block, "signature") ?? "");
  return [{ type: "reasoning", parts: text === "" ? [] : [text], seals }];
}

function needed(block: JsonObject, key: string, where: string): string {
  const value = stringAt(block, key);
  if (value !== undefined && value !== "") return value;
  throw invalid(PARAM, `${where}.${key} must be a string`);
}

function decodeCall(block: JsonObject, where: string): CallItem {
  const [id, name] = [needed(block, "id", where), needed(block, "name", where)];
  const input = JSON.stringify(objectAt(block, "input") ?? {});
  return { type: "call", kind: "function", id, name, input, cache: cacheOf(block) };
}

function decodeResult(block: JsonObject, where: string): ResultItem {
  return {
    type: "result",
    callId: needed(block, "tool_use_id", where),
    blocks: decodeContent(block["content"], `${where}.content`),
    failed: block["is_error"] === true,
    cache: cacheOf(block),
  };
}
