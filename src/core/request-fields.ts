// Checked reads of request fields: null is unset, a value of the wrong type is the client's error and named.

import type { Protocol } from "./account.ts";
import { GatewayError } from "./errors.ts";
import type { Identity, Prompt } from "./hub.ts";
import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

/** Something is wrong with a field. `param` is the body's field; the message may say where in it. */
export function invalid(param: string, message: string): GatewayError {
  return new GatewayError("invalid_request", message, { param });
}

/** Something cannot be carried to the upstream's protocol and would change the answer. */
export function unsupported(param: string, what: string): GatewayError {
  return new GatewayError("unsupported_field", `${what} cannot be carried to this model's upstream`, {
    param,
  });
}

/** Where a client's protocol has its conversation, for errors that are found while it is written elsewhere. */
export function conversationField(protocol: Protocol): string {
  return protocol === "responses" ? "input" : "messages";
}

function read<T extends Json>(
  body: JsonObject,
  key: string,
  kind: string,
  is: (value: Json) => value is T,
): T | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value;
  throw invalid(key, `${key} must be ${kind}`);
}

const isText = (value: Json): value is string => typeof value === "string";
const isFlag = (value: Json): value is boolean => typeof value === "boolean";
const isCount = (value: Json): value is number => Number.isInteger(value);
const isNumber = (value: Json): value is number => typeof value === "number";
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

export const textField = (body: JsonObject, key: string): string | undefined =>
  read(body, key, "a string", isText);
export const flagField = (body: JsonObject, key: string): boolean | undefined =>
  read(body, key, "a boolean", isFlag);
export const countField = (body: JsonObject, key: string): number | undefined =>
  read(body, key, "an integer", isCount);
const numberField = (body: JsonObject, key: string): number | undefined =>
  read(body, key, "a number", isNumber);
export const listField = (body: JsonObject, key: string): readonly Json[] | undefined =>
  read(body, key, "an array", isList);
export const objectField = (body: JsonObject, key: string): JsonObject | undefined =>
  read(body, key, "an object", isObject);

/** A limit of tokens: a positive integer. */
export function limitField(body: JsonObject, key: string): number | undefined {
  const limit = countField(body, key);
  if (limit !== undefined && limit < 1) throw invalid(key, `${key} must be at least 1`);
  return limit;
}

type Shared = Pick<Prompt, "temperature" | "topP" | "parallelCalls" | "identity">;

/** What Chat and Responses call by the same names. */
export function sharedFields(body: JsonObject): Shared {
  const identity: Identity = {
    user: textField(body, "user"),
    safetyId: textField(body, "safety_identifier"),
    metadata: objectField(body, "metadata"),
    tier: textField(body, "service_tier"),
    cacheKey: textField(body, "prompt_cache_key"),
    cacheRetention: textField(body, "prompt_cache_retention"),
    cacheOptions: objectField(body, "prompt_cache_options"),
  };
  return {
    temperature: numberField(body, "temperature"),
    topP: numberField(body, "top_p"),
    parallelCalls: flagField(body, "parallel_tool_calls"),
    identity,
  };
}

/** The same fields for a body to send; unset ones stay away. */
export function sharedMembers(prompt: Prompt): JsonObject {
  const { identity } = prompt;
  return {
    temperature: prompt.temperature,
    top_p: prompt.topP,
    parallel_tool_calls: prompt.parallelCalls,
    user: identity.user,
    safety_identifier: identity.safetyId,
    metadata: identity.metadata,
    service_tier: identity.tier,
    prompt_cache_key: identity.cacheKey,
    prompt_cache_retention: identity.cacheRetention,
    prompt_cache_options: identity.cacheOptions,
  };
}
