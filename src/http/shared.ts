// Small questions that clients ask in swarms, many of them the same: the same at the same time is asked once, and only
// so many at a time.

import { createHash } from "node:crypto";
import { plain, requestId } from "./answers.ts";

/** A client asks 17 at once; several may be at it. */
const MAX_RUNNING = 16;
const MAX_WAITING = 512;

interface Whole {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer;
}

export interface SharedOptions {
  /** Answers one of them. */
  readonly handle: (request: Request) => Promise<Response>;
  /** The most that a body is read for; longer ones are asked by themselves. */
  readonly maxBytes: () => number;
}

/** What tells two requests apart, besides their bodies. */
const TELLING = ["authorization", "x-api-key", "anthropic-version", "anthropic-beta", "content-encoding"];

export function shared({ handle, maxBytes }: SharedOptions): (request: Request) => Promise<Response> {
  const running = new Map<string, Promise<Whole>>();
  const waiting: (() => void)[] = [];
  let slots = MAX_RUNNING;

  const ask = async (request: Request): Promise<Whole> => {
    if (slots > 0) slots -= 1;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    try {
      const response = await handle(request);
      const { status, headers } = response;
      return { status, headers: [...headers], body: await response.arrayBuffer() };
    } finally {
      const next = waiting.shift();
      if (next === undefined) slots += 1;
      else next();
    }
  };

  return async (request) => {
    const length = Number(request.headers.get("content-length") ?? Number.NaN);
    if (!(length <= maxBytes())) return handle(request);
    const body = await request.arrayBuffer();
    const name = nameOf(request, body);
    let answer = running.get(name);
    if (answer === undefined) {
      if (waiting.length >= MAX_WAITING) return plain(529, "overloaded_error", "too many are waiting");
      // Not the first one's signal: whoever leaves takes nothing from the others.
      const { method, headers, url } = request;
      answer = ask(new Request(url, { method, headers, body })).finally(() => running.delete(name));
      running.set(name, answer);
    }
    const whole = await answer;
    const headers = new Headers(whole.headers.map(([key, value]): [string, string] => [key, value]));
    if (!headers.has("x-request-id")) headers.set("x-request-id", requestId());
    return new Response(whole.body, { status: whole.status, headers });
  };
}

function nameOf({ url, headers }: Request, body: ArrayBuffer): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([url, ...TELLING.map((name) => headers.get(name))]));
  return hash.update(new Uint8Array(body)).digest("base64url");
}
