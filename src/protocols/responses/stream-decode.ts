// Events of a response read into hub events.

import type { Stop, StreamEvent } from "../../core/hub.ts";
import { arrayAt, isObject, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { Sequence } from "../../core/sequence.ts";
import type { EventReader } from "../../core/stream-guard.ts";
import { inventedId } from "../../core/tool-names.ts";
import { wholeUsage } from "../../core/usage.ts";
import { GROWTHS, type GrowthName } from "./grammar.ts";
import { callKind, GrowingItem } from "./item-decode.ts";
import { responsesWire } from "./wire.ts";

/** The growing texts by their events; a done event holds the whole text. */
const DELTAS = new Map<string, GrowthName>();
const DONES = new Map<string, GrowthName>();
for (const name of ["text", "refusal", "summary", "reasoning", "arguments", "input"] as const) {
  DELTAS.set(`${GROWTHS[name].event}.delta`, name);
  DONES.set(`${GROWTHS[name].event}.done`, name);
}

export class ResponseReader implements EventReader {
  readonly #sequence = new Sequence();
  readonly #items = new Map<number, GrowingItem>();
  #started = false;
  #id = "";

  read(event: JsonObject): readonly StreamEvent[] {
    const type = stringAt(event, "type") ?? "";
    if (type === "response.failed" || type === "error") {
      const error = responsesWire.error(event);
      return error === undefined ? [] : [{ type: "error", error }];
    }
    const start = this.#start(type, objectAt(event, "response"));
    const end = this.#step(type, event);
    return [...start, ...this.#sequence.take(), ...end];
  }

  /** Success is told by an event of its own. */
  finish(): readonly StreamEvent[] {
    return [];
  }

  /** Begins with whatever comes first; `response.created` may be missing. */
  #start(type: string, response: JsonObject | undefined): StreamEvent[] {
    if (this.#started || !type.startsWith("response.")) return [];
    this.#started = true;
    this.#id = stringAt(response, "id") ?? "";
    return [{ type: "start", id: this.#id, model: stringAt(response, "model") ?? "" }];
  }

  #step(type: string, event: JsonObject): StreamEvent[] {
    const delta = DELTAS.get(type);
    if (delta !== undefined) {
      const tokens = arrayAt(event, "logprobs")?.filter(isObject);
      this.#itemOf(event).delta(delta, partOf(event), stringAt(event, "delta") ?? "", tokens);
      return [];
    }
    switch (type) {
      case "response.output_item.added":
        this.#itemOf(event);
        break;
      case "response.output_item.done":
        this.#done(event);
        break;
      case "response.output_text.annotation.added":
        this.#itemOf(event).annotate(partOf(event), event["annotation"]);
        break;
      case "response.content_part.done":
        this.#itemOf(event).endPart(objectAt(event, "part") ?? {}, partOf(event));
        break;
      case "response.completed":
      case "response.incomplete":
        return this.#end(type, objectAt(event, "response") ?? {});
      default: {
        const done = DONES.get(type);
        if (done !== undefined)
          this.#itemOf(event).whole(done, partOf(event), stringAt(event, GROWTHS[done].whole));
      }
    }
    return [];
  }

  #itemOf(event: JsonObject): GrowingItem {
    const index = numberAt(event, "output_index") ?? 0;
    const item = objectAt(event, "item");
    let growing = this.#items.get(index);
    if (growing === undefined) {
      growing = new GrowingItem(index, item, this.#sequence);
      this.#items.set(index, growing);
    }
    if (item !== undefined) growing.openCall(item, () => inventedId(this.#id, index));
    return growing;
  }

  #done(event: JsonObject): void {
    const item = objectAt(event, "item");
    if (item === undefined) return;
    const growing = this.#itemOf(event);
    if (callKind(item) !== undefined || item["type"] === "message" || item["type"] === "reasoning")
      growing.end(item);
    else this.#sequence.put({ type: "native", native: { protocol: "responses", value: item } });
  }

  #end(type: string, response: JsonObject): StreamEvent[] {
    // Some servers tell the items only here.
    if (this.#items.size === 0)
      arrayAt(response, "output")?.forEach((item, output_index) => this.#done({ output_index, item }));
    this.#sequence.closeAll();
    const usage = responsesWire.usage({ response });
    const stop = stopOf(type, response);
    const tier = stringAt(response, "service_tier");
    return [...this.#sequence.take(), { type: "end", stop, usage: usage && wholeUsage(usage), tier }];
  }
}

function partOf(event: JsonObject): number {
  return numberAt(event, "content_index") ?? numberAt(event, "summary_index") ?? 0;
}

function stopOf(type: string, response: JsonObject): Stop {
  if (type === "response.completed") return { reason: "done", word: "completed" };
  const word = stringAt(objectAt(response, "incomplete_details"), "reason");
  if (word === "max_output_tokens") return { reason: "length", word };
  return word === "content_filter" ? { reason: "safety", word } : { reason: "cut", word };
}
