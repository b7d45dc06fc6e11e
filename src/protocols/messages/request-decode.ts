// A Messages request read into the hub.

import { hintsIn, refuseFields } from "../../core/fields.ts";
import type { Item, OutputFormat, Prompt } from "../../core/hub.ts";
import { isObject, objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import {
  countField,
  invalid,
  limitField,
  listField,
  objectField,
  sharedFields,
  unsupported,
} from "../../core/request-fields.ts";
import { MESSAGES_FIELDS } from "./fields.ts";
import { decodeIdentity } from "./identity.ts";
import { decodeMessages, decodeSystem } from "./messages-decode.ts";
import { isStrict } from "./schema.ts";
import { decodeThinking } from "./thinking.ts";
import { decodeChoice, decodeTool } from "./tools-decode.ts";

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  refuseFields(body, MESSAGES_FIELDS);
  const messages = listField(body, "messages");
  if (messages === undefined || messages.length === 0)
    throw invalid("messages", "messages: at least one message is required");
  const maxOutput = limitField(body, "max_tokens");
  if (maxOutput === undefined) throw invalid("max_tokens", "max_tokens is required");
  const items: Item[] = [...decodeSystem(body["system"]), ...decodeMessages(messages)];
  const tools = (listField(body, "tools") ?? []).map(decodeTool);
  const config = objectField(body, "output_config");
  const { temperature, topP } = sharedFields(body);
  return {
    protocol: "messages",
    items,
    tools,
    ...decodeChoice(objectField(body, "tool_choice"), tools),
    maxOutput,
    stop: decodeStops(body),
    temperature,
    topP,
    topK: countField(body, "top_k"),
    logprobs: undefined,
    reasoning: decodeThinking(
      objectField(body, "thinking"),
      stringAt(config, "effort"),
      items.some((item) => item.type === "reasoning"),
    ),
    format: decodeFormat(objectAt(config, "format") ?? objectField(body, "output_format")),
    verbosity: undefined,
    identity: decodeIdentity(body),
    tellUsage: true,
    dropped: hintsIn(body, MESSAGES_FIELDS).filter((name) => body[name] !== "standard"),
    request: body,
  };
}

function decodeStops(body: JsonObject): string[] {
  return (listField(body, "stop_sequences") ?? []).map((each) => {
    if (typeof each === "string" && each.trim() !== "") return each;
    throw invalid("stop_sequences", "stop_sequences must be an array of strings, none of them blank");
  });
}

function decodeFormat(format: JsonObject | undefined): OutputFormat | undefined {
  if (format === undefined) return undefined;
  const { type, schema } = format;
  if (type !== "json_schema" || !isObject(schema))
    throw unsupported("output_config", `an output format of type ${JSON.stringify(type ?? null)}`);
  return { type: "schema", name: undefined, description: undefined, schema, strict: isStrict(schema) };
}
