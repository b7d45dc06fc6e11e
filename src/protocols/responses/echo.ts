// The members of a response that repeat the request. Clients and conformance tests look for all of them.

import type { Prompt } from "../../core/hub.ts";
import { isObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { EncodeContext } from "../../core/ports.ts";

/** What a request left out, as the API repeats it. */
const DEFAULTS: JsonObject = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  prompt_cache_key: null,
  safety_identifier: null,
  service_tier: "default",
  temperature: 1,
  tool_choice: "auto",
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
  user: null,
};

/** The response as it begins: in progress, empty. */
export function beginResponse(prompt: Prompt, context: EncodeContext, id: string): JsonObject {
  const { request } = prompt;
  const asked = Object.keys(DEFAULTS).map((key): [string, Json | undefined] => [
    key,
    request[key] ?? DEFAULTS[key],
  ]);
  const text = isObject(request["text"]) ? request["text"] : {};
  const reasoning = isObject(request["reasoning"]) ? request["reasoning"] : {};
  return {
    id,
    object: "response",
    created_at: context.createdAt,
    completed_at: null,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    model: context.model,
    output: [],
    usage: null,
    ...Object.fromEntries(asked),
    background: false,
    previous_response_id: null,
    presence_penalty: 0,
    frequency_penalty: 0,
    reasoning: { effort: null, summary: null, ...reasoning },
    text: { format: { type: "text" }, ...text },
    tools: Array.isArray(request["tools"]) ? request["tools"].map(wholeTool) : [],
    // Nothing is kept here, whatever was asked for.
    store: false,
  };
}

function wholeTool(tool: Json): Json {
  if (!isObject(tool) || tool["type"] !== "function") return tool;
  return { description: null, parameters: null, strict: null, ...tool };
}
