// A Chat Completions request read into the hub.

import { hintsIn, refuseFields } from "../../core/fields.ts";
import type { Item, Prompt } from "../../core/hub.ts";
import { booleanAt, objectAt } from "../../core/json.ts";
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
} from "../../core/request-fields.ts";
import { CHAT_FIELDS } from "./fields.ts";
import { decodeMessages } from "./messages-decode.ts";
import { decodeChoice, decodeTools } from "./tools.ts";

const MAX_STOPS = 4;

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  refuseFields(body, CHAT_FIELDS);
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
    dropped: hintsIn(body, CHAT_FIELDS),
    request: body,
  };
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
