// A Responses request read into the hub.

import type { InstructionItem, Prompt, Tool } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { readFormat } from "../../core/output-format.ts";
import {
  countField,
  flagField,
  limitField,
  listField,
  objectField,
  sharedFields,
  textField,
  unsupported,
} from "../../core/request-fields.ts";
import { decodeInput } from "./items-decode.ts";
import { decodeChoice, decodeTool } from "./tools.ts";

/** What points at state that only the provider has. */
const STATEFUL = ["previous_response_id", "conversation", "prompt"] as const;

/** What tunes the answer or its handling, and no other protocol has. */
const TUNING = ["max_tool_calls", "truncation", "context_management", "moderation", "access_programs"];

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  for (const key of STATEFUL) if (body[key] !== undefined && body[key] !== null) throw unsupported(key, key);
  if (flagField(body, "background") === true) throw unsupported("background", "background");
  const { items, tools } = decodeInput(body["input"]);
  const instructions = textField(body, "instructions");
  const include = listField(body, "include") ?? [];
  const reasoning = objectField(body, "reasoning") ?? {};
  const text = objectField(body, "text") ?? {};
  const format = objectField(text, "format");
  const top = countField(body, "top_logprobs") ?? 0;
  return {
    ...sharedFields(body),
    protocol: "responses",
    items: [...(instructions === undefined ? [] : [topInstruction(instructions)]), ...items],
    tools: distinct([...(listField(body, "tools") ?? []).flatMap(decodeTool), ...tools]),
    choice: decodeChoice(body["tool_choice"]),
    maxOutput: limitField(body, "max_output_tokens"),
    stop: [],
    topK: undefined,
    logprobs: top > 0 || include.includes("message.output_text.logprobs") ? top : undefined,
    reasoning: {
      effort: textField(reasoning, "effort"),
      budget: undefined,
      summary: textField(reasoning, "summary") ?? textField(reasoning, "generate_summary"),
      sealed: include.includes("reasoning.encrypted_content"),
    },
    format: readFormat(format, format, "text"),
    verbosity: textField(text, "verbosity"),
    tellUsage: true,
    dropped: TUNING.filter(
      (key) => body[key] !== undefined && body[key] !== null && body[key] !== "disabled",
    ),
    request: body,
  };
}

function topInstruction(text: string): InstructionItem {
  return { type: "instruction", role: "system", top: true, blocks: [{ type: "text", text }] };
}

/** A tool may be loaded more than once in a conversation; the first of a name stays, so that prefixes do. */
function distinct(tools: readonly Tool[]): Tool[] {
  const seen = new Set<string>();
  return tools.filter((tool) => {
    if (tool.kind === "search" || tool.kind === "hosted") return true;
    const key = JSON.stringify([tool.namespace ?? "", tool.name]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
