// The only SSE reader and writer (WHATWG HTML §9.2.6). It cuts a byte stream into frames and keeps each
// frame's own bytes, so that a relay can pass them on unchanged and look only at those that matter.

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** A byte order mark counts at the beginning of a stream only, which a frame alone cannot know. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const BOM = "\ufeff";
const EMPTY = new Uint8Array(0);

/** One block of a stream up to and including its blank line: an event, or only comments. */
export class SseFrame {
  readonly bytes: Uint8Array;
  readonly #first: boolean;
  #fields: { readonly name: string; readonly data: string | undefined } | undefined;

  /** @param first whether its stream begins with it */
  constructor(bytes: Uint8Array, first = false) {
    this.bytes = bytes;
    this.#first = first;
  }

  /** The same frame with more of its line ends. */
  with(ends: Uint8Array): SseFrame {
    return new SseFrame(Buffer.concat([this.bytes, ends]), this.#first);
  }

  /** The `event:` field; "" when there is none. */
  get name(): string {
    return this.fields().name;
  }

  /** The `data:` lines joined by LF; undefined for a frame that dispatches nothing, such as a comment. */
  get data(): string | undefined {
    return this.fields().data;
  }

  /** Whether it dispatches an event, which most frames show by how they begin. */
  get isEvent(): boolean {
    const { bytes } = this;
    if (bytes[0] === COLON) return this.data !== undefined;
    const at = bytes[0] === 0x65 ? bytes.indexOf(LF) + 1 : 0;
    return isData(bytes, at) || this.data !== undefined;
  }

  private fields(): { readonly name: string; readonly data: string | undefined } {
    if (this.#fields !== undefined) return this.#fields;
    const text = decoder.decode(this.bytes);
    return (this.#fields = readFields(this.#first && text.startsWith(BOM) ? text.slice(1) : text));
  }
}

/** Whether `data:` stands there. */
function isData(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x64 &&
    bytes[at + 1] === 0x61 &&
    bytes[at + 2] === 0x74 &&
    bytes[at + 3] === 0x61 &&
    bytes[at + 4] === COLON
  );
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
  /** Chunks of the unfinished frame; joined once, when its end has come. */
  #pieces: Uint8Array[] = [];
  /** Bytes held back because their frame is not complete. */
  pending = 0;
  #lineEmpty = true;
  #blank = true;
  #first = true;
  /** The last line ended in CR; an LF right behind it belongs to it. */
  #afterCr = false;

  push(chunk: Uint8Array): SseFrame[] {
    const frames: SseFrame[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF && this.#afterCr) {
        this.#afterCr = false;
        // The LF of a CRLF that closed a frame goes with that frame when both are here.
        const last = at === from ? frames.pop() : undefined;
        if (last === undefined) continue;
        frames.push(last.with(chunk.subarray(at, at + 1)));
        from = at + 1;
        continue;
      }
      this.#afterCr = byte === CR;
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        this.#blank = false;
        continue;
      }
      if (this.#lineEmpty && !this.#blank) {
        frames.push(new SseFrame(this.#joined(chunk, from, at + 1), this.#first));
        this.#first = false;
        from = at + 1;
        this.#blank = true;
      }
      this.#lineEmpty = true;
    }
    if (from < chunk.length) {
      this.#pieces.push(from === 0 ? chunk : chunk.subarray(from));
      this.pending += chunk.length - from;
    }
    return frames;
  }

  /** At a clean end of the stream: what is left, if all its lines are whole and only the blank one is missing. */
  end(): SseFrame | undefined {
    const rest = this.#joined(EMPTY, 0, 0);
    const last = rest[rest.length - 1];
    return last === LF || last === CR ? new SseFrame(rest, this.#first) : undefined;
  }

  /** What was held back, and the part of this chunk that ends it. */
  #joined(chunk: Uint8Array, from: number, to: number): Uint8Array {
    const part = from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
    if (this.#pieces.length === 0) return part;
    const joined = Buffer.concat([...this.#pieces, part]);
    this.#pieces = [];
    this.pending = 0;
    return joined;
  }
}

/** One event as text on the wire. `data` must hold no line breaks, as JSON never does. */
export function encodeSse(data: string, name?: string): string {
  return name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`;
}
