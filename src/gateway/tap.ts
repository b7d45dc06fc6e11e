// What a relay learns from frames that pass by: how far the answer is, its usage, its id.

import type { Usage } from "../core/exchange.ts";
import { type JsonObject, parseObject } from "../core/json.ts";
import type { FrameKind, Wire } from "../core/ports.ts";
import type { SseFrame } from "../core/sse.ts";

export class Tap {
  readonly #wire: Wire;
  #usage: Partial<Usage> | undefined;
  /** The id under which the answer may be continued. */
  responseId: string | undefined;
  /** Told of what the answer holds that only its account can read; asked of conversations that have moved. */
  onSeal: ((sealed: string) => void) | undefined;
  /** The terminal marker has been seen. */
  ended = false;
  /** Ends that are still to come before a missing marker may be forgiven. */
  #unfinished: number;

  constructor(wire: Wire, choices: number) {
    this.#wire = wire;
    this.#unfinished = choices;
  }

  /** Whether a clean end of the connection is a true end of the answer now. */
  get complete(): boolean {
    return this.ended || this.#unfinished <= 0;
  }

  get usage(): Usage | undefined {
    if (this.#usage === undefined) return undefined;
    return { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, ...this.#usage };
  }

  see(frame: SseFrame): FrameKind {
    const kind = this.#wire.kind(frame);
    if (kind === "end") this.ended = true;
    if (kind === "finish") this.#unfinished--;
    // The id stands in the first events, which have no usage yet; an error event has to repeat it.
    const names = kind === "prelude" && this.responseId === undefined;
    if (names || this.onSeal !== undefined || this.#wire.mayCount(frame)) {
      const data = parseObject(frame.data ?? "");
      if (data !== undefined) this.count(data);
    }
    return kind;
  }

  /** Takes what a whole answer, or one event's data, says. */
  count(data: JsonObject): void {
    const counted = this.#wire.usage(data);
    if (counted !== undefined) this.#usage = { ...this.#usage, ...counted };
    this.responseId ??= this.#wire.responseId(data);
    if (this.onSeal !== undefined) for (const sealed of this.#wire.seals(data)) this.onSeal(sealed);
  }
}
