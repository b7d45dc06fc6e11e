// Chat Completions as a relay sees it: unnamed events, told apart by what their chunk holds.

import { folderOf } from "../../core/fold.ts";
import type { Usage } from "../../core/exchange.ts";
import { bytesOf, indexIn, mayHold, memberName } from "../../core/frame-peek.ts";
import { arrayAt, isObject, objectAt, parseObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { FrameKind, Wire } from "../../core/ports.ts";
import { encodeSse } from "../../core/sse.ts";
import type { SseFrame } from "../../core/sse.ts";
import { readTotals } from "../../core/usage.ts";
import { plainErrorBody, readError } from "../../core/wire-error.ts";
import { CompletionFold } from "./fold.ts";
import { leaveOut } from "./leave-out.ts";
import { unfoldEvents } from "./unfold.ts";

export const USAGE_NAMES = {
  input: "prompt_tokens",
  inputDetails: "prompt_tokens_details",
  output: "completion_tokens",
  outputDetails: "completion_tokens_details",
} as const;

/** Ends the stream; the only event that is not JSON. */
export const DONE = "[DONE]";

const ERROR = memberName("error");
const FINISH = memberName("finish_reason");
const USAGE = memberName("usage");
/** How a delta that says something looks in nearly every chunk; what looks otherwise is parsed. */
const SPEAKS = [bytesOf('"delta":{"content":"'), bytesOf('"function":{"arguments":"')];
const QUOTE = 0x22;

function kind(frame: SseFrame): FrameKind {
  if (speaks(frame) && !mayHold(frame, ERROR) && !mayHold(frame, FINISH)) return "content";
  const { data } = frame;
  if (data === undefined) return "aside";
  if (data.trim() === DONE) return "end";
  const chunk = parseObject(data);
  return chunk === undefined ? "aside" : kindOfChunk(chunk);
}

/** Whether the frame is a single `data:` line whose delta visibly holds text. */
function speaks(frame: SseFrame): boolean {
  const { bytes } = frame;
  return SPEAKS.some((text) => {
    const at = indexIn(bytes, text, 0);
    return at > 0 && bytes[at + text.length] !== QUOTE && bytes[0] === 0x64;
  });
}

function kindOfChunk(chunk: JsonObject): FrameKind {
  if (chunk["error"] !== undefined && chunk["error"] !== null) return "error";
  const choices = arrayAt(chunk, "choices") ?? [];
  if (choices.length === 0) return "aside";
  if (choices.some((choice) => isObject(choice) && typeof choice["finish_reason"] === "string"))
    return "finish";
  return choices.some((choice) => hasContent(objectAt(choice, "delta"))) ? "content" : "prelude";
}

/** Anything in a delta but its role: servers stream reasoning, audio and more under names of their own. */
function hasContent(delta: JsonObject | undefined): boolean {
  if (delta === undefined) return false;
  return Object.entries(delta).some(([key, value]) => key !== "role" && !isEmpty(value));
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function usage(data: JsonObject): Partial<Usage> | undefined {
  return readTotals(objectAt(data, "usage"), USAGE_NAMES);
}

/** Unnamed, one line of data. */
const asEvent = (data: string): string => encodeSse(data);

export const chatWire: Wire = {
  protocol: "chat",
  family: "openai",
  // A comment: any JSON without choices breaks the helpers of official clients.
  keepAlive: ": keepalive\n\n",
  kind,
  isAnswer: (data) => arrayAt(data, "choices") !== undefined,
  usage,
  mayCount: (frame) => mayHold(frame, USAGE),
  responseId: () => undefined,
  error: readError,
  errorBody: plainErrorBody,
  errorEvent: (fault) => encodeSse(JSON.stringify(plainErrorBody(fault))),
  unfold: (answer) =>
    [...unfoldEvents(answer).map((chunk) => JSON.stringify(chunk)), DONE].map(asEvent).join(""),
  folder: () => folderOf(new CompletionFold(), DONE),
  leaveOut,
  // Servers of this protocol show their reasoning or keep it.
  seals: () => [],
};
