// Events of a response read into hub events. What a `done` event tells beyond the deltas before it is sent on
// as one more delta, because some servers send no deltas, or no items but in the last event.

import type { Annotation, BlockHead, Stop, StreamEvent } from "../../core/hub.ts";
import { arrayAt, isObject, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { Sequence } from "../../core/sequence.ts";
import type { EventReader } from "../../core/stream-guard.ts";
import { inventedId } from "../../core/tool-names.ts";
import { wholeUsage } from "../../core/usage.ts";
import { responsesWire } from "./wire.ts";

/** A text that grows by deltas: how much of it has been sent on. */
interface Growing {
  readonly key: string;
  readonly head: BlockHead;
  /** Which part of its block it is; a reasoning block has several. */
  readonly part: string;
  sent: number;
  annotations: number;
}

interface OpenItem {
  readonly index: number;
  readonly phase: string | undefined;
  readonly growing: Map<string, Growing>;
  /** Blocks that have been opened, with the part that was last written to. */
  readonly opened: Map<string, string>;
}

/** The members that hold a growing text's whole value, by the event's stem. */
const STEMS: Readonly<Record<string, { readonly kind: GrowKind; readonly whole: string }>> = {
  "response.output_text": { kind: "text", whole: "text" },
  "response.refusal": { kind: "refusal", whole: "refusal" },
  "response.reasoning_summary_text": { kind: "summary", whole: "text" },
  "response.reasoning_text": { kind: "reasoning", whole: "text" },
  "response.function_call_arguments": { kind: "function", whole: "arguments" },
  "response.custom_tool_call_input": { kind: "custom", whole: "input" },
};

type GrowKind = "text" | "refusal" | "summary" | "reasoning" | "function" | "custom";

export class ResponseReader implements EventReader {
  readonly #sequence = new Sequence();
  readonly #items = new Map<number, OpenItem>();
  #started = false;
  #id = "";
  /** Any item was seen, so the last event has nothing new. */
  #told = false;

  read(event: JsonObject): readonly StreamEvent[] {
    const type = stringAt(event, "type") ?? "";
    if (type === "response.failed" || type === "error") {
      const error = responsesWire.error(event);
      return error === undefined ? [] : [{ type: "error", error }];
    }
    const start = this.#start(objectAt(event, "response"));
    const end = this.#step(type, event);
    return [...start, ...this.#sequence.take(), ...end];
  }

  /** Success is told by an event of its own. */
  finish(): readonly StreamEvent[] {
    return [];
  }

  #start(response: JsonObject | undefined): StreamEvent[] {
    if (this.#started || response === undefined) return [];
    this.#started = true;
    this.#id = stringAt(response, "id") ?? "";
    return [{ type: "start", id: this.#id, model: stringAt(response, "model") ?? "" }];
  }

  #step(type: string, event: JsonObject): StreamEvent[] {
    switch (type) {
      case "response.output_item.added":
        this.#itemOf(event);
        break;
      case "response.output_item.done":
        this.#done(event);
        break;
      case "response.output_text.annotation.added":
        this.#annotate(this.#itemOf(event), partOf(event), event["annotation"]);
        break;
      case "response.content_part.done":
        this.#partDone(event);
        break;
      case "response.completed":
      case "response.incomplete":
        return this.#end(type, objectAt(event, "response") ?? {});
      default:
        this.#text(type, event);
    }
    return [];
  }

  #itemOf(event: JsonObject): OpenItem {
    this.#told = true;
    const index = numberAt(event, "output_index") ?? 0;
    let open = this.#items.get(index);
    if (open === undefined) {
      const item = objectAt(event, "item");
      open = { index, phase: stringAt(item, "phase"), growing: new Map(), opened: new Map() };
      this.#items.set(index, open);
      if (item !== undefined) this.#openCall(open, item);
    }
    return open;
  }

  /** A call is worth telling before its input comes; text and reasoning open with their first words. */
  #openCall(open: OpenItem, item: JsonObject): void {
    const kind = callKind(item);
    if (kind === undefined) return;
    const key = `${open.index}:call`;
    const id = stringAt(item, "call_id") || inventedId(this.#id, open.index);
    const name = stringAt(item, "name") ?? "";
    const head: BlockHead = { type: "call", kind, id, name, namespace: stringAt(item, "namespace") };
    open.growing.set(kind, { key, head, part: "", sent: 0, annotations: 0 });
    open.opened.set(key, "");
    this.#sequence.open(key, head);
  }

  #text(type: string, event: JsonObject): void {
    const dot = type.lastIndexOf(".");
    const stem = STEMS[type.slice(0, dot)];
    if (stem === undefined) return;
    const item = this.#itemOf(event);
    const growing = this.#growing(item, stem.kind, partOf(event));
    if (type.endsWith(".done")) return this.#tail(item, growing, stringAt(event, stem.whole));
    const tokens = arrayAt(event, "logprobs")?.filter(isObject);
    this.#grow(item, growing, stringAt(event, "delta") ?? "", tokens);
  }

  #growing(item: OpenItem, kind: GrowKind, part: number): Growing {
    const isCall = kind === "function" || kind === "custom";
    const place = isCall ? kind : `${kind}${part}`;
    const held = item.growing.get(place);
    if (held !== undefined) return held;
    const thought = kind === "summary" || kind === "reasoning";
    const key = thought ? `${item.index}:reasoning` : `${item.index}:${isCall ? "call" : place}`;
    const growing: Growing = { key, head: this.#headOf(item, kind), part: place, sent: 0, annotations: 0 };
    item.growing.set(place, growing);
    return growing;
  }

  #headOf(item: OpenItem, kind: GrowKind): BlockHead {
    switch (kind) {
      case "text":
        return { type: "text", phase: item.phase };
      case "refusal":
        return { type: "refusal" };
      case "summary":
      case "reasoning":
        return { type: "reasoning" };
      default:
        return { type: "call", kind, id: inventedId(this.#id, item.index), name: "" };
    }
  }

  #grow(item: OpenItem, growing: Growing, text: string, tokens?: readonly JsonObject[]): void {
    if (text === "") return;
    const { key, part } = growing;
    const last = item.opened.get(key);
    if (last === undefined) this.#sequence.open(key, growing.head);
    else if (last !== part && growing.head.type === "reasoning") this.#sequence.add(key, { type: "part" });
    item.opened.set(key, part);
    growing.sent += text.length;
    const logprobs = tokens !== undefined && tokens.length > 0 ? tokens : undefined;
    this.#sequence.add(
      key,
      logprobs === undefined ? { type: "delta", text } : { type: "delta", text, logprobs },
    );
  }

  /** What the whole text has beyond the deltas that came. */
  #tail(item: OpenItem, growing: Growing, whole: string | undefined, tokens?: readonly JsonObject[]): void {
    if (whole === undefined || whole.length <= growing.sent) return;
    this.#grow(item, growing, whole.slice(growing.sent), growing.sent === 0 ? tokens : undefined);
  }

  #annotate(item: OpenItem, part: number, annotation: Json | undefined): void {
    const growing = item.growing.get(`text${part}`);
    if (growing === undefined || !isObject(annotation) || !item.opened.has(growing.key)) return;
    growing.annotations++;
    this.#sequence.add(growing.key, { type: "annotation", annotation: decodeAnnotation(annotation) });
  }

  #partDone(event: JsonObject): void {
    const part = objectAt(event, "part");
    if (part !== undefined) this.#messagePart(this.#itemOf(event), part, partOf(event));
  }

  /** A finished part of a message: the rest of it, and its end. */
  #messagePart(item: OpenItem, part: JsonObject, at: number): void {
    const refusal = part["type"] === "refusal";
    if (!refusal && part["type"] !== "output_text") return;
    const growing = this.#growing(item, refusal ? "refusal" : "text", at);
    const tokens = arrayAt(part, "logprobs")?.filter(isObject);
    this.#tail(item, growing, stringAt(part, refusal ? "refusal" : "text"), tokens);
    for (const annotation of (arrayAt(part, "annotations") ?? []).slice(growing.annotations))
      this.#annotate(item, at, annotation);
    this.#sequence.close(growing.key);
  }

  #done(event: JsonObject): void {
    const item = objectAt(event, "item");
    if (item === undefined) return;
    const open = this.#itemOf(event);
    const kind = callKind(item);
    if (kind !== undefined) {
      const growing = this.#growing(open, kind, 0);
      this.#tail(open, growing, stringAt(item, kind === "custom" ? "input" : "arguments"));
      this.#sequence.close(growing.key, item["status"] !== "incomplete");
    } else if (item["type"] === "message")
      (arrayAt(item, "content") ?? []).forEach((part, at) => {
        if (isObject(part)) this.#messagePart(open, part, at);
      });
    else if (item["type"] === "reasoning") this.#reasoningDone(open, item);
    else this.#sequence.put({ type: "native", native: { protocol: "responses", value: item } });
    for (const key of open.opened.keys()) this.#sequence.close(key);
  }

  #reasoningDone(open: OpenItem, item: JsonObject): void {
    for (const [name, kind] of [
      ["summary", "summary"],
      ["content", "reasoning"],
    ] as const)
      (arrayAt(item, name) ?? []).forEach((part, at) =>
        this.#tail(open, this.#growing(open, kind, at), stringAt(part, "text")),
      );
    // Only here is it whole; what came with the item's beginning may be a part.
    const data = stringAt(item, "encrypted_content");
    if (data === undefined) return;
    const { key, head } = this.#growing(open, "summary", 0);
    if (!open.opened.has(key)) this.#sequence.open(key, head);
    open.opened.set(key, "");
    this.#sequence.add(key, { type: "seal", seal: { protocol: "responses", kind: "encrypted", data } });
  }

  #end(type: string, response: JsonObject): StreamEvent[] {
    if (!this.#told)
      (arrayAt(response, "output") ?? []).forEach((item, output_index) => this.#done({ output_index, item }));
    this.#sequence.closeAll();
    const usage = responsesWire.usage({ response });
    return [
      ...this.#sequence.take(),
      {
        type: "end",
        stop: stopOf(type, response),
        usage: usage && wholeUsage(usage),
        tier: stringAt(response, "service_tier"),
      },
    ];
  }
}

function partOf(event: JsonObject): number {
  return numberAt(event, "content_index") ?? numberAt(event, "summary_index") ?? 0;
}

function callKind(item: JsonObject): "function" | "custom" | undefined {
  if (item["type"] === "function_call") return "function";
  return item["type"] === "custom_tool_call" ? "custom" : undefined;
}

function stopOf(type: string, response: JsonObject): Stop {
  if (type === "response.completed") return { reason: "done", word: "completed" };
  const word = stringAt(objectAt(response, "incomplete_details"), "reason");
  if (word === "max_output_tokens") return { reason: "length", word };
  return word === "content_filter" ? { reason: "safety", word } : { reason: "cut", word };
}

function decodeAnnotation(annotation: JsonObject): Annotation {
  const url = stringAt(annotation, "url");
  if (annotation["type"] !== "url_citation" || url === undefined)
    return { type: "native", native: { protocol: "responses", value: annotation } };
  return {
    type: "url",
    url,
    title: stringAt(annotation, "title") ?? "",
    start: numberAt(annotation, "start_index") ?? 0,
    end: numberAt(annotation, "end_index") ?? 0,
  };
}
