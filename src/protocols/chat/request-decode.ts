// A Chat Completions request read into the hub.

import type { Item, Prompt } from "../../core/hub.ts";
import { booleanAt, isObject, objectAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { readFormat } from "../../core/output-format.ts";
import {
  countField,
  flagField,
  invalid,
  limitField,
  listField,
  objectField,
  sharedFields,
  textField,
  unsupported,
} from "../../core/request-fields.ts";
import { decodeMessages } from "./messages-decode.ts";
import { decodeChoice, decodeTools } from "./tools.ts";

/** Fields that are carried, or that change nothing where they are left out. */
const READ = new Set([
  "model",
  "messages",
  "tools",
  "tool_choice",
  "functions",
  "function_call",
  "parallel_tool_calls",
  "max_completion_tokens",
  "max_tokens",
  "stop",
  "temperature",
  "top_p",
  "logprobs",
  "top_logprobs",
  "reasoning_effort",
  "response_format",
  "verbosity",
  "web_search_options",
  "stream",
  "stream_options",
  "n",
  "audio",
  "modalities",
  "store",
  "user",
  "safety_identifier",
  "metadata",
  "service_tier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
]);

const MAX_STOPS = 4;

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  refuseForeign(body);
  const messages = listField(body, "messages");
  if (messages === undefined) throw invalid("messages", "messages is required");
  const items: Item[] = decodeMessages(messages);
  const shared = sharedFields(body);
  const wish = textField(body, "reasoning_effort");
  const format = objectField(body, "response_format");
  return {
    ...shared,
    protocol: "chat",
    items,
    tools: decodeTools(body),
    choice: decodeChoice(body),
    // The old form has room for one call.
    parallelCalls: body["functions"] === undefined ? shared.parallelCalls : false,
    maxOutput: limitField(body, "max_completion_tokens") ?? limitField(body, "max_tokens"),
    stop: decodeStop(body["stop"]),
    topK: undefined,
    logprobs: flagField(body, "logprobs") === true ? (countField(body, "top_logprobs") ?? 0) : undefined,
    reasoning: {
      effort: wish,
      budget: undefined,
      summary: undefined,
      sealed: wish !== undefined && wish !== "none",
    },
    format: readFormat(format, objectAt(format, "json_schema"), "response_format"),
    verbosity: textField(body, "verbosity"),
    tellUsage:
      flagField(body, "stream") !== true || booleanAt(body["stream_options"], "include_usage") === true,
    dropped: Object.keys(body).filter((key) => !READ.has(key) && !isNeutral(body[key])),
    request: body,
  };
}

function refuseForeign(body: JsonObject): void {
  if ((countField(body, "n") ?? 1) !== 1) throw unsupported("n", "n other than 1");
  if (isObject(body["audio"])) throw unsupported("audio", "audio output");
  if ((listField(body, "modalities") ?? []).includes("audio"))
    throw unsupported("modalities", "audio output");
}

function isNeutral(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function decodeStop(stop: Json | undefined): string[] {
  if (stop === undefined || stop === null) return [];
  const list = Array.isArray(stop) ? stop : [stop];
  if (list.length > MAX_STOPS) throw invalid("stop", `stop may hold at most ${MAX_STOPS} strings`);
  return list.map((each) => {
    if (typeof each === "string" && each !== "") return each;
    throw invalid("stop", "stop must be a string or an array of strings, none of them empty");
  });
}
