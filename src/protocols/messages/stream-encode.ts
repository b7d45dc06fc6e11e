// Hub events written as the events of a message.

import { answerKey } from "../../core/answer-ids.ts";
import { faultOfEvent } from "../../core/encode-stages.ts";
import { isShowable, PART_BREAK } from "../../core/envelope.ts";
import type { Usage } from "../../core/exchange.ts";
import type { Annotation, BlockHead, Prompt, Seal, StreamEvent } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import type { EncodeContext } from "../../core/ports.ts";
import { encodeTier } from "./identity.ts";
import { legalId } from "./ids.ts";
import { NO_INDEX, signatureFor } from "./seals.ts";
import { encodeStop } from "./stops.ts";
import { wantsThinking } from "./thinking.ts";
import { unfoldBlock } from "./unfold.ts";
import { messagesWire } from "./wire.ts";

type Event<T extends StreamEvent["type"]> = StreamEvent & { type: T };

/** The block under way. */
interface OpenBlock {
  readonly head: BlockHead;
  /** Whether its beginning is written: reasoning may turn out to be nothing that can be shown. */
  begun: boolean;
  text: string;
  seal: Seal | undefined;
}

export class MessageWriter {
  readonly #context: EncodeContext;
  /** A client that did not ask for thinking has no place for it. */
  readonly #thinking: boolean;
  readonly #shown: boolean;
  #events: JsonObject[] = [];
  #started = false;
  #index = 0;
  #open: OpenBlock | undefined;
  #refused = false;

  constructor(prompt: Prompt, context: EncodeContext) {
    this.#context = context;
    this.#thinking = wantsThinking(prompt);
    this.#shown = prompt.reasoning.summary !== "none";
  }

  readonly write = (event: StreamEvent): readonly JsonObject[] => {
    if (event.type === "error")
      return [messagesWire.errorBody(faultOfEvent(event.error, "anthropic"), this.#context.requestId)];
    if (!this.#started) this.#start(event);
    this.#step(event);
    const events = this.#events;
    this.#events = [];
    return events;
  };

  #start(event: StreamEvent): void {
    this.#started = true;
    const { model, requestId } = this.#context;
    const id = `msg_${answerKey(event.type === "start" ? event.id : "", requestId)}`;
    const usage = encodeUsage(event.type === "start" ? event.usage : undefined);
    const message = { id, type: "message", role: "assistant", model, content: [] };
    const open = { ...message, stop_reason: null, stop_sequence: null, usage };
    this.#events.push({ type: "message_start", message: open });
  }

  #step(event: StreamEvent): void {
    const open = this.#open;
    switch (event.type) {
      case "block_open":
        this.#open = { head: event.block, begun: false, text: "", seal: undefined };
        if (event.block.type === "refusal") this.#refused = true;
        return event.block.type === "reasoning" ? undefined : this.#begin(this.#open);
      case "delta":
        return open && this.#delta(open, event.text);
      case "part":
        return open && this.#delta(open, PART_BREAK);
      case "annotation":
        return open && this.#annotate(open, event.annotation);
      case "seal":
        return open && this.#seal(open, event.seal);
      case "block_close":
        if (open !== undefined) this.#close(open);
        this.#open = undefined;
        return;
      case "native":
        // A step of another protocol's provider has no form here.
        if (event.native.protocol === "messages")
          this.#events.push(...unfoldBlock(event.native.value, this.#index++));
        return;
      case "end":
        return this.#end(event);
    }
  }

  #begin(open: OpenBlock): void {
    open.begun = true;
    this.#events.push({
      type: "content_block_start",
      index: this.#index,
      content_block: emptyBlock(open.head),
    });
  }

  #push(delta: JsonObject): void {
    this.#events.push({ type: "content_block_delta", index: this.#index, delta });
  }

  #delta(open: OpenBlock, text: string): void {
    const { head } = open;
    open.text += text;
    switch (head.type) {
      case "reasoning":
        if (!this.#thinking || !this.#shown) return;
        if (!open.begun) this.#begin(open);
        return this.#push({ type: "thinking_delta", thinking: text });
      case "call":
        // Free text becomes an object when it is whole.
        return head.kind === "custom"
          ? undefined
          : this.#push({ type: "input_json_delta", partial_json: text });
      default:
        return this.#push({ type: "text_delta", text });
    }
  }

  #annotate({ text, begun }: OpenBlock, annotation: Annotation): void {
    if (!begun) return;
    if (annotation.type === "url") {
      const { url, title, start, end } = annotation;
      const cited_text = text.slice(start, end);
      const source = { type: "web_search_result_location", url, title, cited_text };
      this.#push({ type: "citations_delta", citation: { ...source, encrypted_index: NO_INDEX } });
    } else if (annotation.native.protocol === "messages")
      this.#push({ type: "citations_delta", citation: annotation.native.value });
  }

  /** A thought that only its issuer can read is a block of its own kind. */
  #seal(open: OpenBlock, seal: Seal): void {
    if (!isShowable(seal, "messages")) return;
    open.seal = seal;
    if (seal.kind !== "redacted" || seal.protocol !== "messages" || open.begun || !this.#thinking) return;
    open.begun = true;
    const content_block = { type: "redacted_thinking", data: seal.data };
    this.#events.push({ type: "content_block_start", index: this.#index, content_block });
  }

  #close(open: OpenBlock): void {
    if (open.head.type === "reasoning") this.#closeThought(open);
    if (!open.begun) return;
    if (open.head.type === "call" && open.head.kind === "custom")
      this.#push({ type: "input_json_delta", partial_json: JSON.stringify({ input: open.text }) });
    this.#events.push({ type: "content_block_stop", index: this.#index++ });
  }

  /** The signature is sent once, behind the thought; a thought of neither text nor seal is none. */
  #closeThought(open: OpenBlock): void {
    const { seal, text } = open;
    const isRedacted = seal?.protocol === "messages" && seal.kind === "redacted";
    if (!this.#thinking || isRedacted || (text === "" && seal === undefined)) return;
    if (!open.begun) this.#begin(open);
    this.#push({ type: "signature_delta", signature: signatureFor(seal) });
  }

  #end({ stop, usage, tier }: Event<"end">): void {
    const served = encodeTier(tier);
    const counts = encodeUsage(usage);
    this.#events.push(
      {
        type: "message_delta",
        delta: encodeStop(stop, this.#refused),
        usage: served === undefined ? counts : { ...counts, service_tier: served },
      },
      { type: "message_stop" },
    );
  }
}

/** A block as it begins. */
function emptyBlock(head: BlockHead): JsonObject {
  switch (head.type) {
    case "reasoning":
      return { type: "thinking", thinking: "", signature: "" };
    case "call":
      return { type: "tool_use", id: legalId(head.id), name: head.name, input: {} };
    default:
      return { type: "text", text: "" };
  }
}

/** Both counts are required, whether they are known or not. */
function encodeUsage(usage: Partial<Usage> = {}): JsonObject {
  const { input = 0, cacheRead = 0, cacheWrite = 0, output = 0, reasoning = 0 } = usage;
  return {
    input_tokens: input,
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cacheRead,
    output_tokens: output,
    output_tokens_details: { thinking_tokens: reasoning },
  };
}
