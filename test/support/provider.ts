// A provider that does what it is asked: the protocol follows the path, the stream follows the body.
import { json, sse, type HeaderList, type SseOptions } from "./answers.ts";
import { pick, pickText } from "./json-pick.ts";
import { textAnswer, textStream } from "./made-streams.ts";
import type { Protocol } from "./oracle.ts";
import type { Answer, UpstreamRequest } from "./upstream.ts";

export interface ProviderOptions {
  /** What it says; a function sees the request. */
  readonly text?: string | ((request: UpstreamRequest) => string);
  /** How many deltas the text is cut into. */
  readonly deltas?: number;
  readonly headers?: HeaderList;
  readonly sse?: SseOptions;
}

const DELTAS = 4;

export function protocolOf(path: string): Protocol | undefined {
  if (path.endsWith("/messages")) return "messages";
  if (path.endsWith("/responses")) return "responses";
  return path.endsWith("/chat/completions") ? "chat" : undefined;
}

export function provider(options: ProviderOptions = {}): Answer {
  return (request, connection) => {
    if (request.path.endsWith("/count_tokens")) return json(200, { input_tokens: 7 })(request, connection);
    const protocol = protocolOf(request.path);
    if (protocol === undefined) return json(404, { detail: "Not Found" })(request, connection);
    const body = request.json();
    const text =
      typeof options.text === "function" ? options.text(request) : (options.text ?? "Hello from upstream.");
    const model = pickText(body, "model") ?? "no-model";
    if (pick(body, "stream") !== true)
      return json(200, textAnswer(protocol, text, { model }), options.headers ?? {})(request, connection);
    const usage = pick(body, "stream_options", "include_usage") === true;
    const stream = textStream(protocol, cut(text, options.deltas ?? DELTAS), { model, usage });
    return sse(stream, { headers: options.headers ?? {}, ...options.sse })(request, connection);
  };
}

function cut(text: string, parts: number): string[] {
  const characters = [...text];
  const size = Math.max(1, Math.ceil(characters.length / parts));
  const pieces: string[] = [];
  for (let start = 0; start < characters.length; start += size)
    pieces.push(characters.slice(start, start + size).join(""));
  return pieces;
}
