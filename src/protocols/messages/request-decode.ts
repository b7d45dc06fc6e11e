// A Messages request read into the hub.

import type { Item, OutputFormat, Prompt } from "../../core/hub.ts";
import { isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import {
  countField,
  invalid,
  limitField,
  listField,
  objectField,
  sharedFields,
  unsupported,
} from "../../core/request-fields.ts";
import { decodeIdentity } from "./identity.ts";
import { decodeMessages, decodeSystem } from "./messages-decode.ts";
import { isStrict } from "./schema.ts";
import { decodeThinking } from "./thinking.ts";
import { decodeChoice, decodeTool } from "./tools-decode.ts";

/** Fields that are carried, refused below, or that change nothing where they are left out. */
const READ = new Set([
  "model",
  "max_tokens",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "stop_sequences",
  "stream",
  "metadata",
  "service_tier",
  "temperature",
  "top_p",
  "cache_control",
  "diagnostics",
  "thread",
  "container",
  "mcp_servers",
  "inference_geo",
]);

/** @throws GatewayError `invalid_request` or `unsupported_field` */
export function decodeRequest(body: JsonObject): Prompt {
  refuseForeign(body);
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
    dropped: Object.keys(body).filter((key) => !READ.has(key) && isSet(body[key])),
    request: body,
  };
}

/** What has state, tools or promises behind it that only the provider has. */
function refuseForeign(body: JsonObject): void {
  for (const key of ["thread", "container"]) if (isSet(body[key])) throw unsupported(key, key);
  if ((listField(body, "mcp_servers") ?? []).length > 0) throw unsupported("mcp_servers", "mcp_servers");
  const place = body["inference_geo"];
  if (isSet(place) && place !== "global") throw unsupported("inference_geo", "a place for inference");
}

function isSet(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== "standard";
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
