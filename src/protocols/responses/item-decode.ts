// One output item of a streamed response, as it grows. What a `done` event tells beyond the deltas before it
// is sent on as one more delta, because some servers send none.

import type { Annotation, BlockHead } from "../../core/hub.ts";
import { arrayAt, isObject, numberAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { Sequence } from "../../core/sequence.ts";
import type { GrowthName } from "./grammar.ts";

/** A text that grows by deltas: how much of it has been sent on. */
interface Growing {
  /** The block it belongs to: all of an item's reasoning is one. */
  readonly key: string;
  readonly place: string;
  readonly head: BlockHead;
  sent: number;
  annotations: number;
}

type Tokens = readonly JsonObject[] | undefined;

/** The member of a call that grows. */
const CALL_INPUT = { function: "arguments", custom: "input" } as const;

export class GrowingItem {
  readonly #index: number;
  readonly #sequence: Sequence;
  readonly #phase: string | undefined;
  readonly #growing = new Map<string, Growing>();
  /** The blocks that have been opened, with the part that was last written to. */
  readonly #opened = new Map<string, string>();

  constructor(index: number, item: JsonObject | undefined, sequence: Sequence) {
    this.#index = index;
    this.#phase = stringAt(item, "phase");
    this.#sequence = sequence;
  }

  /** A call is worth telling before its input comes; text and reasoning open with their first words. */
  openCall(item: JsonObject, inventedId: () => string): void {
    const kind = callKind(item);
    const key = `${this.#index}:call`;
    if (kind === undefined || this.#opened.has(key)) return;
    const id = stringAt(item, "call_id") || inventedId();
    const name = stringAt(item, "name") ?? "";
    const head: BlockHead = { type: "call", kind, id, name, namespace: stringAt(item, "namespace") };
    const place = CALL_INPUT[kind];
    this.#growing.set(place, { key, place, head, sent: 0, annotations: 0 });
    this.#opened.set(key, place);
    this.#sequence.open(key, head);
  }

  delta(name: GrowthName, part: number, text: string, tokens?: Tokens): void {
    const growing = this.#at(name, part);
    if (growing !== undefined) this.#grow(growing, text, tokens);
  }

  /** What the whole text has beyond the deltas that came. */
  whole(name: GrowthName, part: number, text: string | undefined, tokens?: Tokens): void {
    const growing = this.#at(name, part);
    if (growing === undefined || text === undefined || text.length <= growing.sent) return;
    this.#grow(growing, text.slice(growing.sent), growing.sent === 0 ? tokens : undefined);
  }

  annotate(part: number, annotation: Json | undefined): void {
    const growing = this.#growing.get(`text${part}`);
    if (growing === undefined || !isObject(annotation) || !this.#opened.has(growing.key)) return;
    growing.annotations++;
    this.#sequence.add(growing.key, { type: "annotation", annotation: decodeAnnotation(annotation) });
  }

  /** A finished part of a message: the rest of it, and its end. */
  endPart(part: JsonObject, at: number): void {
    const name = part["type"] === "refusal" ? "refusal" : "text";
    if (name === "text" && part["type"] !== "output_text") return;
    this.whole(name, at, stringAt(part, name), arrayAt(part, "logprobs")?.filter(isObject));
    const growing = this.#at(name, at);
    if (growing === undefined) return;
    for (const annotation of (arrayAt(part, "annotations") ?? []).slice(growing.annotations))
      this.annotate(at, annotation);
    this.#sequence.close(growing.key);
  }

  /** The finished item: what is left of it, and its end. */
  end(item: JsonObject): void {
    const kind = callKind(item);
    if (kind !== undefined) this.whole(CALL_INPUT[kind], 0, stringAt(item, CALL_INPUT[kind]));
    else if (item["type"] === "message")
      (arrayAt(item, "content") ?? []).forEach((part, at) => isObject(part) && this.endPart(part, at));
    else this.#endReasoning(item);
    for (const key of this.#opened.keys()) this.#sequence.close(key, item["status"] !== "incomplete");
  }

  #endReasoning(item: JsonObject): void {
    arrayAt(item, "summary")?.forEach((part, at) => this.whole("summary", at, stringAt(part, "text")));
    arrayAt(item, "content")?.forEach((part, at) => this.whole("reasoning", at, stringAt(part, "text")));
    // Only here is it whole; what came with the item's beginning may be a part.
    const data = stringAt(item, "encrypted_content");
    const growing = this.#at("summary", 0);
    if (data === undefined || growing === undefined) return;
    if (!this.#opened.has(growing.key)) this.#open(growing);
    this.#sequence.add(growing.key, {
      type: "seal",
      seal: { protocol: "responses", kind: "encrypted", data },
    });
  }

  /** Undefined for the input of a call that was not announced: it is told when the item is done. */
  #at(name: GrowthName, part: number): Growing | undefined {
    if (name === "arguments" || name === "input") return this.#growing.get(name);
    const place = `${name}${part}`;
    let growing = this.#growing.get(place);
    if (growing === undefined) {
      const head = headOf(name, this.#phase);
      const key = `${this.#index}:${head.type === "reasoning" ? head.type : place}`;
      growing = { key, place, head, sent: 0, annotations: 0 };
      this.#growing.set(place, growing);
    }
    return growing;
  }

  #open({ key, place, head }: Growing): void {
    this.#sequence.open(key, head);
    this.#opened.set(key, place);
  }

  #grow(growing: Growing, text: string, tokens: Tokens): void {
    if (text === "") return;
    const { key, place } = growing;
    const last = this.#opened.get(key);
    if (last === undefined) this.#open(growing);
    else if (last !== place) {
      this.#sequence.add(key, { type: "part" });
      this.#opened.set(key, place);
    }
    growing.sent += text.length;
    const logprobs = tokens !== undefined && tokens.length > 0 ? { logprobs: tokens } : undefined;
    this.#sequence.add(key, { type: "delta", text, ...logprobs });
  }
}

export function callKind(item: JsonObject): "function" | "custom" | undefined {
  if (item["type"] === "function_call") return "function";
  return item["type"] === "custom_tool_call" ? "custom" : undefined;
}

function headOf(name: Exclude<GrowthName, "arguments" | "input">, phase: string | undefined): BlockHead {
  if (name === "text") return { type: "text", phase };
  return { type: name === "refusal" ? "refusal" : "reasoning" };
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
