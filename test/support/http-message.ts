// Reads HTTP/1.1 messages by hand, so that the test kit does not share a parser with the program it tests.
// It is strict: whatever RFC 9112 does not allow is an error, and the reader says which byte sequence it was.

export type Header = readonly [name: string, value: string];

export type Framing = "none" | "length" | "chunked" | "close";

export interface MessageHead {
  readonly startLine: string;
  readonly headers: readonly Header[];
  readonly framing: Framing;
}

export interface MessageSink {
  head(head: MessageHead): void;
  body(bytes: Buffer): void;
  /** The message is complete by its own framing. */
  end(): void;
}

export interface ReaderOptions {
  readonly role: "request" | "response";
  /** The answer to a HEAD request has no body whatever its headers say. */
  readonly bodiless?: boolean;
}

type State =
  | { readonly at: "head" }
  | { readonly at: "length"; left: number }
  | { readonly at: "chunk-size" }
  | { readonly at: "chunk-data"; left: number }
  | { readonly at: "chunk-end" }
  | { readonly at: "trailer" }
  | { readonly at: "close" };

const CRLF = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING = Buffer.alloc(0);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const MAX_LINE_BYTES = 1 << 20;

export class MessageError extends Error {
  override readonly name = "MessageError";
}

export function headerOf(headers: readonly Header[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
}

export class MessageReader {
  #state: State = { at: "head" };
  #rest: Buffer = NOTHING;
  readonly #options: ReaderOptions;
  readonly #sink: MessageSink;

  constructor(options: ReaderOptions, sink: MessageSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** Bytes that arrived but belong to no finished part yet. */
  get pending(): Buffer {
    return this.#rest;
  }

  /** True between messages, when the other side owes nothing. */
  get idle(): boolean {
    return this.#state.at === "head" && this.#rest.length === 0;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#step());
  }

  /** The other side closed. Answers whether the message in progress is complete by that. */
  close(): "idle" | "complete" | "cut" {
    if (this.#state.at === "close") {
      this.#state = { at: "head" };
      this.#sink.end();
      return "complete";
    }
    return this.idle ? "idle" : "cut";
  }

  #step(): boolean {
    switch (this.#state.at) {
      case "head":
        return this.#readHead();
      case "length":
      case "chunk-data":
        return this.#readCounted(this.#state);
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk-end":
        return this.#readChunkEnd();
      case "trailer":
        return this.#readTrailer();
      case "close": {
        const bytes = this.#take(this.#rest.length);
        if (bytes.length > 0) this.#sink.body(bytes);
        return false;
      }
    }
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) {
      if (this.#rest.length > MAX_LINE_BYTES) throw new MessageError("head without an end");
      return false;
    }
    const text = this.#take(end + HEAD_END.length)
      .subarray(0, end)
      .toString("latin1");
    const head = parseHead(text, this.#options);
    this.#state = stateAfter(head);
    this.#sink.head(head);
    if (head.framing === "none" || (this.#state.at === "length" && this.#state.left === 0)) this.#finish();
    return this.#rest.length > 0;
  }

  #readCounted(state: { readonly at: "length" | "chunk-data"; left: number }): boolean {
    const bytes = this.#take(Math.min(state.left, this.#rest.length));
    state.left -= bytes.length;
    if (bytes.length > 0) this.#sink.body(bytes);
    if (state.left > 0) return false;
    if (state.at === "length") this.#finish();
    else this.#state = { at: "chunk-end" };
    return this.#rest.length > 0;
  }

  #readChunkSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    const size = line.split(";", 1)[0] ?? "";
    if (!/^[0-9a-fA-F]{1,8}$/.test(size.trim()))
      throw new MessageError(`bad chunk size ${JSON.stringify(line)}`);
    const left = Number.parseInt(size, 16);
    this.#state = left === 0 ? { at: "trailer" } : { at: "chunk-data", left };
    return this.#rest.length > 0;
  }

  #readChunkEnd(): boolean {
    if (this.#rest.length < CRLF.length) return false;
    const end = this.#take(CRLF.length);
    if (!end.equals(CRLF))
      throw new MessageError(`chunk does not end with CRLF but ${JSON.stringify(end.toString("latin1"))}`);
    this.#state = { at: "chunk-size" };
    return this.#rest.length > 0;
  }

  #readTrailer(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    if (line === "") this.#finish();
    return this.#rest.length > 0;
  }

  #line(): string | undefined {
    const end = this.#rest.indexOf(CRLF);
    if (end < 0) {
      if (this.#rest.length > MAX_LINE_BYTES) throw new MessageError("line without an end");
      return undefined;
    }
    return this.#take(end + CRLF.length)
      .subarray(0, end)
      .toString("latin1");
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  #finish(): void {
    this.#state = { at: "head" };
    this.#sink.end();
  }
}

function parseHead(text: string, options: ReaderOptions): MessageHead {
  const [startLine = "", ...lines] = text.split("\r\n");
  const valid =
    options.role === "request"
      ? /^[A-Z]+ \S+ HTTP\/1\.1$/.test(startLine)
      : /^HTTP\/1\.1 [1-5]\d\d( |$)/.test(startLine);
  if (!valid) throw new MessageError(`bad start line ${JSON.stringify(startLine.slice(0, 200))}`);
  const headers = lines.map(parseHeader);
  return { startLine, headers, framing: framingOf(startLine, headers, options) };
}

function parseHeader(line: string): Header {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  if (!TOKEN.test(name)) throw new MessageError(`bad header line ${JSON.stringify(line.slice(0, 200))}`);
  return [name, line.slice(colon + 1).trim()];
}

function framingOf(startLine: string, headers: readonly Header[], options: ReaderOptions): Framing {
  const lengths = headers
    .filter(([name]) => name.toLowerCase() === "content-length")
    .map(([, value]) => value);
  const coding = headerOf(headers, "transfer-encoding");
  if (lengths.length > 1) throw new MessageError("more than one content-length");
  if (lengths.length > 0 && coding !== undefined)
    throw new MessageError("content-length and transfer-encoding");
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    throw new MessageError(`transfer-encoding ${coding}`);
  if (options.bodiless === true) return "none";
  if (options.role === "response" && /^HTTP\/1\.1 (1\d\d|204|304)/.test(startLine)) return "none";
  if (coding !== undefined) return "chunked";
  const [length] = lengths;
  if (length === undefined) return options.role === "request" ? "none" : "close";
  if (!/^\d{1,15}$/.test(length)) throw new MessageError(`content-length ${JSON.stringify(length)}`);
  return "length";
}

function stateAfter(head: MessageHead): State {
  switch (head.framing) {
    case "none":
      return { at: "head" };
    case "length":
      return { at: "length", left: Number(headerOf(head.headers, "content-length")) };
    case "chunked":
      return { at: "chunk-size" };
    case "close":
      return { at: "close" };
  }
}
