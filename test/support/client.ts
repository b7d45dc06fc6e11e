// A raw HTTP client on node:net. It does what ordinary clients do not: leaves at a chosen byte, closes half, reads
// slowly or not at all, sends bytes that are no HTTP. It keeps everything it received.
import { connect, type Socket } from "node:net";
import { headerOf, MessageReader, type Framing, type Header } from "./http-message.ts";
import { readSse, type SseEvent } from "./sse-text.ts";

/**
 * How an answer ended: `complete` by its own framing, `fin` or `rst` before that, `stopped` by this client,
 * `timeout` after `timeoutMs`, `malformed` when the bytes are no HTTP, `refused` when nobody listens.
 */
export type ReplyEnd = "complete" | "fin" | "rst" | "stopped" | "timeout" | "malformed" | "refused";

export interface Reply {
  /** 0 when no head arrived. */
  readonly status: number;
  readonly headers: readonly Header[];
  readonly framing: Framing | undefined;
  readonly body: Buffer;
  /** Every byte from the socket, framing included. */
  readonly raw: Buffer;
  readonly interim: readonly number[];
  readonly end: ReplyEnd;
  /** Whether the other side closed the connection; known of clients that stay. */
  readonly closed: boolean;
  readonly problem: string | undefined;
  /** Milliseconds from the start of the request. */
  readonly headAtMs: number | undefined;
  readonly firstByteAtMs: number | undefined;
  readonly endAtMs: number;
  header(name: string): string | undefined;
  text(): string;
  json(): unknown;
  events(): readonly SseEvent[];
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  readonly key?: string;
  readonly headers?: readonly Header[];
  /** Send the body in chunks of this many bytes instead of with its length. */
  readonly chunkBytes?: number;
}

export interface Behaviour {
  readonly timeoutMs?: number;
  /** Leave so long after the request was sent, or when so many body bytes have arrived. */
  readonly leaveAfterMs?: number;
  readonly leaveAtByte?: number;
  readonly leaveBy?: "fin" | "rst";
  /** Close the sending half right after the request. */
  readonly halfClose?: boolean;
  /** With its answer complete, waits for the other side to close the connection, for as long as `timeoutMs` says. */
  readonly stays?: boolean;
  /** `never` reads nothing at all; a number is bytes per second. */
  readonly read?: "all" | "never" | number;
}

export interface Exchange {
  readonly reply: Promise<Reply>;
  readonly socket: Socket;
  readonly receivedBytes: number;
  leave(by?: "fin" | "rst"): void;
  halfClose(): void;
  pause(): void;
  resume(): void;
  /** Resolves true once the decoded body holds this text, false if the answer ends without it. */
  has(text: string): Promise<boolean>;
}

const TIMEOUT_MS = 10_000;

/** The ordinary use: send, read everything, judge later. */
export function post(
  url: string,
  path: string,
  body: unknown,
  options: Omit<RawRequest, "path" | "body"> & Behaviour = {},
): Promise<Reply> {
  return send(url, { ...options, path, body }, options).reply;
}

export function get(
  url: string,
  path: string,
  options: Omit<RawRequest, "path" | "body"> & Behaviour = {},
): Promise<Reply> {
  return send(url, { method: "GET", ...options, path }, options).reply;
}

export function send(url: string, request: RawRequest, behaviour: Behaviour = {}): Exchange {
  const { host } = new URL(url);
  return sendRaw(url, [requestBytes(host, request)], behaviour, request.method === "HEAD");
}

/** Sends these bytes as they are, in one write each. */
export function sendRaw(
  url: string,
  writes: readonly (Uint8Array | string)[],
  behaviour: Behaviour = {},
  bodiless = false,
): Exchange {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
  const receiver = new Receiver(socket, behaviour, bodiless);
  if (behaviour.read === "never") socket.pause();
  for (const bytes of writes) socket.write(bytes);
  if (behaviour.halfClose === true) socket.end();
  return {
    reply: receiver.done,
    socket,
    get receivedBytes() {
      return receiver.receivedBytes;
    },
    leave: (by = "fin") => receiver.leave(by),
    halfClose: () => socket.end(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    has: (text) => receiver.has(text),
  };
}

/** The bytes of a well-formed request. */
export function requestBytes(host: string, request: RawRequest): Buffer {
  const body = bodyBytes(request.body);
  const headers: Header[] = [["host", host]];
  if (request.key !== undefined) headers.push(["authorization", `Bearer ${request.key}`]);
  if (body !== undefined) headers.push(["content-type", "application/json"]);
  if (body !== undefined)
    headers.push(
      request.chunkBytes === undefined
        ? ["content-length", String(body.length)]
        : ["transfer-encoding", "chunked"],
    );
  const own = request.headers ?? [];
  const kept = headers.filter(([name]) => headerOf(own, name) === undefined);
  const lines = [...kept, ...own].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${request.method ?? "POST"} ${request.path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  if (body === undefined) return Buffer.from(head);
  return Buffer.concat([
    Buffer.from(head),
    request.chunkBytes === undefined ? body : chunked(body, request.chunkBytes),
  ]);
}

function bodyBytes(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}

function chunked(body: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0; start < body.length; start += size) {
    const piece = body.subarray(start, start + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

class Receiver {
  readonly done: Promise<Reply>;
  receivedBytes = 0;
  readonly #socket: Socket;
  readonly #behaviour: Behaviour;
  readonly #startedAt = performance.now();
  readonly #reader: MessageReader;
  readonly #raw: Buffer[] = [];
  readonly #body: Buffer[] = [];
  readonly #interim: number[] = [];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #watchers = new Set<() => void>();
  #resolve: (reply: Reply) => void = () => undefined;
  #over = false;
  #isComplete = false;
  #closed = false;
  #status = 0;
  #headers: readonly Header[] = [];
  #framing: Framing | undefined;
  #bodyBytes = 0;
  #headAtMs: number | undefined;
  #firstByteAtMs: number | undefined;

  constructor(socket: Socket, behaviour: Behaviour, bodiless: boolean) {
    this.#socket = socket;
    this.#behaviour = behaviour;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#reader = new MessageReader(
      { role: "response", bodiless },
      {
        head: (head) => {
          if (this.#isComplete) return;
          this.#status = Number(head.startLine.split(" ")[1]);
          this.#headers = head.headers;
          this.#framing = head.framing;
          this.#headAtMs = this.#elapsed();
        },
        body: (bytes) => this.#takeBody(bytes),
        end: () => this.#endMessage(),
      },
    );
    socket.on("data", (bytes: Buffer) => this.#takeBytes(bytes));
    socket.on("end", () => this.#part(this.#reader.close() === "complete" ? "complete" : "fin"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      this.#part(error.code === "ECONNREFUSED" ? "refused" : "rst", error.message),
    );
    socket.on("close", () => this.#part("fin"));
    this.#after(behaviour.timeoutMs ?? TIMEOUT_MS, () =>
      this.#finish(this.#isComplete ? "complete" : "timeout"),
    );
    if (behaviour.leaveAfterMs !== undefined)
      this.#after(behaviour.leaveAfterMs, () => this.leave(behaviour.leaveBy ?? "fin"));
  }

  leave(by: "fin" | "rst"): void {
    if (this.#over) return;
    if (by === "rst") this.#socket.resetAndDestroy();
    this.#finish("stopped");
  }

  has(text: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      const found = Buffer.concat(this.#body).includes(text);
      if (!found && !this.#over) return;
      this.#watchers.delete(look);
      resolve(found);
    };
    this.#watchers.add(look);
    look();
    return promise;
  }

  #takeBytes(bytes: Buffer): void {
    if (this.#over) return;
    this.#firstByteAtMs ??= this.#elapsed();
    this.receivedBytes += bytes.length;
    this.#raw.push(bytes);
    if (this.#isComplete) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#finish("malformed", String(error));
    }
    const rate = this.#behaviour.read;
    if (typeof rate === "number" && !this.#over) {
      this.#socket.pause();
      this.#after((bytes.length / rate) * 1000, () => this.#socket.resume());
    }
    for (const look of this.#watchers) look();
  }

  #takeBody(bytes: Buffer): void {
    if (this.#isComplete) return;
    const limit = this.#behaviour.leaveAtByte;
    const kept = limit === undefined ? bytes : bytes.subarray(0, limit - this.#bodyBytes);
    this.#body.push(kept);
    this.#bodyBytes += kept.length;
    if (limit !== undefined && this.#bodyBytes >= limit) this.leave(this.#behaviour.leaveBy ?? "fin");
  }

  #endMessage(): void {
    if (this.#status >= 100 && this.#status < 200 && this.#status !== 101) this.#interim.push(this.#status);
    else if (this.#behaviour.stays === true) this.#isComplete = true;
    else this.#finish("complete");
  }

  #part(end: ReplyEnd, problem?: string): void {
    this.#closed = true;
    this.#finish(this.#isComplete ? "complete" : end, problem);
  }

  #after(durationMs: number, act: () => void): void {
    this.#timers.push(setTimeout(act, durationMs));
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  #finish(end: ReplyEnd, problem?: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket.destroy();
    for (const look of this.#watchers) look();
    this.#resolve(this.#reply(end, problem));
  }

  #reply(end: ReplyEnd, problem: string | undefined): Reply {
    const headers = this.#headers;
    const body = Buffer.concat(this.#body);
    return {
      status: this.#status,
      headers,
      framing: this.#framing,
      body,
      raw: Buffer.concat(this.#raw),
      interim: this.#interim,
      end,
      closed: this.#closed,
      problem,
      headAtMs: this.#headAtMs,
      firstByteAtMs: this.#firstByteAtMs,
      endAtMs: this.#elapsed(),
      header: (name) => headerOf(headers, name),
      text: () => body.toString("utf8"),
      json: (): unknown => JSON.parse(body.toString("utf8")),
      events: () => readSse(body).events,
    };
  }
}
