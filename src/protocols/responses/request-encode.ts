// A request of the hub written as Responses. Nothing is kept at the provider: the whole conversation is sent
// every time.

import type { CallItem, Item, Prompt, ReasoningItem } from "../../core/hub.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { EncodeTarget } from "../../core/ports.ts";
import { writeFormat } from "../../core/output-format.ts";
import { conversationField, sharedMembers } from "../../core/request-fields.ts";
import { ToolNames, shortId } from "../../core/tool-names.ts";
import { settleCalls, toldBlocks } from "../../core/tool-turns.ts";
import { encodeInput, encodeOutput } from "./content.ts";
import { encodeTools } from "./tools.ts";

/** Less is refused by the API. */
const MIN_OUTPUT_TOKENS = 16;

/** @throws GatewayError `unsupported_field` or `invalid_request` */
export function encodeRequest(prompt: Prompt, target: EncodeTarget): JsonObject {
  const names = new ToolNames(prompt.tools);
  const { parallel_tool_calls: _, ...shared } = sharedMembers(prompt);
  const { maxOutput, logprobs, reasoning, format, verbosity } = prompt;
  const text = { format: format && writeFormat(format, (wish) => wish), verbosity };
  const wish = { effort: reasoning.effort, summary: asked(reasoning.summary) };
  return {
    model: target.model,
    instructions: encodeInstructions(prompt.items),
    input: encodeItems(prompt, names),
    ...encodeTools(prompt, names),
    max_output_tokens: maxOutput === undefined ? undefined : Math.max(MIN_OUTPUT_TOKENS, maxOutput),
    ...shared,
    top_logprobs: logprobs,
    reasoning: filled(wish),
    text: filled(text),
    include: encodeInclude(prompt),
    store: false,
    stream: target.stream,
  };
}

function asked(summary: string | undefined): string | undefined {
  return summary === "none" ? undefined : summary;
}

/** An object with at least one member set, or nothing. */
function filled(members: JsonObject): JsonObject | undefined {
  return Object.values(members).some((value) => value !== undefined) ? members : undefined;
}

function encodeInclude(prompt: Prompt): Json | undefined {
  const include = [];
  if (prompt.reasoning.sealed) include.push("reasoning.encrypted_content");
  if (prompt.logprobs !== undefined) include.push("message.output_text.logprobs");
  return include.length > 0 ? include : undefined;
}

function encodeInstructions(items: readonly Item[]): string | undefined {
  const top = items.flatMap((item) => (item.type === "instruction" && item.top ? item.blocks : []));
  return top.length > 0 ? top.map((block) => block.text).join("\n\n") : undefined;
}

function encodeItems(prompt: Prompt, names: ToolNames): JsonObject[] {
  const kinds = new Map<string, CallItem["kind"]>();
  const param = conversationField(prompt.protocol);
  return settleCalls(prompt.items, param).flatMap((item) => {
    if (item.type === "call") kinds.set(item.id, item.kind);
    const encoded = encodeItem(item, { names, kinds, param });
    return encoded === undefined ? [] : [encoded];
  });
}

interface Around {
  readonly names: ToolNames;
  /** How the calls so far were made, since results answer in kind. */
  readonly kinds: ReadonlyMap<string, CallItem["kind"]>;
  /** The client's field, for errors. */
  readonly param: string;
}

function encodeItem(item: Item, { names, kinds, param }: Around): JsonObject | undefined {
  switch (item.type) {
    case "instruction":
      if (item.top) return undefined;
      return { type: "message", role: item.role, content: encodeInput(item.blocks, param) };
    case "message": {
      const { role, blocks, phase } = item;
      const content = role === "user" ? encodeInput(blocks, param) : encodeOutput(blocks, param);
      return { type: "message", role, content, phase };
    }
    case "call": {
      const [call_id, name] = [shortId(item.id), names.wire(item)];
      return item.kind === "custom"
        ? { type: "custom_tool_call", call_id, name, input: item.input }
        : { type: "function_call", call_id, name, arguments: item.input };
    }
    case "result": {
      const custom = kinds.get(item.callId) === "custom";
      return {
        type: custom ? "custom_tool_call_output" : "function_call_output",
        call_id: shortId(item.callId),
        output: encodeInput(toldBlocks(item), param),
      };
    }
    case "reasoning":
      return encodeReasoning(item);
    case "native":
      return undefined;
  }
}

/** Only what this protocol has sealed itself; other reasoning, sealed or not, is no part of the conversation. */
function encodeReasoning({ parts, seals }: ReasoningItem): JsonObject | undefined {
  const seal = seals.find(({ protocol }) => protocol === "responses");
  if (seal === undefined) return undefined;
  const summary = parts.map((text) => ({ type: "summary_text", text }));
  return { type: "reasoning", summary, encrypted_content: seal.data };
}
