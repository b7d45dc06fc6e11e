// Which top-level fields of a Responses request the ChatGPT backend does not take ("Unsupported parameter"), and
// what becomes of each: a hint goes, what would change the answer is refused.

import type { Json } from "../../core/json.ts";

/** Fields that only tune the answer or its handling, with the value that says what leaving them out says too. */
export const HINTS: ReadonlyMap<string, Json | undefined> = new Map<string, Json | undefined>([
  ["context_management", undefined],
  ["frequency_penalty", 0],
  ["max_completion_tokens", undefined],
  ["max_output_tokens", undefined],
  ["max_tokens", undefined],
  ["metadata", undefined],
  ["presence_penalty", 0],
  ["prompt_cache_breakpoint", undefined],
  ["prompt_cache_options", undefined],
  ["prompt_cache_retention", undefined],
  ["safety_identifier", undefined],
  ["seed", undefined],
  ["stream_options", undefined],
  ["temperature", 1],
  ["top_p", 1],
  ["truncation", "disabled"],
  ["user", undefined],
]);

interface Refused {
  /** How the error names it. */
  readonly what: string;
  /** Whether the value asks for nothing; then the field goes without a word. */
  readonly isIdle: (value: Json) => boolean;
}

const isFalse = (value: Json): boolean => value === false;
const isNever = (): boolean => false;

/** Fields whose loss would change the answer: null is always idle. */
export const REFUSED: ReadonlyMap<string, Refused> = new Map<string, Refused>([
  ["audio", { what: "audio output", isIdle: isNever }],
  ["background", { what: "background", isIdle: isFalse }],
  ["conversation", { what: "conversation", isIdle: isNever }],
  ["logprobs", { what: "logprobs", isIdle: isFalse }],
  [
    "modalities",
    { what: "audio output", isIdle: (value) => Array.isArray(value) && !value.includes("audio") },
  ],
  ["n", { what: "n other than 1", isIdle: (value) => value === 1 }],
  // Nothing is kept there, so the earlier turns cannot be restored.
  ["previous_response_id", { what: "previous_response_id", isIdle: isNever }],
  ["prompt", { what: "prompt", isIdle: isNever }],
  ["top_logprobs", { what: "top_logprobs", isIdle: (value) => value === 0 }],
]);

/** Tiers that say what no tier says. */
const USUAL_TIERS: ReadonlySet<Json> = new Set(["auto", "default"]);

/** Whether a dropped hint asked for anything. */
export function isIdleHint(key: string, value: Json): boolean {
  if (value === null || value === HINTS.get(key)) return true;
  if (key === "service_tier" && USUAL_TIERS.has(value)) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** What Chat calls the fields that Responses has under another name. */
const CHAT_NAMES: Readonly<Record<string, readonly string[]>> = {
  include: ["logprobs"],
  input: ["messages"],
  max_output_tokens: ["max_completion_tokens", "max_tokens"],
  "reasoning.effort": ["reasoning_effort"],
  top_logprobs: ["logprobs"],
};

/** The name under which a Chat client knows a field; `has` says which fields its request holds. */
export function chatName(field: string, has: (key: string) => boolean): string {
  return CHAT_NAMES[field]?.find(has) ?? field;
}
