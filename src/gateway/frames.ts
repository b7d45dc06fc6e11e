// An upstream stream as batches of complete frames. Half an event never leaves here, so a cut can always be told.

import { GatewayError } from "../core/errors.ts";
import { type SseFrame, SseReader } from "../core/sse.ts";
import { BrokenUpstream } from "./broken.ts";
import type { Upstream } from "./upstream.ts";

/** One event may be this large. */
const MAX_EVENT = 16 << 20;
const LF = 0x0a;
const CR = 0x0d;

/** Takes what is not for clients out of a stream; true when it has. */
export type Aside = (frame: SseFrame) => boolean;

/** Puts another frame in a frame's place, or hands it on. */
export type Mend = (frame: SseFrame) => SseFrame;

export class Frames {
  readonly #upstream: Upstream;
  readonly #aside: Aside | undefined;
  readonly #mend: Mend | undefined;
  readonly #reader = new SseReader();
  /** Bytes read so far. */
  size = 0;
  #ahead: Promise<readonly SseFrame[] | undefined> | undefined;
  /** The LF of a CRLF has left before it came. */
  #lfAhead = false;

  constructor(upstream: Upstream, aside: Aside | undefined, mend: Mend | undefined) {
    this.#upstream = upstream;
    this.#aside = aside;
    this.#mend = mend;
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
        return last?.data === undefined ? undefined : this.#mended([closed(last)]);
      }
      this.size += chunk.length;
      let frames: readonly SseFrame[] = this.#reader.push(this.#withoutLf(chunk));
      if (this.#reader.pending > MAX_EVENT) throw tooLarge("an event of the upstream's stream");
      if (frames.length === 0) continue;
      // Comments and half events are no sign of life.
      if (frames.some((frame) => frame.isEvent)) this.#upstream.touch();
      frames = this.#withLf(frames);
      if (this.#aside !== undefined) frames = frames.filter((frame) => this.#aside?.(frame) !== true);
      if (frames.length > 0) return this.#mended(frames);
    }
  }

  #mended(frames: readonly SseFrame[]): readonly SseFrame[] {
    const mend = this.#mend;
    return mend === undefined ? frames : frames.map((frame) => mend(frame));
  }

  /** A blank line of CRLF that was parted between the two: behind a last event its LF would not be waited for. */
  #withLf(frames: readonly SseFrame[]): readonly SseFrame[] {
    const last = frames.at(-1);
    this.#lfAhead = last?.bytes.at(-1) === CR && last.bytes.at(-2) === LF;
    if (last === undefined || !this.#lfAhead) return frames;
    return [...frames.slice(0, -1), last.with(Buffer.of(LF))];
  }

  #withoutLf(chunk: Uint8Array): Uint8Array {
    if (!this.#lfAhead || chunk.length === 0) return chunk;
    this.#lfAhead = false;
    return chunk[0] === LF ? chunk.subarray(1) : chunk;
  }
}

/** With the blank line it lacks, so that what is written behind it, an error event, does not become part of it. */
function closed(frame: SseFrame): SseFrame {
  return frame.with(frame.bytes.subarray(-1));
}

export function tooLarge(what: string): BrokenUpstream {
  const failure = new GatewayError("upstream_failed", `${what} is too large`);
  return new BrokenUpstream(failure, { on: "account" });
}
