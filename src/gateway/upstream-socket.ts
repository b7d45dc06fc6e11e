// Responses over a WebSocket to the upstream, for accounts whose address says so (`wss://`): one request, one socket.
// What comes back has the form of an answer to a POST, an event for each frame, so nobody else needs to know.

import { numberAt, objectAt, parseObject, stringAt } from "../core/json.ts";
import type { JsonObject } from "../core/json.ts";
import type { UpstreamRequest } from "../core/ports.ts";
import { throughProxy } from "../core/proxy.ts";

const BETA = "responses_websockets=2026-02-06";
/** Frames that the client has not taken yet; a socket cannot be told to wait. */
const MAX_WAITING_BYTES = 16 << 20;
const TERMINAL: ReadonlySet<string> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "error",
]);
/** Of the connection, or of a body that is none here. */
const NOT_OF_A_SOCKET = ["accept", "accept-encoding", "content-type", "content-length"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface SocketOptions {
  readonly signal: AbortSignal;
  readonly proxy: string | undefined;
}

export function isSocket(url: string): boolean {
  return url.startsWith("ws");
}

/** The same address for a POST. */
export function postUrl(url: string): string {
  return url.replace(/^ws/, "http");
}

/**
 * The answer, once its first frame has come; undefined when the upstream does not take the socket, which it says in
 * words that only a POST can show. @throws what the signal was aborted with
 */
export function askBySocket(request: UpstreamRequest, options: SocketOptions): Promise<Response | undefined> {
  return new Promise((resolve, reject) => {
    const { signal, proxy } = options;
    const settings = settingsFor(request.headers, proxy);
    const socket = throughProxy(proxy, () => new WebSocket(request.url, settings));
    const frames = new Frames(socket);
    const abort = (): void => {
      reject(signal.reason);
      frames.end();
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    let isOpen = false;
    socket.addEventListener("open", () => {
      isOpen = true;
      socket.send(messageOf(request.body));
    });
    socket.addEventListener("message", ({ data }) => {
      const text = String(data);
      const event = parseObject(text) ?? {};
      resolve(refusalIn(event) ?? frames.response);
      frames.push(text, stringAt(event, "type") ?? "");
    });
    socket.addEventListener("close", () => {
      signal.removeEventListener("abort", abort);
      // Closed without a frame: a cut answer, and not one that was never begun.
      resolve(isOpen ? frames.response : undefined);
      frames.end();
    });
  });
}

function settingsFor(given: Headers, proxy: string | undefined): Bun.WebSocketOptions {
  const headers = new Headers(given);
  for (const name of NOT_OF_A_SOCKET) headers.delete(name);
  const betas = headers.get("openai-beta");
  headers.set("openai-beta", betas === null ? BETA : `${betas},${BETA}`);
  const settings = { headers: Object.fromEntries(headers) };
  return proxy === undefined ? settings : { ...settings, proxy };
}

/** The POST's body with a type before it. */
function messageOf(body: Uint8Array): string {
  const text = decoder.decode(body).trimStart();
  const rest = text.slice(1);
  return `{"type":"response.create"${rest.trimStart().startsWith("}") ? "" : ","}${rest}`;
}

/** An error with a status is what a POST would have been answered. */
function refusalIn(event: JsonObject): Response | undefined {
  const status = numberAt(event, "status");
  if (event["type"] !== "error" || status === undefined || status < 400 || status > 599) return undefined;
  const headers = new Headers({ "content-type": "application/json" });
  for (const [name, value] of Object.entries(objectAt(event, "headers") ?? {}))
    if (typeof value === "string" && /^[\w-]+$/.test(name))
      headers.set(name, value.replaceAll(/[^\x20-\x7e]/g, ""));
  return new Response(JSON.stringify({ error: event["error"] }), { status, headers });
}

/** Frames as a stream of events, ended by the terminal one or the socket's end. */
class Frames {
  readonly response: Response;
  readonly #socket: WebSocket;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isOver = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        cancel: () => this.end(),
      },
      { highWaterMark: MAX_WAITING_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    this.response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  push(text: string, type: string): void {
    if (this.#isOver) return;
    const data = text.split(/\r\n|\r|\n/).join("\ndata: ");
    this.#controller?.enqueue(encoder.encode(`event: ${type}\ndata: ${data}\n\n`));
    // Whoever is so far behind is not served: its stream breaks off.
    if (TERMINAL.has(type) || (this.#controller?.desiredSize ?? 1) <= 0) this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.close();
    this.#socket.close();
  }
}
