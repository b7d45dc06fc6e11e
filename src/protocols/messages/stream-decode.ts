// Events of a message read into hub events.

import type { Annotation, Stop, StreamEvent } from "../../core/hub.ts";
import type { Usage } from "../../core/exchange.ts";
import { arrayAt, isObject, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { Sequence } from "../../core/sequence.ts";
import type { EventReader } from "../../core/stream-guard.ts";
import { inventedId } from "../../core/tool-names.ts";
import { wholeUsage } from "../../core/usage.ts";
import { MessageFold } from "./fold.ts";
import { decodeTier } from "./identity.ts";
import { isSigned } from "./seals.ts";
import { decodeStop } from "./stops.ts";
import { messagesWire } from "./wire.ts";

/** A block while it grows. */
interface Growing {
  readonly key: string;
  readonly type: "text" | "thinking" | "tool_use" | "redacted_thinking" | "other";
  /** How much text or input has come; texts open with their first words. */
  length: number;
  signature: string;
  readonly citations: JsonObject[];
  /** A call's input, where a server tells it with the block's beginning. */
  readonly input: JsonObject;
  /** Collects what only this protocol has. */
  readonly fold: MessageFold;
}

type GrowingType = Growing["type"];

const TYPES: ReadonlySet<string> = new Set(["text", "thinking", "tool_use", "redacted_thinking"]);

function isGrowing(type: string | undefined): type is GrowingType {
  return type !== undefined && TYPES.has(type);
}

export class MessageReader implements EventReader {
  readonly #sequence = new Sequence();
  readonly #blocks = new Map<number, Growing>();
  #id = "";
  #calls = 0;
  #usage: Partial<Usage> = {};
  #counted = false;
  #tier: string | undefined;
  #stop: Stop | undefined;

  read(event: JsonObject): readonly StreamEvent[] {
    switch (event["type"]) {
      case "error": {
        const error = messagesWire.error(event);
        return error === undefined ? [] : [{ type: "error", error }];
      }
      case "message_start":
        return this.#start(event);
      case "content_block_start":
        this.#open(event);
        break;
      case "content_block_delta":
        this.#grow(event);
        break;
      case "content_block_stop":
        this.#close(numberAt(event, "index") ?? -1);
        break;
      case "message_delta":
        this.#count(event);
        this.#stop = decodeStop(objectAt(event, "delta") ?? {}) ?? this.#stop;
        break;
      case "message_stop":
        return this.#end();
      default:
    }
    return this.#sequence.take();
  }

  /** Success is told by an event of its own. */
  finish(): readonly StreamEvent[] {
    return [];
  }

  #start(event: JsonObject): StreamEvent[] {
    const message = objectAt(event, "message");
    this.#id = stringAt(message, "id") ?? "";
    this.#count(event);
    return [{ type: "start", id: this.#id, model: stringAt(message, "model") ?? "", usage: this.#usage }];
  }

  /** Counts are cumulative: later ones replace those before. */
  #count(event: JsonObject): void {
    const counts = objectAt(event, "usage") ?? objectAt(event["message"], "usage");
    this.#tier = decodeTier(stringAt(counts, "service_tier")) ?? this.#tier;
    const usage = messagesWire.usage(event);
    if (usage === undefined) return;
    this.#counted = true;
    this.#usage = { ...this.#usage, ...usage };
  }

  #open(event: JsonObject): void {
    const index = numberAt(event, "index") ?? this.#blocks.size;
    const block = objectAt(event, "content_block") ?? {};
    const type = stringAt(block, "type");
    const growing: Growing = {
      key: String(index),
      type: isGrowing(type) ? type : "other",
      length: 0,
      signature: stringAt(block, "signature") ?? "",
      citations: (arrayAt(block, "citations") ?? []).filter(isObject),
      input: objectAt(block, "input") ?? {},
      fold: new MessageFold(),
    };
    this.#blocks.set(index, growing);
    switch (growing.type) {
      case "text":
        return this.#text(growing, stringAt(block, "text"));
      case "thinking":
        this.#sequence.open(growing.key, { type: "reasoning" });
        return this.#text(growing, stringAt(block, "thinking"));
      case "redacted_thinking": {
        const data = stringAt(block, "data") ?? "";
        this.#sequence.open(growing.key, { type: "reasoning" });
        return this.#seal(growing, "redacted", data);
      }
      case "tool_use": {
        const id = stringAt(block, "id") || inventedId(this.#id, this.#calls);
        this.#calls++;
        const name = stringAt(block, "name") ?? "";
        return this.#sequence.open(growing.key, { type: "call", kind: "function", id, name });
      }
      case "other":
        growing.fold.add({ type: "message_start", message: {} });
        return growing.fold.add(event);
    }
  }

  #seal({ key }: Growing, kind: "signature" | "redacted", data: string): void {
    this.#sequence.add(key, { type: "seal", seal: { protocol: "messages", kind, data } });
  }

  #text(growing: Growing, text: string | undefined): void {
    if (text === undefined || text === "") return;
    if (growing.type === "text" && growing.length === 0) this.#sequence.open(growing.key, { type: "text" });
    growing.length += text.length;
    this.#sequence.add(growing.key, { type: "delta", text });
  }

  #grow(event: JsonObject): void {
    const growing = this.#blocks.get(numberAt(event, "index") ?? -1);
    const delta = objectAt(event, "delta");
    if (growing === undefined || delta === undefined) return;
    if (growing.type === "other") return growing.fold.add(event);
    switch (delta["type"]) {
      case "text_delta":
        return this.#text(growing, stringAt(delta, "text"));
      case "thinking_delta":
        return this.#text(growing, stringAt(delta, "thinking"));
      case "input_json_delta":
        return this.#text(growing, stringAt(delta, "partial_json"));
      case "signature_delta":
        growing.signature = stringAt(delta, "signature") ?? "";
        return;
      case "citations_delta": {
        const citation = objectAt(delta, "citation");
        if (citation !== undefined) growing.citations.push(citation);
      }
    }
  }

  #close(index: number): void {
    const growing = this.#blocks.get(index);
    if (growing === undefined) return;
    this.#blocks.delete(index);
    const { type, key, length, signature } = growing;
    if (type === "other") return this.#native(growing);
    if (type === "tool_use" && length === 0) this.#text(growing, JSON.stringify(growing.input));
    if (type === "thinking" && isSigned(signature)) this.#seal(growing, "signature", signature);
    // What is cited here is the whole block.
    if (type === "text" && length > 0)
      for (const citation of growing.citations)
        this.#sequence.add(key, { type: "annotation", annotation: decodeCitation(citation, length) });
    this.#sequence.close(key);
  }

  #native({ fold }: Growing): void {
    fold.add({ type: "message_stop" });
    const value: Json | undefined = arrayAt(fold.answer(), "content")?.[0];
    if (isObject(value)) this.#sequence.put({ type: "native", native: { protocol: "messages", value } });
  }

  #end(): StreamEvent[] {
    for (const index of [...this.#blocks.keys()]) this.#close(index);
    const usage = this.#counted ? wholeUsage(this.#usage) : undefined;
    const stop = this.#stop ?? { reason: "done" };
    return [...this.#sequence.take(), { type: "end", stop, usage, tier: this.#tier }];
  }
}

function decodeCitation(citation: JsonObject, length: number): Annotation {
  const url = stringAt(citation, "url");
  if (citation["type"] !== "web_search_result_location" || url === undefined)
    return { type: "native", native: { protocol: "messages", value: citation } };
  return { type: "url", url, title: stringAt(citation, "title") ?? "", start: 0, end: length };
}
