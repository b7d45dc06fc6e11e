// A Responses request read into the hub.

import { hintsIn, refuseFields } from "../../core/fields.ts";
import type { InstructionItem, Prompt, Tool } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { readFormat } from "../../core/output-format.ts";
import {
  countField,
  limitField,
  listField,
  objectField,
  sharedFields,
  textField,
} from "../../core/request-fields.ts";
import { RESPONSES_FIELDS } from "./fields.ts";
import { decodeInput } from "./items-decode.ts";
import { decodeChoice, decodeTool } from "./tools.ts";

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  refuseFields(body, RESPONSES_FIELDS);
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
    dropped: hintsIn(body, RESPONSES_FIELDS).filter((name) => body[name] !== "disabled"),
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
