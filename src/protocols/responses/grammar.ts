// The one place that writes the events of a response: item added, parts, deltas, done, in order and numbered.

import { type JsonObject, stringAt } from "../../core/json.ts";

/** A text that grows: which events carry it, and under which names. */
interface Growth {
  /** The events are `<event>.delta` and `<event>.done`. */
  readonly event: string;
  /** The member of the done event that holds the whole text. */
  readonly whole: string;
  /** The events around it, for a text that is a part of its item. */
  readonly part?: string;
  /** What counts the parts. */
  readonly index?: "content_index" | "summary_index";
  /** Members that delta and done always have. */
  readonly fixed?: JsonObject;
}

export const GROWTHS = {
  text: {
    event: "response.output_text",
    whole: "text",
    part: "response.content_part",
    index: "content_index",
    fixed: { logprobs: [] },
  },
  refusal: {
    event: "response.refusal",
    whole: "refusal",
    part: "response.content_part",
    index: "content_index",
  },
  reasoning: {
    event: "response.reasoning_text",
    whole: "text",
    part: "response.content_part",
    index: "content_index",
  },
  summary: {
    event: "response.reasoning_summary_text",
    whole: "text",
    part: "response.reasoning_summary_part",
    index: "summary_index",
  },
  arguments: { event: "response.function_call_arguments", whole: "arguments" },
  input: { event: "response.custom_tool_call_input", whole: "input" },
} as const satisfies Record<string, Growth>;

export type GrowthName = keyof typeof GROWTHS;

export class Grammar {
  #sequence = 0;
  #outputIndex = -1;
  #itemId = "";
  #parts = { content_index: -1, summary_index: -1 };
  #events: JsonObject[] = [];

  /** The events since the last call. */
  take(): JsonObject[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  emit(type: string, members: JsonObject): void {
    this.#events.push({ type, sequence_number: this.#sequence++, ...members });
  }

  openItem(item: JsonObject): void {
    this.#outputIndex++;
    this.#itemId = stringAt(item, "id") ?? "";
    this.#parts = { content_index: -1, summary_index: -1 };
    this.emit("response.output_item.added", { output_index: this.#outputIndex, item });
  }

  closeItem(item: JsonObject): void {
    this.emit("response.output_item.done", { output_index: this.#outputIndex, item });
  }

  openPart(name: GrowthName, part: JsonObject): void {
    const growth: Growth = GROWTHS[name];
    if (growth.index !== undefined) this.#parts[growth.index]++;
    if (growth.part !== undefined) this.emit(`${growth.part}.added`, { ...this.#place(growth), part });
  }

  delta(name: GrowthName, delta: string, members?: JsonObject): void {
    const growth: Growth = GROWTHS[name];
    this.emit(`${growth.event}.delta`, { ...this.#place(growth), delta, ...growth.fixed, ...members });
  }

  annotation(annotation: JsonObject, index: number): void {
    const place = this.#place(GROWTHS.text);
    this.emit("response.output_text.annotation.added", { ...place, annotation_index: index, annotation });
  }

  /** The whole text of what has grown, and the finished part where it is one. */
  closePart(name: GrowthName, text: string, part: JsonObject): void {
    const growth: Growth = GROWTHS[name];
    const place = this.#place(growth);
    this.emit(`${growth.event}.done`, { ...place, [growth.whole]: text, ...growth.fixed });
    if (growth.part !== undefined) this.emit(`${growth.part}.done`, { ...place, part });
  }

  #place(growth: Growth): JsonObject {
    const item = { item_id: this.#itemId, output_index: this.#outputIndex };
    return growth.index === undefined ? item : { ...item, [growth.index]: this.#parts[growth.index] };
  }
}
