// A client of `GET /v1/responses` over WebSocket: keeps every frame, and hands out answer by answer.
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { isObject, parseJson, pickText, type JsonObject } from "../support/json-pick.ts";
import { MODELS } from "../support/samples.ts";

export interface SocketClient extends Disposable {
  readonly frames: readonly JsonObject[];
  /** The code with which the socket was closed; undefined while it is open. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined;
  /** Texts and bytes go as they are, anything else as JSON. */
  send(message: unknown): void;
  /** All frames up to the end of the next answer that has not been asked for yet. */
  answer(): Promise<readonly JsonObject[]>;
  closing(): Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

export interface SocketChoice {
  readonly key?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const WITHIN_MS = 5_000;
const ENDS = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

export function typesOf(frames: readonly JsonObject[]): (string | undefined)[] {
  return frames.map((frame) => pickText(frame, "type"));
}

/** A `response.create`; `more` goes into it. */
export function create(input: unknown, more: JsonObject = {}): JsonObject {
  return { type: "response.create", model: MODELS.responses, store: false, input, ...more };
}

export function said(role: "user" | "assistant", text: string): JsonObject {
  return { type: "message", role, content: [{ type: "input_text", text }] };
}

/** The id of the response that an answer ends with. */
export function idOf(answer: readonly JsonObject[]): string | undefined {
  return pickText(answer.at(-1), "response", "id");
}

export async function openSocket(url: string, choice: SocketChoice = {}): Promise<SocketClient> {
  const { key = CLIENT_KEY, path = "/v1/responses", headers = {} } = choice;
  const socket = new WebSocket(url.replace("http", "ws") + path, {
    headers: { authorization: `Bearer ${key}`, ...headers },
  });
  const frames: JsonObject[] = [];
  let closed: SocketClient["closed"];
  let taken = 0;
  socket.addEventListener("message", ({ data }) => {
    const frame = parseJson(String(data));
    frames.push(isObject(frame) ? frame : { unreadable: String(data) });
  });
  socket.addEventListener("close", ({ code, reason }) => (closed = { code, reason }));
  await within("the socket is open", () => socket.readyState === WebSocket.OPEN || closed !== undefined);
  if (closed !== undefined) throw new Error("the socket was refused");
  return {
    frames,
    get closed() {
      return closed;
    },
    send(message) {
      const isRaw = typeof message === "string" || message instanceof Uint8Array;
      socket.send(isRaw ? message : JSON.stringify(message));
    },
    async answer() {
      const end = (): number =>
        frames.findIndex((frame, at) => at >= taken && ENDS.has(pickText(frame, "type") ?? ""));
      await within("an answer ends", () => end() >= 0);
      const answer = frames.slice(taken, end() + 1);
      taken = end() + 1;
      return answer;
    },
    async closing() {
      await within("the socket closes", () => closed !== undefined);
      return closed ?? { code: 0, reason: "" };
    },
    close: () => socket.close(),
    [Symbol.dispose]: () => socket.close(),
  };
}

export async function within(what: string, isSo: () => boolean): Promise<void> {
  const until = performance.now() + WITHIN_MS;
  while (!isSo()) {
    if (performance.now() > until) throw new Error(`${what}: not within ${WITHIN_MS} ms`);
    await Bun.sleep(1);
  }
}
