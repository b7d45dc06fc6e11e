// An upstream stream as batches of complete frames. Half an event never leaves here, so a cut can always be told.

import { GatewayError } from "../core/errors.ts";
import { type SseFrame, SseReader } from "../core/sse.ts";
import { BrokenUpstream } from "./broken.ts";
import type { Upstream } from "./upstream.ts";

/** One event may be this large. */
const MAX_EVENT = 16 << 20;

export class Frames {
  readonly #upstream: Upstream;
  readonly #reader = new SseReader();
  #ahead: Promise<readonly SseFrame[] | undefined> | undefined;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** The next batch without taking it: what a later `next` will return. */
  peek(): Promise<readonly SseFrame[] | undefined> {
    return (this.#ahead ??= this.#read());
  }

  /** The next frames, at least one; undefined at the clean end. @throws BrokenUpstream */
  next(): Promise<readonly SseFrame[] | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead ?? this.#read();
  }

  async #read(): Promise<readonly SseFrame[] | undefined> {
    for (;;) {
      const chunk = await this.#upstream.read();
      if (chunk === undefined) {
        const last = this.#reader.end();
        return last === undefined ? undefined : [last];
      }
      const frames = this.#reader.push(chunk);
      if (this.#reader.pending > MAX_EVENT) throw tooLarge();
      if (frames.length === 0) continue;
      // Comments and half events are no sign of life.
      if (frames.some((frame) => frame.data !== undefined)) this.#upstream.touch();
      return frames;
    }
  }
}

function tooLarge(): BrokenUpstream {
  const failure = new GatewayError("upstream_failed", "an event of the upstream's stream is too large");
  return new BrokenUpstream(failure, { on: "account" });
}

/** The bytes of frames that lie side by side in one buffer, as a batch's do. */
export function joined(frames: readonly SseFrame[]): Uint8Array {
  const first = frames[0]?.bytes;
  const last = frames[frames.length - 1]?.bytes;
  if (first === undefined || last === undefined) return new Uint8Array(0);
  return new Uint8Array(first.buffer, first.byteOffset, last.byteOffset + last.length - first.byteOffset);
}
