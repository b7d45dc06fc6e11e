// An answer of the request line on its way to a socket: each event of its stream is a frame, and an answer that is
// an error is one frame as well. What the next request may go on from is gathered on the way.

import { labelOf } from "../core/frame-peek.ts";
import {
  arrayAt,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  parseObject,
  stringAt,
} from "../core/json.ts";
import { type SseFrame, SseReader } from "../core/sse.ts";
import { readError } from "../core/wire-error.ts";
import { requestId } from "./answers.ts";

/** Headers of an error answer that clients act upon. */
const TELLING = ["retry-after", "retry-after-ms", "x-should-retry", "x-request-id"];

/** Takes a frame; a promise when no more should come before it is settled. */
export type Send = (text: string) => Promise<void> | undefined;

/** A whole answer, which may be continued. */
export interface Answered {
  readonly id: string;
  /** What it said, item by item. */
  readonly output: readonly Json[];
}

/** The frame for an answer that is no stream. */
export async function errorFrame(response: Response): Promise<string> {
  const { status, headers } = response;
  const data = parseObject(await response.text()) ?? {};
  const told = TELLING.map((name) => [name, headers.get(name) ?? undefined]);
  return encodeError(status, objectAt(data, "error") ?? wordsOf(data), Object.fromEntries(told));
}

/** Codex overlooks an error without a status, and waits on. */
function encodeError(status: number, error: JsonObject, headers?: JsonObject): string {
  return JSON.stringify({ type: "error", status, error, headers });
}

/** An error in whatever form an upstream tells it, in that of a socket. */
function wordsOf(data: JsonObject): JsonObject {
  const error = readError(data);
  const { type = "server_error", code = null, message = "the request failed", param = null } = error ?? {};
  return { type, code, message, param };
}

const isOwn = (name: string): boolean => name.startsWith("response.") || name === "error";

/** One answer's stream, passed on event by event. */
export class Passage {
  /** The stream's own end has come, good or bad. */
  ended = false;
  readonly #send: Send;
  readonly #limit: number;
  readonly #items = new Map<number, JsonObject>();
  #size = 0;
  #response: JsonObject | undefined;

  /** @param limit more output than this, in characters, is not kept for a continuation */
  constructor(send: Send, limit: number) {
    this.#send = send;
    this.#limit = limit;
  }

  /** Settles at the end of the body, or once `signal` has fired. Rejects when the body breaks. */
  async run(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
    const reader = body.getReader();
    const stop = (): void => void reader.cancel().catch(() => {});
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    // It rejects when the gateway has waited too long for a client that takes nothing.
    const closed = reader.closed;
    closed.catch(() => {});
    const sse = new SseReader();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        for (const frame of sse.push(part.value)) {
          const full = this.#pass(frame);
          if (full !== undefined) await Promise.race([full, closed]);
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Whether there is no answer, or only a part of one. */
  get failed(): boolean {
    return this.#response === undefined;
  }

  /** Undefined unless the answer came whole and is small enough to be kept. */
  answered(): Answered | undefined {
    const id = stringAt(this.#response, "id");
    if (id === undefined || this.#size > this.#limit) return undefined;
    const items = [...this.#items].toSorted(([a], [b]) => a - b).map(([, item]) => item);
    // Some upstreams leave the list at the end empty, and a short answer may come without the single items.
    return { id, output: items.length > 0 ? items : (arrayAt(this.#response, "output") ?? []) };
  }

  #pass(frame: SseFrame): Promise<void> | undefined {
    const { data } = frame;
    const label = labelOf(frame, isOwn);
    if (data === undefined || label === undefined) return undefined;
    const type = isOwn(label.name) ? label.name : label.type;
    if (type === "response.output_item.done") this.#keep(data);
    if (type === "response.completed" || type === "response.incomplete") {
      this.ended = true;
      this.#response = objectAt(parseObject(data), "response");
    }
    if (type === "response.failed") this.ended = true;
    if (type !== "error") return this.#send(data);
    this.ended = true;
    const event = parseObject(data) ?? {};
    return this.#send(encodeError(readError(event)?.status ?? 500, wordsOf(event)));
  }

  #keep(data: string): void {
    this.#size += data.length;
    const event = this.#size > this.#limit ? undefined : parseObject(data);
    const item = objectAt(event, "item");
    if (item !== undefined) this.#items.set(numberAt(event, "output_index") ?? this.#items.size, item);
  }
}

/** The answer to a request that only shows what will come; it is there to be gone on from. */
export function nothing(model: string, wall: number): JsonObject {
  return {
    id: `resp_${requestId()}`,
    object: "response",
    created_at: Math.floor(wall / 1_000),
    status: "completed",
    error: null,
    incomplete_details: null,
    model,
    output: [],
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
  };
}

/** The kinds of items that an upstream takes without the id it gave them. */
const NAMELESS = new Set(["message", "function_call", "custom_tool_call"]);

/**
 * An answer's items as a later input says them again. Reasoning that is not sealed lives at its upstream only and
 * cannot be said; what came with it is then said without its id, by which the reasoning would be missed.
 */
export function sayable(output: readonly Json[]): readonly Json[] {
  if (!output.some(isUnsealed)) return output;
  return output
    .filter((item) => !isUnsealed(item))
    .map((item) => {
      if (!isObject(item) || !NAMELESS.has(stringAt(item, "type") ?? "")) return item;
      const { id: _, ...said } = item;
      return said;
    });
}

function isUnsealed(item: Json): boolean {
  if (!isObject(item) || item["type"] !== "reasoning") return false;
  return stringAt(item, "encrypted_content") === undefined && (arrayAt(item, "content") ?? []).length === 0;
}
