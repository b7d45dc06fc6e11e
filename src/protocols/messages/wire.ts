// Messages as a relay sees it: events are told apart by their `event:` name, which official clients require.

import { folderOf } from "../../core/fold.ts";
import { labelOf, mayHold, memberName } from "../../core/frame-peek.ts";
import { arrayAt, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import type { FrameKind, Wire } from "../../core/ports.ts";
import { encodeSse } from "../../core/sse.ts";
import type { SseFrame } from "../../core/sse.ts";
import { givenCounts } from "../../core/usage.ts";
import { readError } from "../../core/wire-error.ts";
import { MessageFold } from "./fold.ts";
import { unfoldEvents } from "./unfold.ts";
import { leaveOut, sealsIn } from "./leave-out.ts";
import type { Fault } from "../../core/errors.ts";
import type { Usage } from "../../core/exchange.ts";

const KINDS: ReadonlyMap<string, FrameKind> = new Map([
  ["message_start", "prelude"],
  // An empty block counts as content too: it is followed by its text at once.
  ["content_block_start", "content"],
  ["content_block_delta", "content"],
  ["content_block_stop", "content"],
  ["message_delta", "content"],
  ["message_stop", "end"],
  ["error", "error"],
]);

const USAGE = memberName("usage");
const isNamed = (name: string): boolean => name !== "";

function kind(frame: SseFrame): FrameKind {
  const label = labelOf(frame, isNamed);
  if (label === undefined) return "aside";
  return KINDS.get(label.name === "" ? (label.type ?? "") : label.name) ?? "aside";
}

function usage(data: JsonObject): Partial<Usage> | undefined {
  const counts = objectAt(data, "usage") ?? objectAt(data["message"], "usage");
  if (counts === undefined) return undefined;
  return givenCounts({
    input: numberAt(counts, "input_tokens"),
    cacheRead: numberAt(counts, "cache_read_input_tokens"),
    cacheWrite: numberAt(counts, "cache_creation_input_tokens"),
    output: numberAt(counts, "output_tokens"),
    reasoning: numberAt(objectAt(counts, "output_tokens_details"), "thinking_tokens"),
  });
}

/** Which field an error is about has no place of its own here, so it is told among the details. */
function errorBody({ type, message, param }: Fault, requestId: string): JsonObject {
  const told = param === null ? { type, message } : { type, message, details: { param } };
  return { type: "error", error: told, request_id: requestId };
}

export const messagesWire: Wire = {
  protocol: "messages",
  family: "anthropic",
  keepAlive: encodeSse('{"type":"ping"}', "ping"),
  kind,
  isAnswer: (data) => arrayAt(data, "content") !== undefined,
  usage,
  mayCount: (frame) => mayHold(frame, USAGE),
  responseId: (data) => stringAt(data["message"], "id") ?? stringAt(data, "id"),
  error: readError,
  errorBody,
  errorEvent: (fault, requestId) => encodeSse(JSON.stringify(errorBody(fault, requestId)), "error"),
  unfold: (answer) =>
    unfoldEvents(answer)
      .map((event) => encodeSse(JSON.stringify(event), stringAt(event, "type")))
      .join(""),
  folder: () => folderOf(new MessageFold()),
  leaveOut,
  seals: sealsIn,
};
