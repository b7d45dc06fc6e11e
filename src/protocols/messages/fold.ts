// A stream of Messages events collected into the message it carries.

import { grow } from "../../core/fold.ts";
import type { Draft, Fold } from "../../core/fold.ts";
import { isObject, numberAt, objectAt, parseObject, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

export class MessageFold implements Fold {
  #message: Draft | undefined;
  readonly #blocks: Draft[] = [];
  /** Tool input in pieces, by block; parsed when the block is whole. */
  readonly #inputs = new Map<Draft, string>();
  #state: "open" | "ended" | "failed" = "open";

  add(event: JsonObject): void {
    switch (stringAt(event, "type")) {
      case "message_start":
        this.#message = { ...objectAt(event, "message") };
        break;
      case "content_block_start":
        this.#blocks[numberAt(event, "index") ?? this.#blocks.length] = {
          ...objectAt(event, "content_block"),
        };
        break;
      case "content_block_delta":
        this.#delta(event);
        break;
      case "message_delta":
        this.#messageDelta(event);
        break;
      case "message_stop":
        if (this.#state === "open") this.#state = "ended";
        break;
      case "error":
        this.#state = "failed";
        break;
      default:
    }
  }

  answer(): JsonObject | undefined {
    if (this.#state !== "ended" || this.#message === undefined) return undefined;
    for (const [block, text] of this.#inputs) {
      const input = parseObject(text.trim() === "" ? "{}" : text);
      if (input === undefined) return undefined;
      block["input"] = input;
    }
    return { ...this.#message, content: this.#blocks.filter((block) => block !== undefined) };
  }

  #delta(event: JsonObject): void {
    const block = this.#blocks[numberAt(event, "index") ?? -1];
    const delta = objectAt(event, "delta");
    if (block === undefined || delta === undefined) return;
    switch (delta["type"]) {
      case "input_json_delta":
        this.#inputs.set(block, (this.#inputs.get(block) ?? "") + (stringAt(delta, "partial_json") ?? ""));
        break;
      case "signature_delta":
        block["signature"] = delta["signature"];
        break;
      case "citations_delta":
        block["citations"] ??= [];
        grow(block, "citations", [delta["citation"] ?? null]);
        break;
      default:
        // text_delta, thinking_delta and whatever comes later: a member that grows under its own name.
        for (const [key, piece] of Object.entries(delta)) if (key !== "type") grow(block, key, piece);
    }
  }

  #messageDelta(event: JsonObject): void {
    const { type: _, delta, usage, ...rest } = event;
    const message = (this.#message ??= {});
    Object.assign(message, rest, isObject(delta) ? delta : {});
    if (!isObject(usage)) return;
    const counts = Object.entries(usage).filter(([, count]) => count !== null);
    message["usage"] = { ...objectAt(message, "usage"), ...Object.fromEntries(counts) };
  }
}
