// Stop strings, kept by the gateway: not every protocol has them. The text ends before the first one met and
// the answer ends with it; what the upstream still sends is only waited for, because its usage comes last.

import type { StreamEvent } from "./hub.ts";
import { type JsonObject, stringAt } from "./json.ts";

type Delta = StreamEvent & { type: "delta" };

export class StopCutter {
  readonly #stops: readonly string[];
  /** The text block's opening, held until it has text that stays. */
  #open: StreamEvent | undefined;
  #inText = false;
  /** The end of the text so far, while it may be the beginning of a stop string. */
  #held = "";
  /** Log probabilities of text that is not out yet, and how much of their text is. */
  #tokens: JsonObject[] = [];
  #ahead = 0;
  #met: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  step(event: StreamEvent): readonly StreamEvent[] {
    if (event.type === "start") return [event];
    if (this.#met !== undefined) return this.#afterwards(event);
    switch (event.type) {
      case "block_open":
        this.#inText = event.block.type === "text";
        if (!this.#inText) return [event];
        this.#open = event;
        return [];
      case "delta":
        return this.#inText ? this.#text(event) : [event];
      case "block_close":
        return this.#inText ? this.#close(event) : [event];
      default:
        // What is said about a text goes with the text.
        return this.#inText && this.#open !== undefined ? [] : [event];
    }
  }

  /** An answer that has met its stop string is whole, whatever becomes of the upstream's. */
  #afterwards(event: StreamEvent): readonly StreamEvent[] {
    if (event.type !== "end" && event.type !== "error") return [];
    const stop = { reason: "stop_string", sequence: this.#met } as const;
    return [event.type === "end" ? { ...event, stop } : { type: "end", stop, usage: undefined }];
  }

  #text(event: Delta): StreamEvent[] {
    if (event.logprobs !== undefined) this.#tokens.push(...event.logprobs);
    const text = this.#held + event.text;
    const at = this.#firstStop(text);
    if (at === undefined) {
      const keep = this.#mayBegin(text);
      this.#held = text.slice(text.length - keep);
      return this.#emit(text.slice(0, text.length - keep));
    }
    const shown = this.#emit(text.slice(0, at));
    return this.#open === undefined ? [...shown, { type: "block_close", whole: true }] : shown;
  }

  #close(event: StreamEvent): StreamEvent[] {
    const rest = this.#emit(this.#held);
    this.#held = "";
    this.#inText = false;
    return this.#open === undefined ? [...rest, event] : rest;
  }

  /**
   * Where the stop string begins that is complete first, as a model that knew them would have stopped there;
   * remembers which it is. Of two that end together the longer one counts. What comes in pieces gives the same.
   */
  #firstStop(text: string): number | undefined {
    let first: number | undefined;
    let end = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      const until = at + stop.length;
      if (at < 0 || until > end || (until === end && at >= (first ?? 0))) continue;
      first = at;
      end = until;
      this.#met = stop;
    }
    return first;
  }

  /** How many characters at the end of the text may be the beginning of a stop string. */
  #mayBegin(text: string): number {
    let most = 0;
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, text.length); length > most; length--)
        if (text.endsWith(stop.slice(0, length))) most = length;
    return most;
  }

  #emit(text: string): StreamEvent[] {
    if (text === "") return [];
    const logprobs = this.#tokensOf(text);
    const delta: Delta = logprobs.length > 0 ? { type: "delta", text, logprobs } : { type: "delta", text };
    const open = this.#open;
    this.#open = undefined;
    return open === undefined ? [delta] : [open, delta];
  }

  /** The tokens that lie within the text that goes out. */
  #tokensOf(text: string): JsonObject[] {
    this.#ahead += text.length;
    const out: JsonObject[] = [];
    for (let token = this.#tokens[0]; token !== undefined; token = this.#tokens[0]) {
      const length = (stringAt(token, "token") ?? "").length;
      if (length > this.#ahead) return out;
      this.#ahead -= length;
      out.push(token);
      this.#tokens.shift();
    }
    this.#ahead = 0;
    return out;
  }
}
