// The hub's items as messages of Chat Completions: an assistant turn's text and calls share one message, and
// its results follow at once.

import type { Block, CallItem, Item, MessageItem, Prompt, ResultItem } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { conversationField, unsupported } from "../../core/request-fields.ts";
import { shortId } from "../../core/tool-names.ts";
import type { ToolNames } from "../../core/tool-names.ts";
import { settleCalls, toldBlocks } from "../../core/tool-turns.ts";
import { encodeContent, encodePart } from "./content.ts";

/** One assistant message while its items come in. */
interface Turn {
  readonly reasoning: string[];
  readonly texts: string[];
  readonly refusals: string[];
  readonly calls: JsonObject[];
}

/** @throws GatewayError `unsupported_field` or `invalid_request` */
export function encodeMessages(prompt: Prompt, names: ToolNames): JsonObject[] {
  const messages: JsonObject[] = [];
  let turn: Turn | undefined;
  /** Images and files of the run of results: tool messages hold text only. */
  let moved: JsonObject[] = [];
  const closeTurn = (): void => {
    messages.push(...(turn === undefined ? [] : encodeTurn(turn)));
    turn = undefined;
  };
  const closeRun = (): void => {
    if (moved.length > 0) messages.push({ role: "user", content: moved });
    moved = [];
  };
  const param = conversationField(prompt.protocol);
  for (const item of settleCalls(prompt.items, param)) {
    if (item.type === "result") {
      closeTurn();
      messages.push(encodeResult(item, moved, param));
      continue;
    }
    closeRun();
    if (isTurn(item)) turn = grown(turn, item, names, param);
    else closeTurn();
    if (item.type === "instruction") messages.push(encodeInstruction(item.blocks, param));
    if (item.type === "message" && item.role === "user")
      messages.push({ role: "user", content: encodeContent(item.blocks, param) });
  }
  closeTurn();
  closeRun();
  return messages;
}

/** Always `system`: where `developer` is meant it is read as that, and most other servers know no other role. */
function encodeInstruction(blocks: readonly Block[], param: string): JsonObject {
  return { role: "system", content: encodeContent(blocks, param) };
}

function isTurn(item: Item): boolean {
  if (item.type === "message") return item.role === "assistant";
  return item.type === "reasoning" || item.type === "call" || item.type === "native";
}

function grown(open: Turn | undefined, item: Item, names: ToolNames, param: string): Turn {
  const turn = open ?? { reasoning: [], texts: [], refusals: [], calls: [] };
  // Reasoning without a seal came from a server that shows it, and some of those want it back within a tool
  // loop. Sealed reasoning belongs to another protocol, and its visible text is no part of the conversation.
  if (item.type === "reasoning" && item.seals.length === 0) turn.reasoning.push(...item.parts);
  if (item.type === "call") turn.calls.push(encodeCall(item, names));
  if (item.type === "message") addMessage(turn, item, param);
  return turn;
}

function addMessage(turn: Turn, item: MessageItem, param: string): void {
  const text = item.blocks.map((block) => (block.type === "text" ? block.text : "")).join("");
  if (text !== "") turn.texts.push(text);
  for (const block of item.blocks) {
    if (block.type === "refusal") turn.refusals.push(block.text);
    else if (block.type !== "text") throw unsupported(param, "media in an assistant message");
  }
}

function encodeTurn({ reasoning, texts, refusals, calls }: Turn): JsonObject[] {
  if (texts.length + refusals.length + calls.length === 0) return [];
  return [
    {
      role: "assistant",
      content: texts.length > 0 ? texts.join("\n\n") : null,
      ...(refusals.length > 0 ? { refusal: refusals.join("\n\n") } : {}),
      ...(reasoning.length > 0 ? { reasoning_content: reasoning.join("\n\n") } : {}),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
  ];
}

function encodeCall(call: CallItem, names: ToolNames): JsonObject {
  const [id, name] = [shortId(call.id), names.wire(call)];
  return call.kind === "custom"
    ? { id, type: "custom", custom: { name, input: call.input } }
    : { id, type: "function", function: { name, arguments: call.input } };
}

function encodeResult(result: ResultItem, moved: JsonObject[], param: string): JsonObject {
  const id = shortId(result.callId);
  const blocks = toldBlocks(result);
  const others = blocks.filter((block) => block.type !== "text");
  if (others.length > 0)
    moved.push(
      { type: "text", text: `Output of the tool call ${id}:` },
      ...others.map((block) => encodePart(block, param)),
    );
  const content = encodeContent(
    blocks.filter((block) => block.type === "text"),
    param,
  );
  return { role: "tool", tool_call_id: id, content };
}
