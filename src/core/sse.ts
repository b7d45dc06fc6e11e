// The only SSE reader and writer (WHATWG HTML §9.2.6). It cuts a byte stream into frames and keeps each
// frame's own bytes, so that a relay can pass them on unchanged and look only at those that matter.

const LF = 0x0a;
const CR = 0x0d;
const decoder = new TextDecoder();
const EMPTY = new Uint8Array(0);

/** One block of a stream up to and including its blank line: an event, or only comments. */
export class SseFrame {
  readonly bytes: Uint8Array;
  #fields: { readonly name: string; readonly data: string | undefined } | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The `event:` field; "" when there is none. */
  get name(): string {
    return this.fields().name;
  }

  /** The `data:` lines joined by LF; undefined for a frame that dispatches nothing, such as a comment. */
  get data(): string | undefined {
    return this.fields().data;
  }

  private fields(): { readonly name: string; readonly data: string | undefined } {
    return (this.#fields ??= readFields(decoder.decode(this.bytes)));
  }
}

function readFields(text: string): { name: string; data: string | undefined } {
  let name = "";
  let data: string | undefined;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== "data" && field !== "event") continue;
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    else data = data === undefined ? value : `${data}\n${value}`;
  }
  return { name, data };
}

/** Cuts chunks, split anywhere, into frames. What has no blank line yet waits for the next chunk. */
export class SseReader {
  #rest: Uint8Array = EMPTY;
  /** Where in `#rest` the search for a line end goes on, and whether the line there is still empty. */
  #scanned = 0;
  #lineEmpty = true;
  /** The last line ended in CR; an LF right behind it belongs to it. */
  #afterCr = false;
  #blank = true;

  /** Bytes held back because their frame is not complete. */
  get pending(): number {
    return this.#rest.length;
  }

  push(chunk: Uint8Array): SseFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: SseFrame[] = [];
    let from = 0;
    for (let at = this.#scanned; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === LF && this.#afterCr) {
        this.#afterCr = false;
        // The LF of a CRLF that closed a frame goes with that frame when both are here.
        if (at === from && frames.length > 0) from = this.extend(frames, bytes, at);
        continue;
      }
      this.#afterCr = byte === CR;
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        this.#blank = false;
        continue;
      }
      if (this.#lineEmpty && !this.#blank) {
        frames.push(new SseFrame(bytes.subarray(from, at + 1)));
        from = at + 1;
        this.#blank = true;
      }
      this.#lineEmpty = true;
    }
    this.#rest = bytes.subarray(from);
    this.#scanned = this.#rest.length;
    return frames;
  }

  /** At a clean end of the stream: what is left, if all its lines are whole and only the blank one is missing. */
  end(): SseFrame | undefined {
    const rest = this.#rest;
    this.#rest = EMPTY;
    const last = rest[rest.length - 1];
    return last === LF || last === CR ? new SseFrame(rest) : undefined;
  }

  private extend(frames: SseFrame[], bytes: Uint8Array, at: number): number {
    const last = frames[frames.length - 1];
    if (last !== undefined)
      frames[frames.length - 1] = new SseFrame(bytes.subarray(at - last.bytes.length, at + 1));
    return at + 1;
  }
}

/** One event as text on the wire. `data` must hold no line breaks, as JSON never does. */
export function encodeSse(data: string, name?: string): string {
  return name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`;
}
