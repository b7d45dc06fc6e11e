// The client's side of an exchange: its status, its bytes, its keep-alives and its leaving.

import type { Clock, Wire } from "../core/ports.ts";

const KEEP_ALIVE_MS = 15_000;
/** A reader that takes nothing for this long is gone. */
const WRITE_STALL_MS = 120_000;
const encoder = new TextEncoder();

export interface ClientOptions {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly requestId: string;
  /** Fires when the client closes its connection. */
  readonly signal: AbortSignal;
}

/** One client, waiting for one answer. Nothing is buffered beyond the chunk under way. */
export class Client {
  readonly response: Promise<Response>;
  bytesOut = 0;
  /** What went out; 499 for a client that left before anything did. */
  status = 0;
  #resolve: (response: Response) => void = () => {};
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #head: Headers | undefined;
  #answered = false;
  #left = false;
  #ended = false;
  #waiting: (() => void) | undefined;
  #stopTimer: (() => void) | undefined;
  #spokenAt: number;
  #whenLeft: (() => void) | undefined;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#spokenAt = options.clock.now();
    this.response = new Promise((resolve) => (this.#resolve = resolve));
    if (options.signal.aborted) this.#leave();
    else options.signal.addEventListener("abort", () => this.#leave(), { once: true });
  }

  /** True once the client has closed its connection. */
  get left(): boolean {
    return this.#left;
  }

  /** True once a status has gone out. */
  get answered(): boolean {
    return this.#answered;
  }

  /** `work` runs when the client leaves, or now if it has left. */
  onLeave(work: () => void): void {
    this.#whenLeft = work;
    if (this.#left) work();
  }

  /** A whole answer. */
  respond(status: number, headers: Headers, body: Uint8Array | string): void {
    if (this.#answered || this.#left) return;
    this.#answered = true;
    this.#ended = true;
    this.#stopTimer?.();
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    this.bytesOut = bytes.length;
    this.status = status;
    this.#resolve(new Response(bytes, { status, headers: this.#stamp(headers) }));
  }

  /** From now on the client is a streaming one: silence is filled with keep-alives, and opens the stream. */
  expectStream(): void {
    this.#spokenAt = this.#options.clock.now();
    this.#watch(KEEP_ALIVE_MS);
  }

  /** Status and headers of a stream, which leave with its first bytes; does nothing when they are out already. */
  open(headers: Headers): void {
    if (this.#answered || this.#left) return;
    this.#answered = true;
    this.status = 200;
    headers.set("content-type", "text/event-stream; charset=utf-8");
    headers.set("cache-control", "no-cache");
    headers.set("x-accel-buffering", "no");
    this.#head = this.#stamp(headers);
  }

  /**
   * Complete events. A promise when the client cannot take more yet; nothing is said of their arrival.
   * `spoken` is false for events that no client counts as a sign of life.
   */
  write(chunk: Uint8Array | string, spoken = true): Promise<void> | undefined {
    if (this.#left || this.#ended) return undefined;
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    if (this.#head === undefined || bytes.length === 0) return undefined;
    this.bytesOut += bytes.length;
    if (spoken) this.#spokenAt = this.#options.clock.now();
    this.#enqueue(bytes);
    if ((this.#controller?.desiredSize ?? 1) > 0) return undefined;
    return new Promise<void>((resolve) => (this.#waiting = resolve));
  }

  /** With its first bytes in the queue when it is handed over, a stream's head and they leave in one send. */
  #enqueue(bytes: Uint8Array): void {
    if (this.#controller !== undefined) return this.#controller.enqueue(bytes);
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          controller.enqueue(bytes);
        },
        pull: () => this.#drained(),
        cancel: () => this.#leave(),
      },
      { highWaterMark: 1 },
    );
    this.#resolve(new Response(body, { status: 200, headers: this.#head ?? new Headers() }));
  }

  /** Ends the stream. What ends it – a terminal event or an error event – has been written before. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopTimer?.();
    if (this.#left) return;
    if (this.#controller !== undefined) this.#controller.close();
    else if (this.#head !== undefined)
      this.#resolve(new Response(null, { status: 200, headers: this.#head }));
  }

  /** The last resort, when even telling of a failure has failed: a bare 500, or a cut that nobody takes for an end. */
  abandon(): void {
    if (this.#controller !== undefined && !this.#ended) return this.#dismiss();
    this.#answered = false;
    this.respond(500, new Headers(), "");
  }

  #stamp(headers: Headers): Headers {
    headers.set("x-request-id", this.#options.requestId);
    return headers;
  }

  #drained(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  #leave(): void {
    if (this.#left || this.#ended) return;
    this.#left = true;
    this.#stopTimer?.();
    this.#drained();
    this.#whenLeft?.();
    // A head that waits for its first bytes has not left either.
    if (this.#controller !== undefined) return;
    this.status = 499;
    this.#resolve(new Response(null, { status: 499 }));
  }

  /** One timer for the life of the stream: it looks how long the silence is and sleeps for what is left. */
  #watch(afterMs: number): void {
    this.#stopTimer = this.#options.clock.after(afterMs, () => {
      const silentMs = this.#options.clock.now() - this.#spokenAt;
      if (this.#waiting !== undefined && silentMs >= WRITE_STALL_MS) return this.#dismiss();
      if (silentMs < KEEP_ALIVE_MS) return this.#watch(KEEP_ALIVE_MS - silentMs);
      if (this.#waiting === undefined) {
        this.open(new Headers());
        this.#enqueue(encoder.encode(this.#options.wire.keepAlive));
        this.#spokenAt = this.#options.clock.now();
      }
      this.#watch(KEEP_ALIVE_MS);
    });
  }

  /** The client reads no more: its connection is closed as if it had left. */
  #dismiss(): void {
    this.#controller?.error(new Error("the client stopped reading"));
    this.#leave();
  }
}
