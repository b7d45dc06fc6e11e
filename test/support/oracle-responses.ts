// Oracle for OpenAI Responses: `response.completed` or `response.incomplete` is the success marker.
import { pick, pickList, pickNumber, pickText } from "./json-pick.ts";
import { Draft, foldStream, verdictOf, type DraftCall, type Verdict } from "./oracle-verdict.ts";
import type { SseEvent } from "./sse-text.ts";

interface Item {
  readonly id: string | undefined;
  readonly call: DraftCall | undefined;
  /** Parts and texts that were begun and not yet said to be done. */
  readonly open: Set<string>;
  done: boolean;
}

class Items {
  created = false;
  sequence = -1;
  responseId: string | undefined;
  readonly items: Item[] = [];
}

export function judgeResponsesStream(bytes: Uint8Array): Verdict {
  const items = new Items();
  return foldStream(bytes, (event, data, draft) => readEvent(event, data, draft, items));
}

export function judgeResponsesAnswer(body: unknown): Verdict {
  const draft = new Draft();
  const error = pick(body, "error");
  const status = pickText(body, "status");
  if (error !== undefined && error !== null) {
    draft.fail({
      type: pickText(error, "type") ?? "",
      message: pickText(error, "message") ?? "",
      code: pickText(error, "code"),
    });
    return verdictOf(draft);
  }
  readOutput(pickList(body, "output"), draft);
  draft.stop = stopOf(body);
  draft.usage = pick(body, "usage");
  draft.complete = pick(body, "object") === "response" && (status === "completed" || status === "incomplete");
  if (draft.complete) draft.success(`status ${status}`);
  return verdictOf(draft);
}

function readEvent(event: SseEvent, data: unknown, draft: Draft, items: Items): boolean {
  const type = pickText(data, "type") ?? "";
  if (event.event !== "" && event.event !== type)
    draft.problems.push(`event line ${JSON.stringify(event.event)} but type ${JSON.stringify(type)}`);
  if (type === "keepalive" || type === "codex.rate_limits") return false;
  const sequence = pickNumber(data, "sequence_number");
  if (sequence === undefined || sequence <= items.sequence)
    draft.problems.push(`sequence_number ${sequence} after ${items.sequence} in ${type}`);
  items.sequence = sequence ?? items.sequence;
  if (type === "error") {
    const source = pick(data, "error") ?? data;
    draft.fail({
      type: pickText(source, "type") ?? "error",
      message: pickText(source, "message") ?? "",
      code: pickText(source, "code"),
    });
    return true;
  }
  if (!items.created && type !== "response.created" && type !== "response.failed")
    draft.problems.push(`${type} before response.created`);
  if (pick(data, "response") !== undefined) return readLifecycle(type, pick(data, "response"), draft, items);
  readItemEvent(type, data, draft, items);
  return false;
}

function readLifecycle(type: string, response: unknown, draft: Draft, items: Items): boolean {
  items.created = true;
  const id = pickText(response, "id");
  if (items.responseId !== undefined && id !== items.responseId)
    draft.problems.push(`response id changed in ${type}`);
  items.responseId ??= id;
  if (type === "response.failed") {
    const error = pick(response, "error");
    draft.fail({ type, message: pickText(error, "message") ?? "", code: pickText(error, "code") });
    return true;
  }
  if (type !== "response.completed" && type !== "response.incomplete") return false;
  draft.success(type);
  draft.complete = true;
  draft.stop = stopOf(response);
  draft.usage = pick(response, "usage");
  if (items.items.some((item) => !item.done)) draft.problems.push(`${type} with an open item`);
  compareOutput(pickList(response, "output"), draft);
  return true;
}

function readItemEvent(type: string, data: unknown, draft: Draft, items: Items): void {
  const index = pickNumber(data, "output_index");
  if (type === "response.output_item.added") {
    if (index !== items.items.length)
      draft.problems.push(`output_index ${index} where ${items.items.length} was due`);
    const item = pick(data, "item");
    const isCall = pick(item, "type") === "function_call" || pick(item, "type") === "custom_tool_call";
    const call = isCall ? draft.openCall(pickText(item, "call_id"), pickText(item, "name")) : undefined;
    items.items.push({ id: pickText(item, "id"), call, open: new Set(), done: false });
    return;
  }
  const item = index === undefined ? undefined : items.items[index];
  if (item === undefined || item.done) {
    if (index !== undefined) draft.problems.push(`${type} for an item that is not open`);
    return;
  }
  const itemId = pickText(data, "item_id") ?? pickText(data, "item", "id");
  if (itemId !== undefined && itemId !== item.id) draft.problems.push(`${type} with the id of another item`);
  readItemContent(type, data, draft, item);
}

function readItemContent(type: string, data: unknown, draft: Draft, item: Item): void {
  followParts(type, data, draft, item.open);
  const delta = pickText(data, "delta") ?? "";
  if (type === "response.output_text.delta" || type === "response.refusal.delta") draft.text += delta;
  if (type === "response.reasoning_summary_text.delta" || type === "response.reasoning_text.delta")
    draft.reasoning += delta;
  if (item.call !== undefined) readCall(type, data, draft, item.call);
  if (type !== "response.output_item.done") return;
  item.done = true;
  if (item.open.size > 0) draft.problems.push(`${type} before the end of ${[...item.open].join(", ")}`);
}

/** Every part is added before its text, every text that was begun is done before its part, and every part before its item. */
function followParts(type: string, data: unknown, draft: Draft, open: Set<string>): void {
  const index = pickNumber(data, "content_index") ?? pickNumber(data, "summary_index") ?? 0;
  const family = type.includes("summary") ? "summary" : "content";
  const part = `${family} part ${index}`;
  const text = type.includes("_call_") ? "call input" : `${family} text ${index}`;
  if (type.endsWith("_part.added")) open.add(part);
  else if (type.endsWith("_part.done")) {
    if (open.has(text)) draft.problems.push(`${type} before the end of its text`);
    open.delete(part);
  } else if (type.endsWith(".delta")) {
    const hasPart = text !== "call input" && type !== "response.reasoning_text.delta";
    if (hasPart && !open.has(part)) draft.problems.push(`${type} before its part was added`);
    open.add(text);
  } else if (/(_text|_arguments|_input|refusal)\.done$/.test(type)) open.delete(text);
}

function readCall(type: string, data: unknown, draft: Draft, call: DraftCall): void {
  if (type.endsWith("_call_arguments.delta") || type.endsWith("_call_input.delta"))
    call.arguments += pickText(data, "delta") ?? "";
  const whole = pickText(data, "arguments") ?? pickText(data, "item", "arguments");
  if (whole === undefined) return;
  if (call.arguments !== "" && call.arguments !== whole)
    draft.problems.push(`${type} differs from the deltas`);
  call.arguments = whole;
  call.closed = pick(data, "item", "status") !== "incomplete";
}

/** A finished stream names its output again; an empty list is what the ChatGPT backend sends. */
function compareOutput(output: readonly unknown[], draft: Draft): void {
  if (output.length === 0) return;
  const again = new Draft();
  readOutput(output, again);
  if (again.text !== draft.text) draft.problems.push("text of the last event differs from the deltas");
  const calls = (of: Draft): string =>
    JSON.stringify(of.calls.map((call) => [call.id, call.name, call.arguments]));
  if (calls(again) !== calls(draft))
    draft.problems.push("tool calls of the last event differ from the items");
}

function readOutput(output: readonly unknown[], draft: Draft): void {
  for (const item of output) {
    for (const part of pickList(item, "content"))
      draft.text += pickText(part, "text") ?? pickText(part, "refusal") ?? "";
    for (const part of pickList(item, "summary")) draft.reasoning += pickText(part, "text") ?? "";
    if (pick(item, "type") !== "function_call") continue;
    const call = draft.openCall(pickText(item, "call_id"), pickText(item, "name"));
    call.arguments = pickText(item, "arguments") ?? "";
    call.closed = pick(item, "status") !== "incomplete";
  }
}

function stopOf(response: unknown): string | undefined {
  return pickText(response, "incomplete_details", "reason") ?? pickText(response, "status");
}
