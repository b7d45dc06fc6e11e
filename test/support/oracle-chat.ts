// Oracle for Chat Completions: success is a finish_reason and, after it, `[DONE]`.
import { isObject, pick, pickList, pickNumber, pickText } from "./json-pick.ts";
import { Draft, foldStream, verdictOf, type DraftCall, type Verdict } from "./oracle-verdict.ts";

class Chunks {
  id: string | undefined;
  role = false;
  readonly calls: DraftCall[] = [];
}

export function judgeChatStream(bytes: Uint8Array): Verdict {
  const chunks = new Chunks();
  return foldStream(bytes, (event, data, draft) => {
    if (event.event !== "") draft.problems.push(`event line ${JSON.stringify(event.event)}`);
    if (event.data !== "[DONE]") return readChunk(data, draft, chunks);
    if (draft.stop === undefined) draft.problems.push("[DONE] without finish_reason");
    draft.success("[DONE]");
    draft.complete = draft.stop !== undefined;
    return true;
  });
}

export function judgeChatAnswer(body: unknown): Verdict {
  const draft = new Draft();
  if (isObject(pick(body, "error"))) {
    draft.fail(errorOf(body));
    return verdictOf(draft);
  }
  const message = pick(body, "choices", 0, "message");
  draft.text = (pickText(message, "content") ?? "") + (pickText(message, "refusal") ?? "");
  draft.reasoning = pickText(message, "reasoning_content") ?? "";
  for (const entry of pickList(message, "tool_calls")) {
    const call = draft.openCall(
      pickText(entry, "id"),
      pickText(entry, "function", "name") ?? pickText(entry, "custom", "name"),
    );
    call.arguments = pickText(entry, "function", "arguments") ?? "";
    call.closed = true;
  }
  draft.stop = pickText(body, "choices", 0, "finish_reason");
  draft.usage = pick(body, "usage");
  draft.complete = pick(body, "object") === "chat.completion" && draft.stop !== undefined;
  if (draft.stop !== undefined) draft.success("finish_reason");
  return verdictOf(draft);
}

function readChunk(data: unknown, draft: Draft, chunks: Chunks): boolean {
  if (isObject(pick(data, "error"))) {
    draft.fail(errorOf(data));
    return true;
  }
  const id = pickText(data, "id");
  if (chunks.id !== undefined && id !== chunks.id) draft.problems.push("chunk with another id");
  chunks.id ??= id;
  if (isObject(pick(data, "usage"))) draft.usage = pick(data, "usage");
  const choice = pick(data, "choices", 0);
  if (choice === undefined) {
    if (!isObject(pick(data, "usage"))) draft.problems.push("chunk without choices and usage");
    return false;
  }
  if (draft.stop !== undefined) draft.problems.push("choice after finish_reason");
  readDelta(pick(choice, "delta"), draft, chunks);
  const finish = pickText(choice, "finish_reason");
  if (finish !== undefined) {
    draft.stop = finish;
    draft.success("finish_reason");
    for (const call of chunks.calls) call.closed = true;
  }
  return false;
}

function readDelta(delta: unknown, draft: Draft, chunks: Chunks): void {
  if (pick(delta, "role") === "assistant") chunks.role = true;
  const text = (pickText(delta, "content") ?? "") + (pickText(delta, "refusal") ?? "");
  const calls = pickList(delta, "tool_calls");
  if (!chunks.role && (text !== "" || calls.length > 0)) draft.problems.push("content before the role");
  draft.text += text;
  draft.reasoning += pickText(delta, "reasoning_content") ?? "";
  for (const entry of calls) readCall(entry, draft, chunks);
}

function readCall(entry: unknown, draft: Draft, chunks: Chunks): void {
  const index = pickNumber(entry, "index") ?? -1;
  const known = chunks.calls[index];
  if (known === undefined && index !== chunks.calls.length) {
    draft.problems.push(`tool index ${index} where ${chunks.calls.length} was due`);
    return;
  }
  const call =
    known ??
    draft.openCall(
      pickText(entry, "id"),
      pickText(entry, "function", "name") ?? pickText(entry, "custom", "name"),
    );
  if (known === undefined) chunks.calls.push(call);
  else if (pick(entry, "id") !== undefined) draft.problems.push(`tool call ${index} has its id twice`);
  if (known === undefined && pickText(entry, "type") === undefined)
    draft.problems.push(`tool call ${index} without type`);
  call.arguments += pickText(entry, "function", "arguments") ?? pickText(entry, "custom", "input") ?? "";
}

function errorOf(data: unknown): { type: string; message: string; code: string | undefined } {
  return {
    type: pickText(data, "error", "type") ?? "",
    message: pickText(data, "error", "message") ?? "",
    code: pickText(data, "error", "code"),
  };
}
