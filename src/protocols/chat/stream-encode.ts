// Hub events written as chunks of a completion.

import { answerKey } from "../../core/answer-ids.ts";
import { faultOfEvent } from "../../core/encode-stages.ts";
import { PART_BREAK } from "../../core/envelope.ts";
import type { Annotation, CallHead, Prompt, StreamEvent } from "../../core/hub.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { EncodeContext } from "../../core/ports.ts";
import { writeTotals } from "../../core/usage.ts";
import { plainErrorBody } from "../../core/wire-error.ts";
import { encodeFinish } from "./finish.ts";
import { ReasoningDetails } from "./reasoning.ts";
import { USAGE_NAMES } from "./wire.ts";

type Event<T extends StreamEvent["type"]> = StreamEvent & { type: T };

/** How each kind of text goes into a delta. */
const CHANNELS = { text: "content", refusal: "refusal", reasoning: "reasoning_content" } as const;

export class ChunkWriter {
  /** Whether the answer has come to its end, and not to an error. */
  ended = false;
  readonly #context: EncodeContext;
  /** The client asked with `functions` and has no place for calls in the new form. */
  readonly #oldForm: boolean;
  readonly #tellUsage: boolean;
  #head: JsonObject | undefined;
  #channel: keyof typeof CHANNELS | "call" = "text";
  #callKind: "function" | "custom" = "function";
  #calls = -1;
  readonly #details = new ReasoningDetails();

  constructor(prompt: Prompt, context: EncodeContext) {
    this.#context = context;
    this.#oldForm = prompt.request["functions"] !== undefined && prompt.request["tools"] === undefined;
    this.#tellUsage = prompt.tellUsage;
  }

  readonly write = (event: StreamEvent): readonly JsonObject[] => {
    if (event.type === "error") return [plainErrorBody(faultOfEvent(event.error, "openai"))];
    const begun = this.#begin(event);
    const rest = event.type === "end" ? this.#end(event) : this.#body(event);
    return begun.length === 0 ? rest : [...begun, ...rest];
  };

  /** The role comes first, whatever the answer begins with. */
  #begin(event: StreamEvent): readonly JsonObject[] {
    if (this.#head !== undefined) return [];
    const { model, createdAt, requestId } = this.#context;
    const key = answerKey(event.type === "start" ? event.id : "", requestId);
    this.#head = { id: `chatcmpl-${key}`, object: "chat.completion.chunk", created: createdAt, model };
    return [this.#chunk({ role: "assistant", content: "", refusal: null })];
  }

  #chunk(delta: JsonObject, logprobs: Json = null, finish: string | null = null): JsonObject {
    const choice = { index: 0, delta, logprobs, finish_reason: finish };
    return this.#tellUsage
      ? { ...this.#head, choices: [choice], usage: null }
      : { ...this.#head, choices: [choice] };
  }

  #body(event: StreamEvent): readonly JsonObject[] {
    switch (event.type) {
      case "block_open":
        this.#channel = event.block.type;
        if (event.block.type === "reasoning") this.#details.open();
        return event.block.type === "call" ? [this.#open(event.block)] : [];
      case "delta":
        return [this.#delta(event)];
      case "part":
        return [this.#delta({ type: "delta", text: PART_BREAK })];
      case "seal":
        this.#details.seal(event.seal);
        return [];
      case "annotation":
        return event.annotation.type === "url"
          ? [this.#chunk({ annotations: [encodeAnnotation(event.annotation)] })]
          : [];
      default:
        return [];
    }
  }

  #open({ kind, id, name }: CallHead): JsonObject {
    this.#callKind = kind;
    this.#calls++;
    const index = this.#calls;
    if (this.#oldForm) return this.#chunk({ function_call: { name, arguments: "" } });
    const call =
      kind === "custom"
        ? { index, id, type: kind, custom: { name, input: "" } }
        : { index, id, type: kind, function: { name, arguments: "" } };
    return this.#chunk({ tool_calls: [call] });
  }

  #delta({ text, logprobs }: Event<"delta">): JsonObject {
    if (this.#channel !== "call") {
      if (this.#channel === "reasoning") this.#details.grow(text);
      const tokens = logprobs && { content: logprobs.map(encodeToken), refusal: null };
      return this.#chunk({ [CHANNELS[this.#channel]]: text }, tokens);
    }
    if (this.#oldForm) return this.#chunk({ function_call: { arguments: text } });
    const piece =
      this.#callKind === "custom" ? { custom: { input: text } } : { function: { arguments: text } };
    return this.#chunk({ tool_calls: [{ index: this.#calls, ...piece }] });
  }

  #end({ stop, usage, tier }: Event<"end">): JsonObject[] {
    this.ended = true;
    const finish = this.#chunk({}, null, encodeFinish(stop, this.#oldForm));
    const details = this.#details.delta();
    const chunks = details === undefined ? [] : [this.#chunk(details)];
    chunks.push(tier === undefined ? finish : { ...finish, service_tier: tier });
    if (this.#tellUsage && usage !== undefined)
      chunks.push({ ...this.#head, choices: [], usage: writeTotals(usage, USAGE_NAMES) });
    return chunks;
  }
}

function encodeAnnotation({ url, title, start, end }: Annotation & { type: "url" }): JsonObject {
  return { type: "url_citation", url_citation: { url, title, start_index: start, end_index: end } };
}

/** `bytes` is always there in this protocol, if only as null. */
function encodeToken(token: JsonObject): JsonObject {
  const top = Array.isArray(token["top_logprobs"]) ? token["top_logprobs"] : [];
  return { bytes: null, ...token, top_logprobs: top.map((each: JsonObject) => ({ bytes: null, ...each })) };
}
