// Stop reasons, both ways.

import type { Stop, StopReason } from "../../core/hub.ts";
import { objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

const REASONS: ReadonlyMap<string, StopReason> = new Map([
  ["end_turn", "done"],
  ["stop_sequence", "stop_string"],
  ["tool_use", "tool_call"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "window"],
  ["refusal", "safety"],
  ["pause_turn", "pause"],
]);

/** From a `message_delta`'s delta. An unknown word counts as done; it is kept for the log. */
export function decodeStop(delta: JsonObject): Stop | undefined {
  const word = stringAt(delta, "stop_reason");
  if (word === undefined) return undefined;
  const sequence = stringAt(delta, "stop_sequence");
  const refusal = objectAt(delta, "stop_details");
  return { reason: REASONS.get(word) ?? "done", sequence, refusal, word };
}

const WORDS: Readonly<Record<StopReason, string>> = {
  done: "end_turn",
  stop_string: "stop_sequence",
  tool_call: "tool_use",
  length: "max_tokens",
  window: "model_context_window_exceeded",
  safety: "refusal",
  pause: "pause_turn",
  cut: "max_tokens",
};

/** @param refused whether the model said no in words of its own, which elsewhere is no reason to stop */
export function encodeStop({ reason, sequence, refusal }: Stop, refused: boolean): JsonObject {
  const word = refused && reason === "done" ? WORDS.safety : WORDS[reason];
  const stop = { stop_reason: word, stop_sequence: sequence ?? null };
  return refusal === undefined ? stop : { ...stop, stop_details: refusal };
}
