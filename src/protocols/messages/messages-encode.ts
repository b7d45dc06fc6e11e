// The hub's items as messages: what the model said and called in one turn is one message, the results lead the
// user's next one, and instructions stand apart, in their place, or with the user.

import type { CallItem, InstructionItem, Item, Prompt, ReasoningItem, ResultItem } from "../../core/hub.ts";
import { parseExactly, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { conversationField, invalid, unsupported } from "../../core/request-fields.ts";
import type { ToolNames } from "../../core/tool-names.ts";
import { settleCalls } from "../../core/tool-turns.ts";
import { encodeBlocks, marked } from "./content.ts";
import { legalId } from "./ids.ts";
import type { ModelTraits } from "./models.ts";

/** Stands in for a user who said nothing, which no message may. */
const NOTHING_SAID: JsonObject = { type: "text", text: "Go on." };
/** Where a conversation begins without a user; what comes later does not move it. */
const OPENING: JsonObject = { role: "user", content: [NOTHING_SAID] };

interface Message {
  readonly role: "user" | "assistant" | "system";
  readonly content: JsonObject[];
}

export interface Conversation {
  readonly system: readonly JsonObject[];
  readonly messages: readonly JsonObject[];
  /** Whether the last turn called tools without having thought before. */
  readonly bare: boolean;
}

/** @throws GatewayError `unsupported_field` or `invalid_request` */
export function encodeConversation(prompt: Prompt, names: ToolNames, traits: ModelTraits): Conversation {
  const param = conversationField(prompt.protocol);
  const begin = prompt.items.findIndex((item) => item.type !== "instruction");
  const leads = (item: Item, at: number): item is InstructionItem =>
    item.type === "instruction" && (item.top || begin < 0 || at < begin);
  const system = prompt.items.filter(leads).flatMap((item) => encodeBlocks(item.blocks, param));
  const rest = prompt.items.filter((item, at) => !leads(item, at));
  const turns = new Turns({ names, traits, param });
  for (const item of settleCalls(rest, param)) turns.add(item);
  const { messages } = turns;
  const last = messages.at(-1);
  if (last?.role === "assistant") endPrefill(last, traits, param);
  const written = messages.map((message): JsonObject => ({ ...message }));
  const [first] = rest;
  const opening = first?.type === "message" && first.role === "user" ? [] : [OPENING];
  return { system, messages: [...opening, ...written], bare: isBare(messages) };
}

/** A begun answer may not end in space. */
function endPrefill({ content }: Message, traits: ModelTraits, param: string): void {
  if (!traits.prefill) throw unsupported(param, "the beginning of an answer, to be continued,");
  const last = content.at(-1);
  const text = stringAt(last, "text");
  if (last !== undefined && text !== undefined)
    content[content.length - 1] = { ...last, text: text.trimEnd() };
}

/** Models that think by budget want the thinking of the tool loop they are in, or none at all. */
function isBare(messages: readonly Message[]): boolean {
  const [turn, results] = messages.filter(({ role }) => role !== "system").slice(-2);
  if (turn?.role !== "assistant" || results?.content[0]?.["type"] !== "tool_result") return false;
  const first = turn.content[0]?.["type"];
  return first !== "thinking" && first !== "redacted_thinking";
}

interface Around {
  readonly names: ToolNames;
  readonly traits: ModelTraits;
  /** The client's field, for errors. */
  readonly param: string;
}

class Turns {
  readonly messages: Message[] = [];
  readonly #around: Around;
  /** Whether the model's last turn said nothing: it has no message, and still ends what was before. */
  #silent = false;

  constructor(around: Around) {
    this.#around = around;
  }

  add(item: Item): void {
    const { names, param } = this.#around;
    switch (item.type) {
      case "instruction":
        return this.#instruct(item);
      case "message":
        if (item.role === "user") return this.#ask(encodeBlocks(item.blocks, param));
        return this.#say(encodeBlocks(item.blocks, param));
      case "reasoning":
        return this.#think(encodeReasoning(item));
      case "call":
        return void this.#turn("assistant").content.push(encodeCall(item, names, param));
      case "result":
        return this.#answer(encodeResult(item, param));
      case "native":
        // Another protocol's provider did this by itself; here it would be a call that nobody answers.
        if (item.native.protocol === "messages") this.#think([item.native.value]);
    }
  }

  /** The message that is being written, or a new one. */
  #turn(role: Message["role"]): Message {
    const last = this.messages.at(-1);
    if (last?.role === role) return last;
    const begun: Message = { role, content: [] };
    this.messages.push(begun);
    return begun;
  }

  #ask(blocks: readonly JsonObject[]): void {
    if (blocks.length > 0) this.#tell(blocks);
    else if (this.messages.at(-1)?.role !== "user") this.#tell([NOTHING_SAID]);
  }

  /** Messages of a user stay apart, so that a longer conversation begins as the shorter one; results do not. */
  #tell(blocks: readonly JsonObject[]): void {
    const last = this.messages.at(-1);
    const joins = last?.role === "user" && last.content[0]?.["type"] === "tool_result" && !this.#silent;
    if (joins) last.content.push(...blocks);
    else this.messages.push({ role: "user", content: [...blocks] });
    this.#silent = false;
  }

  #answer(result: JsonObject): void {
    this.#turn("user").content.push(result);
  }

  #think(blocks: readonly JsonObject[]): void {
    if (blocks.length > 0) this.#turn("assistant").content.push(...blocks);
  }

  /** Calls end a turn: what was said between them goes before them, but never before a thought. */
  #say(blocks: readonly JsonObject[]): void {
    this.#silent = blocks.length === 0;
    if (this.#silent) return;
    const { content } = this.#turn("assistant");
    const thought = content.findLastIndex(
      (block) => block["type"] !== "tool_use" && block["type"] !== "text",
    );
    const call = content.findIndex((block, at) => at > thought && block["type"] === "tool_use");
    content.splice(call < 0 ? content.length : call, 0, ...blocks);
  }

  #instruct({ blocks }: InstructionItem): void {
    const { traits, param } = this.#around;
    const texts = encodeBlocks(blocks, param);
    if (texts.length === 0) return this.#ask(texts);
    const before = this.messages.at(-1)?.role;
    if (traits.midSystem && (before === "user" || (before === "system" && !this.#silent)))
      return void this.#turn("system").content.push(...texts);
    const told = texts.map((block) => stringAt(block, "text")).join("\n\n");
    this.#tell([{ type: "text", text: `<system>\n${told}\n</system>` }]);
  }
}

/** Only what this protocol has sealed itself; other reasoning, sealed or not, is no part of the conversation. */
function encodeReasoning({ parts, seals }: ReasoningItem): JsonObject[] {
  return seals.flatMap(({ protocol, kind, data }): JsonObject[] => {
    if (protocol !== "messages") return [];
    if (kind === "redacted") return [{ type: "redacted_thinking", data }];
    return [{ type: "thinking", thinking: parts.join("\n\n"), signature: data }];
  });
}

function encodeCall(call: CallItem, names: ToolNames, param: string): JsonObject {
  const { kind, id, input: text } = call;
  // A thought that comes back with the call vouches for it as the model wrote it.
  const input = kind === "custom" ? { input: text } : parseExactly(text);
  if (input === undefined) throw invalid(param, `the arguments of the call ${id} are not a JSON object`);
  return marked({ type: "tool_use", id: legalId(id), name: names.wire(call), input }, call.cache);
}

function encodeResult({ callId, blocks, failed, cache }: ResultItem, param: string): JsonObject {
  const content = encodeBlocks(blocks, param);
  const told = content.length > 0 ? { content } : {};
  const result = { type: "tool_result", tool_use_id: legalId(callId), ...told };
  return marked(failed ? { ...result, is_error: true } : result, cache);
}
