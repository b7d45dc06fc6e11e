// Oracle for Anthropic Messages: `message_stop` is the only success marker.
import { isObject, pick, pickList, pickNumber, pickText } from "./json-pick.ts";
import { Draft, foldStream, verdictOf, type DraftCall, type Verdict } from "./oracle-verdict.ts";
import type { SseEvent } from "./sse-text.ts";

const KNOWN_AFTER_START = new Set([
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop",
]);

export function judgeMessagesStream(bytes: Uint8Array): Verdict {
  const blocks = new Blocks();
  return foldStream(bytes, (event, data, draft) => readEvent(event, data, draft, blocks));
}

export function judgeMessagesAnswer(body: unknown): Verdict {
  const draft = new Draft();
  if (pick(body, "type") === "error") {
    draft.fail(errorOf(body));
    return verdictOf(draft);
  }
  for (const block of pickList(body, "content")) {
    draft.text += pickText(block, "text") ?? "";
    draft.reasoning += pickText(block, "thinking") ?? "";
    if (pick(block, "type") !== "tool_use") continue;
    const call = draft.openCall(pickText(block, "id"), pickText(block, "name"));
    call.arguments = JSON.stringify(pick(block, "input") ?? null);
    call.closed = true;
  }
  draft.stop = pickText(body, "stop_reason");
  draft.usage = pick(body, "usage");
  draft.complete = pick(body, "type") === "message" && draft.stop !== undefined && isObject(draft.usage);
  if (draft.stop !== undefined) draft.success("stop_reason");
  return verdictOf(draft);
}

class Blocks {
  started = false;
  next = 0;
  open: number | undefined;
  call: DraftCall | undefined;
}

function readEvent(event: SseEvent, data: unknown, draft: Draft, blocks: Blocks): boolean {
  const type = pickText(data, "type") ?? "";
  if (event.event !== type)
    draft.problems.push(`event line ${JSON.stringify(event.event)} but type ${JSON.stringify(type)}`);
  if (!blocks.started && KNOWN_AFTER_START.has(type)) draft.problems.push(`${type} before message_start`);
  switch (type) {
    case "message_start":
      if (blocks.started) draft.problems.push("message_start twice");
      blocks.started = true;
      draft.usage = pick(data, "message", "usage");
      if (!isObject(draft.usage)) draft.problems.push("message_start without usage");
      return false;
    case "content_block_start":
      startBlock(data, draft, blocks);
      return false;
    case "content_block_delta":
      readDelta(data, draft, blocks);
      return false;
    case "content_block_stop":
      if (pick(data, "index") !== blocks.open)
        draft.problems.push("content_block_stop for a block that is not open");
      if (blocks.call !== undefined) blocks.call.closed = true;
      blocks.open = undefined;
      blocks.call = undefined;
      return false;
    case "message_delta":
      readMessageDelta(data, draft);
      return false;
    case "message_stop":
      if (blocks.open !== undefined) draft.problems.push("message_stop inside a block");
      if (draft.stop === undefined) draft.problems.push("message_stop without stop_reason");
      draft.success("message_stop");
      draft.complete = true;
      return true;
    case "error":
      draft.fail(errorOf(data));
      return true;
    default:
      return false;
  }
}

function startBlock(data: unknown, draft: Draft, blocks: Blocks): void {
  const index = pickNumber(data, "index");
  if (blocks.open !== undefined) draft.problems.push("content_block_start inside a block");
  if (index !== blocks.next) draft.problems.push(`block index ${index} where ${blocks.next} was due`);
  blocks.next += 1;
  blocks.open = index;
  const block = pick(data, "content_block");
  draft.text += pickText(block, "text") ?? "";
  draft.reasoning += pickText(block, "thinking") ?? "";
  if (pick(block, "type") === "tool_use")
    blocks.call = draft.openCall(pickText(block, "id"), pickText(block, "name"));
}

function readDelta(data: unknown, draft: Draft, blocks: Blocks): void {
  if (blocks.open === undefined || pick(data, "index") !== blocks.open)
    draft.problems.push("delta for a block that is not open");
  draft.text += pickText(data, "delta", "text") ?? "";
  draft.reasoning += pickText(data, "delta", "thinking") ?? "";
  const json = pickText(data, "delta", "partial_json");
  if (json !== undefined && blocks.call === undefined)
    draft.problems.push("input_json_delta outside a tool call");
  if (json !== undefined && blocks.call !== undefined) blocks.call.arguments += json;
}

function readMessageDelta(data: unknown, draft: Draft): void {
  const stop = pickText(data, "delta", "stop_reason");
  if (stop !== undefined) draft.success("stop_reason");
  draft.stop = stop ?? draft.stop;
  const usage = pick(data, "usage");
  if (!isObject(usage)) draft.problems.push("message_delta without usage");
  else draft.usage = { ...(isObject(draft.usage) ? draft.usage : {}), ...usage };
}

function errorOf(data: unknown): { type: string; message: string; code: string | undefined } {
  const type = pickText(data, "error", "type") ?? "";
  return {
    type,
    message: pickText(data, "error", "message") ?? "",
    code: pickText(data, "error", "details", "error_code"),
  };
}
