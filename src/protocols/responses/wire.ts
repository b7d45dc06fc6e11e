// Responses as a relay sees it: every event carries its own `type`, and the `event:` line repeats it.

import { folderOf } from "../../core/fold.ts";
import type { Fault } from "../../core/errors.ts";
import type { Usage } from "../../core/exchange.ts";
import { labelOf, mayHold, memberName } from "../../core/frame-peek.ts";
import { arrayAt, objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import type { FrameKind, Wire } from "../../core/ports.ts";
import { encodeSse } from "../../core/sse.ts";
import type { SseFrame } from "../../core/sse.ts";
import { readTotals } from "../../core/usage.ts";
import { plainErrorBody, readError } from "../../core/wire-error.ts";
import { ResponseFold } from "./fold.ts";
import { leaveOut, sealsIn } from "./leave-out.ts";
import { unfoldEvents } from "./unfold.ts";

const KINDS: ReadonlyMap<string, FrameKind> = new Map([
  ["response.created", "prelude"],
  ["response.in_progress", "prelude"],
  ["response.queued", "prelude"],
  ["response.completed", "end"],
  ["response.incomplete", "end"],
  ["response.failed", "error"],
  ["error", "error"],
]);

export const USAGE_NAMES = {
  input: "input_tokens",
  inputDetails: "input_tokens_details",
  output: "output_tokens",
  outputDetails: "output_tokens_details",
} as const;

/**
 * Codes a client acts upon in `response.failed`; any other is told as `server_error`, which is retried. The
 * overload codes are left out on purpose: Codex takes them as final (measured, 0.169).
 */
const FAILED_CODES = new Set([
  "rate_limit_exceeded",
  "invalid_prompt",
  "context_length_exceeded",
  "insufficient_quota",
  "usage_not_included",
  "cyber_policy",
]);

const USAGE = memberName("usage");
const isOwn = (name: string): boolean => name.startsWith("response.") || name === "error";

function kind(frame: SseFrame): FrameKind {
  const label = labelOf(frame, isOwn);
  if (label === undefined) return "aside";
  const type = isOwn(label.name) ? label.name : (label.type ?? "");
  return KINDS.get(type) ?? (type.startsWith("response.") ? "content" : "aside");
}

function usage(data: JsonObject): Partial<Usage> | undefined {
  return readTotals(objectAt(data, "usage") ?? objectAt(data["response"], "usage"), USAGE_NAMES);
}

/** A `response.failed` error: a code that typed clients know, and the words of whoever failed. */
export function failedError(fault: Fault): { code: string; message: string } {
  const { code, message, status, retryAfterMs } = fault;
  const known = code !== null && FAILED_CODES.has(code);
  const failed = known ? code : status === 429 ? "rate_limit_exceeded" : "server_error";
  const own = code !== null && code.startsWith("gateway_") && !message.startsWith("gateway_");
  const words = own ? `${code}: ${message}` : message;
  // Codex reads the wait out of the text.
  const wait = retryAfterMs !== undefined && !/try again in/i.test(words);
  return {
    code: failed,
    message: wait ? `${words} Please try again in ${Math.ceil(retryAfterMs / 1000)}s.` : words,
  };
}

function errorEvent(fault: Fault, requestId: string, responseId = `resp_${requestId}`): string {
  const response = {
    id: responseId,
    object: "response",
    status: "failed",
    error: failedError(fault),
    incomplete_details: null,
    output: [],
    usage: null,
  };
  // The relay does not count events; sequence numbers only have to rise.
  const event = { type: "response.failed", sequence_number: Number.MAX_SAFE_INTEGER, response };
  return encodeSse(JSON.stringify(event), event.type);
}

export const responsesWire: Wire = {
  protocol: "responses",
  family: "openai",
  // A typed event: comments do not reset Codex's idle timer.
  keepAlive: encodeSse('{"type":"keepalive"}', "keepalive"),
  kind,
  isAnswer: (data) => arrayAt(data, "output") !== undefined,
  usage,
  mayCount: (frame) => mayHold(frame, USAGE),
  responseId: (data) =>
    stringAt(data["response"], "id") ??
    (stringAt(data, "object") === "response" ? stringAt(data, "id") : undefined),
  error: readError,
  errorBody: plainErrorBody,
  errorEvent,
  unfold: (answer) =>
    unfoldEvents(answer)
      .map((event) => encodeSse(JSON.stringify(event), stringAt(event, "type")))
      .join(""),
  folder: () => folderOf(new ResponseFold()),
  leaveOut,
  seals: sealsIn,
};
