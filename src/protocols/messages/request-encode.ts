// A request of the hub written as Messages, fitted to the model it is for.

import type { OutputFormat, Prompt } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import type { EncodeTarget } from "../../core/ports.ts";
import { unsupported } from "../../core/request-fields.ts";
import { ToolNames } from "../../core/tool-names.ts";
import { encodeIdentity } from "./identity.ts";
import { encodeConversation } from "./messages-encode.ts";
import { outputLimit, traitsOf, type ModelTraits } from "./models.ts";
import { strictSchema } from "./schema.ts";
import { encodeThinking } from "./thinking.ts";
import { encodeTools, isForced } from "./tools-encode.ts";

/** For a client that wants JSON of any kind, which this protocol does not have. */
const ANY_JSON = { type: "text", text: "Answer with one JSON object and nothing else." };

/** @throws GatewayError `unsupported_field` or `invalid_request` */
export function encodeRequest(prompt: Prompt, target: EncodeTarget): JsonObject {
  refuseForeign(prompt);
  const traits = traitsOf(target.model);
  const names = new ToolNames(prompt.tools);
  const { system, messages, bare } = encodeConversation(prompt, names, traits);
  const tools = encodeTools(prompt, names, traits);
  const max_tokens = outputLimit(prompt.maxOutput, traits);
  const forced = isForced(prompt.choice) && tools["tools"] !== undefined;
  const { thinking, effort } = encodeThinking(prompt, { traits, maxTokens: max_tokens, forced, bare });
  const format = encodeFormat(prompt, traits);
  const asked = prompt.format?.type === "json" ? [...system, ANY_JSON] : system;
  const stops = prompt.stop.filter((stop) => stop.trim() !== "");
  return {
    model: target.model,
    max_tokens,
    system: asked.length > 0 ? asked : undefined,
    messages,
    ...tools,
    thinking,
    output_config: effort === undefined && format === undefined ? undefined : { effort, format },
    stop_sequences: stops.length > 0 ? stops : undefined,
    ...encodeSampling(prompt, traits, thinking),
    ...encodeIdentity(prompt.identity),
    cache_control: encodeCache(prompt),
    stream: target.stream,
  };
}

function refuseForeign({ logprobs, protocol }: Prompt): void {
  if (logprobs !== undefined)
    throw unsupported(protocol === "responses" ? "top_logprobs" : "logprobs", "log probabilities");
}

function encodeFormat({ format, protocol }: Prompt, traits: ModelTraits): JsonObject | undefined {
  if (format?.type !== "schema") return undefined;
  const param = FORMAT_FIELDS[protocol];
  if (!traits.schemas) throw unsupported(param, "an answer that keeps to a schema");
  return { type: "json_schema", schema: described(strictSchema(format.schema, param), format) };
}

const FORMAT_FIELDS = { chat: "response_format", responses: "text", messages: "output_config" } as const;

/** What a wish says beside its schema has its place in the schema. */
function described(schema: JsonObject, { description }: OutputFormat & { type: "schema" }): JsonObject {
  return description === undefined || schema["description"] !== undefined
    ? schema
    : { ...schema, description };
}

/** Models that sample take one of the two, within a smaller range, and none while they think. */
function encodeSampling(
  { temperature, topP, topK }: Prompt,
  traits: ModelTraits,
  thinking: JsonObject | undefined,
): JsonObject {
  if (!traits.sampling || (thinking !== undefined && thinking["type"] !== "disabled")) return {};
  if (temperature === undefined) return { top_p: topP, top_k: topK };
  return { temperature: Math.min(1, temperature), top_k: topK };
}

/**
 * Elsewhere prompts are cached without being asked to be. Here it has to be asked for and costs a little, so that
 * is done where the prompt will likely be sent again with more behind it.
 */
function encodeCache({ protocol, items, tools, identity }: Prompt): JsonObject | undefined {
  if (protocol === "messages") return undefined;
  const goesOn = identity.cacheKey !== undefined || tools.length > 0;
  const went = items.some(
    (item) => item.type === "call" || (item.type === "message" && item.role === "assistant"),
  );
  if (!goesOn && !went) return undefined;
  return identity.cacheRetention === "24h" ? { type: "ephemeral", ttl: "1h" } : { type: "ephemeral" };
}
