// The fields of a request, and what becomes of them on the way to another protocol. Each codec declares its own; what
// is refused, named as lost, and told in docs/protocols.md follows from the declarations.

import type { Prompt } from "./hub.ts";
import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { unsupported } from "./request-fields.ts";

/** What a request may wish for beside its conversation and its tools. */
const WISHES = [
  "maxOutput",
  "stop",
  "temperature",
  "topP",
  "topK",
  "logprobs",
  "effort",
  "summary",
  "format",
  "verbosity",
  "parallelCalls",
  "user",
  "safetyId",
  "metadata",
  "tier",
  "cacheKey",
  "cacheRetention",
  "cacheOptions",
] as const;

export type Wish = (typeof WISHES)[number];

/** A field that a client may send. */
export type Field =
  /** Carried, where the other protocol has a place for it (`Writes`). */
  | { readonly wish: Wish; readonly note?: string }
  /** Carried part by part: the conversation and the tools. */
  | { readonly holds: "conversation" | "tools" }
  /** The gateway's own business, or nothing that an answer hangs on; the text says which. */
  | { readonly aside: string }
  /** Only tunes the answer: left out and named. So is every field that is not declared. */
  | { readonly hint: string }
  /** Would change the answer: 400. `isIdle`: values that ask for nothing. */
  | { readonly refused: string; readonly isIdle?: (value: Json) => boolean };

/** By name; `a.b` for a member of an object. */
export type Fields = Readonly<Record<string, Field>>;

export type Written =
  /** Where it is written; which of several is the model's business. None: the gateway itself sees to it. */
  | { readonly at: readonly string[]; readonly note?: string }
  /** There is no such thing: it is left out and named. */
  | "hint"
  /** There is no such thing, and it would change the answer: 400. */
  | "refused";

export type Writes = Readonly<Record<Wish, Written>>;

/** What Chat and Responses call by the same names. */
export const SHARED_FIELDS: Fields = {
  model: { aside: "the account's name for it" },
  stream: { aside: "as the client asks" },
  parallel_tool_calls: { wish: "parallelCalls" },
  temperature: { wish: "temperature" },
  top_p: { wish: "topP" },
  user: { wish: "user" },
  safety_identifier: { wish: "safetyId" },
  metadata: { wish: "metadata" },
  service_tier: { wish: "tier" },
  prompt_cache_key: { wish: "cacheKey" },
  prompt_cache_retention: { wish: "cacheRetention" },
  prompt_cache_options: { wish: "cacheOptions" },
  n: { refused: "n other than 1", isIdle: (value) => value === 1 },
  moderation: { hint: "no counterpart" },
};

/** Where both have them. */
export const SHARED_WRITES = {
  temperature: { at: ["temperature"] },
  topP: { at: ["top_p"] },
  topK: "hint",
  parallelCalls: { at: ["parallel_tool_calls"] },
  user: { at: ["user"] },
  safetyId: { at: ["safety_identifier"] },
  tier: { at: ["service_tier"] },
  cacheKey: { at: ["prompt_cache_key"] },
  cacheRetention: { at: ["prompt_cache_retention"] },
  cacheOptions: { at: ["prompt_cache_options"] },
} as const satisfies Partial<Writes>;

/** @throws GatewayError `unsupported_field` */
export function refuseFields(body: JsonObject, fields: Fields): void {
  for (const [name, field] of Object.entries(fields)) {
    if (!("refused" in field)) continue;
    const value = memberAt(body, name);
    if (isSet(value) && field.isIdle?.(value) !== true) throw unsupported(name, field.refused);
  }
}

/** The fields that no other protocol has, of those the client has set. */
export function hintsIn(body: JsonObject, fields: Fields): readonly string[] {
  const known = new Map(Object.entries(fields).map(([name, field]) => [name.split(".")[0], field]));
  return Object.keys(body).filter((name) => {
    const field = known.get(name);
    return (field === undefined || "hint" in field) && !isNeutral(body[name]);
  });
}

/**
 * What the prompt wishes for and the body that was made of it does not say, by the names of the client's fields.
 * @param fields of the client's protocol
 * @param writes of the upstream's
 */
export function lostWishes(
  prompt: Prompt,
  fields: Fields,
  sent: JsonObject,
  writes: Writes,
): readonly string[] {
  return WISHES.filter((wish) => isLost(wish, wishIn(prompt, wish), sent, writes)).map((wish) =>
    nameOf(wish, fields, prompt.request),
  );
}

function isLost(wish: Wish, value: Json | undefined, sent: JsonObject, writes: Writes): boolean {
  const written = writes[wish];
  if (value === undefined || written === "refused") return false;
  if (written === "hint") return true;
  if (written.at.length === 0) return false;
  const found = written.at.map((name) => memberAt(sent, name)).find(isSet);
  return found === undefined || (wish === "temperature" && found !== value);
}

function nameOf(wish: Wish, fields: Fields, request: JsonObject): string {
  const names = Object.entries(fields).flatMap(([name, field]) =>
    "wish" in field && field.wish === wish ? [name] : [],
  );
  return names.find((name) => isSet(memberAt(request, name))) ?? names[0] ?? wish;
}

/** Undefined for what was not asked for, or is so anyway. */
function wishIn(prompt: Prompt, wish: Wish): Json | undefined {
  const { reasoning, identity, format } = prompt;
  switch (wish) {
    case "stop":
      return prompt.stop.length > 0 ? prompt.stop : undefined;
    case "effort":
    case "summary":
      return reasoning[wish] === "none" ? undefined : reasoning[wish];
    case "format":
      return format === undefined || format.type === "text" ? undefined : format.type;
    case "parallelCalls":
      return prompt.parallelCalls === false && prompt.tools.length > 0 ? false : undefined;
    case "maxOutput":
    case "temperature":
    case "topP":
    case "topK":
    case "logprobs":
    case "verbosity":
      return prompt[wish];
    default:
      return identity[wish];
  }
}

function memberAt(body: JsonObject, name: string): Json | undefined {
  let at: Json | undefined = body;
  for (const key of name.split(".")) at = isObject(at) ? at[key] : undefined;
  return at;
}

function isSet(value: Json | undefined): value is Json {
  return value !== undefined && value !== null;
}

function isNeutral(value: Json | undefined): boolean {
  if (!isSet(value) || value === false || value === 0) return true;
  return typeof value === "object" && Object.keys(value ?? {}).length === 0;
}
