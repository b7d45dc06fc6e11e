// Finish reasons, both ways.

import type { Stop, StopReason } from "../../core/hub.ts";

const REASONS: ReadonlyMap<string, StopReason> = new Map([
  ["stop", "done"],
  ["length", "length"],
  ["tool_calls", "tool_call"],
  ["function_call", "tool_call"],
  ["content_filter", "safety"],
]);

/** An unknown word counts as done; it is kept for the log. */
export function decodeFinish(word: string): Stop {
  return { reason: REASONS.get(word) ?? "done", word };
}

const WORDS: Readonly<Record<StopReason, string>> = {
  done: "stop",
  stop_string: "stop",
  tool_call: "tool_calls",
  length: "length",
  window: "length",
  safety: "content_filter",
  pause: "stop",
  cut: "length",
};

/** `oldForm`: the client asked with `functions`, whose answers have a word of their own. */
export function encodeFinish(stop: Stop, oldForm: boolean): string {
  return oldForm && stop.reason === "tool_call" ? "function_call" : WORDS[stop.reason];
}
