// A whole message as the stream that would have carried it.

import { arrayAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";

export function unfoldEvents(message: JsonObject): JsonObject[] {
  const { content: _, stop_reason, stop_sequence, stop_details, container, usage, ...head } = message;
  const start = { ...head, content: [], stop_reason: null, stop_sequence: null, usage: usage ?? {} };
  const delta = { stop_reason, stop_sequence: stop_sequence ?? null, stop_details, container };
  return [
    { type: "message_start", message: start },
    ...(arrayAt(message, "content") ?? []).flatMap((block, index) => unfoldBlock(block, index)),
    { type: "message_delta", delta, usage: usage ?? {} },
    { type: "message_stop" },
  ];
}

/** One block as its events. */
export function unfoldBlock(block: Json, index: number): JsonObject[] {
  if (!isObject(block)) return [];
  const { start, deltas } = splitBlock(block);
  return [
    { type: "content_block_start", index, content_block: start },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

interface SplitBlock {
  readonly start: JsonObject;
  readonly deltas: readonly JsonObject[];
}

/** Blocks that grow begin empty; any other is whole from the start. */
function splitBlock(block: JsonObject): SplitBlock {
  switch (stringAt(block, "type")) {
    case "text": {
      const { citations, ...rest } = block;
      const cited = (Array.isArray(citations) ? citations : []).map((citation: Json) => ({
        type: "citations_delta",
        citation,
      }));
      const text = { type: "text_delta", text: stringAt(block, "text") ?? "" };
      return { start: { ...rest, text: "" }, deltas: [...cited, text] };
    }
    case "thinking":
      return {
        start: { ...block, thinking: "", signature: "" },
        deltas: [
          { type: "thinking_delta", thinking: stringAt(block, "thinking") ?? "" },
          { type: "signature_delta", signature: stringAt(block, "signature") ?? "" },
        ],
      };
    case "tool_use":
    case "server_tool_use":
    case "mcp_tool_use": {
      const partial_json = JSON.stringify(objectAt(block, "input") ?? {});
      return { start: { ...block, input: {} }, deltas: [{ type: "input_json_delta", partial_json }] };
    }
    default:
      return { start: block, deltas: [] };
  }
}
