// Small questions that clients ask in swarms, many of them the same: the same at the same time is asked once, and only
// so many at a time.

import { createHash } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import { requestId } from "./answers.ts";

/** A client asks 17 at once; several may be at it. */
const MAX_RUNNING = 16;
const MAX_WAITING = 512;
/** Of all questions that are held at a time. */
const MAX_HELD_BYTES = 64 << 20;

interface Whole {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer;
}

export interface SharedOptions {
  /** Answers one of them. */
  readonly handle: (request: Request) => Promise<Response>;
  /** Throws for whoever may not ask: nobody else's body is read. */
  readonly admit: (headers: Headers) => unknown;
  readonly refuse: (thrown: unknown) => Response;
  /** Longer bodies are asked by themselves. */
  readonly maxBytes: () => number;
  readonly bodyTimeoutMs: () => number;
  readonly clock: Clock;
}

/** What tells two requests apart, besides their bodies. */
const TELLING = ["authorization", "x-api-key", "anthropic-version", "anthropic-beta", "content-encoding"];

export function shared(options: SharedOptions): (request: Request) => Promise<Response> {
  const { handle, admit, refuse, maxBytes, clock } = options;
  const running = new Map<string, Promise<Whole>>();
  const waiting: (() => void)[] = [];
  let slots = MAX_RUNNING;
  let heldBytes = 0;

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

  const share = async (request: Request, body: ArrayBuffer): Promise<Response> => {
    const name = nameOf(request, body);
    let answer = running.get(name);
    if (answer === undefined) {
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

  return async (request) => {
    const length = Number(request.headers.get("content-length") ?? Number.NaN);
    let held = 0;
    try {
      admit(request.headers);
      if (!(length <= maxBytes())) return await handle(request);
      if (waiting.length >= MAX_WAITING || heldBytes + length > MAX_HELD_BYTES)
        throw new GatewayError("pool_busy", "too many questions are waiting");
      held = length;
      heldBytes += held;
      return await share(request, await within(clock, options.bodyTimeoutMs(), request.arrayBuffer()));
    } catch (thrown) {
      return refuse(thrown);
    } finally {
      heldBytes -= held;
    }
  };
}

async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const stop = clock.after(ms, () =>
    late.reject(new GatewayError("body_timeout", "the body did not come in time")),
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    stop();
  }
}

function nameOf({ url, headers }: Request, body: ArrayBuffer): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([url, ...TELLING.map((name) => headers.get(name))]));
  return hash.update(new Uint8Array(body)).digest("base64url");
}
