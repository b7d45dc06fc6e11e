// One socket: its requests one after another, each of them an exchange on the request line like any POST, and the
// conversation between them, since clients send only what is new.

import { GatewayError } from "../core/errors.ts";
import type { ClientKey } from "../core/exchange.ts";
import { type JsonObject, stringAt } from "../core/json.ts";
import { errorFrame, nothing, Passage, sayable } from "./websocket-answer.ts";
import type { Conversation, Memory, Owner } from "./websocket-memory.ts";
import { bodyOf, type Create, headersOf, listed, readMessage, TURN_STATE } from "./websocket-request.ts";

/** Close codes of RFC 6455 §7.4.1. */
const GOING_AWAY = 1001;
const REFUSED = 1008;

const encoder = new TextEncoder();

/** The side of Bun's socket that a session needs. */
export interface Line {
  /** -1 when the frame has to wait for the client, 0 when the socket is closed. */
  send(text: string): number;
  getBufferedAmount(): number;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** What a socket's requests are answered with. */
export interface SocketRoutes {
  /** Whose socket it is. @throws GatewayError when nobody's, or when no more requests are taken */
  readonly admit: (headers: Headers) => ClientKey;
  readonly exchange: (request: Request) => Promise<Response>;
  /** A whole answer as the stream that would have carried it. */
  readonly unfold: (answer: JsonObject) => string;
  /** Epoch ms. */
  readonly wall: () => number;
  /** Whether a request may go on from this answer although it did not come over this socket. */
  readonly holds: (key: ClientKey, responseId: string) => boolean;
  readonly refuse: (thrown: unknown) => Response;
  /** The most a request may hold, in bytes. */
  readonly maxBytes: () => number;
}

export interface SessionOptions {
  readonly line: Line;
  readonly routes: SocketRoutes;
  readonly memory: Memory;
  /** Of the upgrade. */
  readonly url: string;
  readonly headers: Headers;
}

export class Session implements Owner {
  readonly #options: SessionOptions;
  #isClosed = false;
  #running = false;
  /** Of the answer under way. One for the whole socket would hold on to every request there was on it. */
  #gone = new AbortController();
  /** A client may send its next request while an answer is under way; one, and no more. */
  #next: Create | undefined;
  #leaving: string | undefined;
  #waiting: (() => void) | undefined;
  /** A POST's answer tells it in a header, which a socket has not: it is kept here for the rest of its turn. */
  #turn: { readonly id: string | undefined; readonly state: string | null };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#turn = { id: undefined, state: options.headers.get(TURN_STATE) };
  }

  /** Whether an answer is under way. */
  get busy(): boolean {
    return this.#running;
  }

  /** A message has come. */
  take(message: string | Uint8Array): void {
    try {
      if (typeof message !== "string") throw new GatewayError("invalid_request", "messages are text frames");
      const create = readMessage(message);
      if (create === undefined) return;
      if (!this.#running) return void this.#run(create);
      this.#options.routes.admit(this.#options.headers);
      if (this.#next !== undefined) throw crowded();
      this.#next = create;
    } catch (thrown) {
      void this.#tell(thrown);
    }
  }

  /** The client has taken some of what was waiting for it. */
  drained(): void {
    if (this.#options.line.getBufferedAmount() > 0) return;
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** The socket is closed: whatever is under way has lost its client. */
  ended(): void {
    this.#isClosed = true;
    this.#next = undefined;
    this.#options.memory.delete(this);
    this.#gone.abort();
    this.#waiting?.();
  }

  /** Sends the client away, to come back on another socket: now, or when it has the answer under way. */
  leave(reason: string): void {
    this.#leaving = reason;
    if (!this.#running) this.#options.line.close(GOING_AWAY, reason);
  }

  /** Never throws. */
  async #run(first: Create): Promise<void> {
    this.#running = true;
    for (let create: Create | undefined = first; create !== undefined; create = this.#following()) {
      await this.#answer(create);
    }
    this.#running = false;
    if (this.#leaving !== undefined) this.leave(this.#leaving);
  }

  #following(): Create | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  async #answer(create: Create): Promise<void> {
    try {
      await this.#pass(create);
    } catch (thrown) {
      // A client that takes nothing would not take an error either.
      if (this.#waiting !== undefined) return this.#options.line.terminate();
      await this.#tell(thrown);
    }
  }

  async #pass(create: Create): Promise<void> {
    const { routes, line, headers: upgrade } = this.#options;
    const before = this.#before(create, routes.admit(upgrade));
    const items = itemsOf(create, before);
    const { signal } = (this.#gone = new AbortController());
    const response = await this.#ask(create, bodyOf(create, before === undefined ? undefined : items));
    if (response.status !== 200 || response.body === null) return void line.send(await errorFrame(response));
    const passage = new Passage((text) => this.#send(text), routes.maxBytes());
    await passage.run(response.body, signal);
    if (this.#isClosed) return;
    if (!passage.ended) throw new GatewayError("upstream_cut", "the answer broke off");
    this.#remember(items, passage);
  }

  /** What the request goes on from; undefined when it begins anew, or goes on from what its upstream keeps. */
  #before({ previous, generates }: Create, key: ClientKey): Conversation | undefined {
    if (previous === undefined) return undefined;
    const { memory, routes } = this.#options;
    const kept = memory.get(this);
    if (kept?.id === previous) return kept;
    if (generates && routes.holds(key, previous)) return undefined;
    throw new GatewayError(
      "previous_response_not_found",
      "the previous response is not known on this socket; send the whole input",
      { param: "previous_response_id" },
    );
  }

  async #ask(create: Create, body: Uint8Array): Promise<Response> {
    const { routes, headers: upgrade, url } = this.#options;
    if (!create.generates) return new Response(routes.unfold(nothing(create.model, routes.wall())));
    const headers = headersOf(upgrade, create.metadata);
    headers.set("content-length", String(body.length));
    const turn = stringAt(create.metadata, "turn_id");
    // A client that comes in the middle of a turn brings its state along, and says with its first request which turn.
    const isSame = turn !== undefined && turn === (this.#turn.id ?? turn);
    const state = isSame ? this.#turn.state : null;
    if (state !== null) headers.set(TURN_STATE, state);
    const { signal } = this.#gone;
    const response = await routes.exchange(new Request(url, { method: "POST", headers, body, signal }));
    this.#turn = { id: turn, state: response.headers.get(TURN_STATE) ?? state };
    return response;
  }

  /** Keeps what the next request may go on from. A failed answer leaves what was before it. */
  #remember(items: Uint8Array | undefined, passage: Passage): void {
    if (passage.failed) return;
    const { memory, routes } = this.#options;
    memory.delete(this);
    if (items === undefined) return;
    const answered = passage.answered();
    const output = JSON.stringify(sayable(answered?.output ?? [])).slice(1, -1);
    const all = listed([items, encoder.encode(output)]);
    const isKept =
      answered !== undefined &&
      all.length <= routes.maxBytes() &&
      memory.set(this, { id: answered.id, items: all });
    // On a new socket a client sends the whole conversation, while an unknown id it may take for the end of it.
    if (!isKept) this.leave("the conversation is too long to be kept");
  }

  #send(text: string): Promise<void> | undefined {
    if (this.#options.line.send(text) !== -1) return undefined;
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  async #tell(thrown: unknown): Promise<void> {
    const { line, routes } = this.#options;
    line.send(await errorFrame(routes.refuse(thrown)));
    if (thrown instanceof GatewayError && thrown.code === "unauthenticated")
      line.close(REFUSED, "unauthenticated");
  }
}

/** All items of the conversation; undefined when some of them are nobody's but the upstream's. */
function itemsOf({ input, previous }: Create, before: Conversation | undefined): Uint8Array | undefined {
  if (before !== undefined && input === undefined) {
    throw new GatewayError(
      "invalid_request",
      "`input` must be a text or a list, and `conversation` be absent",
      { param: "input" },
    );
  }
  const isWhole = before !== undefined || previous === undefined;
  return isWhole && input !== undefined ? listed([before?.items ?? new Uint8Array(0), input]) : undefined;
}

function crowded(): GatewayError {
  return new GatewayError(
    "invalid_request",
    "an answer is under way on this socket and a request waits for it",
  );
}
