// One request in parts that can be changed one by one before it becomes bytes.

export const CLIENT_KEY = "fuzz-client-key-0123456789";

export interface Draft {
  method: string;
  target: string;
  version: string;
  /** Between the parts of the start line. */
  gap: string;
  /** Lines without their ends; the framing's own come last. */
  headers: string[];
  framing: "length" | "chunked" | "none";
  /** As it stands in `Content-Length`, for a body of so many bytes. */
  length: (bytes: number) => string;
  coding: string;
  /** How a chunk's size is written. */
  size: (bytes: number) => string;
  chunkEnd: string;
  lastChunk: string;
  trailers: string;
  end: string;
  before: string;
  after: string;
  readonly body: string;
}

export const hex = (bytes: number): string => bytes.toString(16);

export function bodyOf(id: number, words: string): string {
  const messages = [{ role: "user", content: `fz${id}x ${words}` }];
  return JSON.stringify({ model: "claude-x", max_tokens: 5, messages });
}

export function draftOf(id: number, words: string): Draft {
  return {
    method: "POST",
    target: `/v1/messages?fz${id}x`,
    version: "HTTP/1.1",
    gap: " ",
    headers: ["Host: gateway", `Authorization: Bearer ${CLIENT_KEY}`, "Content-Type: application/json"],
    framing: "length",
    length: String,
    coding: "Transfer-Encoding: chunked",
    size: hex,
    chunkEnd: "\r\n",
    lastChunk: "0\r\n",
    trailers: "",
    end: "\r\n",
    before: "",
    after: "",
    body: bodyOf(id, words),
  };
}

export function textOf(draft: Draft): string {
  const { framing, body, headers, gap, end } = draft;
  const lines = [...headers];
  if (framing === "length") lines.push(`Content-Length: ${draft.length(body.length)}`);
  if (framing === "chunked") lines.push(draft.coding);
  const start = [draft.method, draft.target, draft.version].filter((part) => part !== "").join(gap);
  const head = [start, ...lines, "", ""].join(end);
  const chunk = `${draft.size(body.length)}\r\n${body}${draft.chunkEnd}${draft.lastChunk}${draft.trailers}\r\n`;
  return draft.before + head + (framing === "chunked" ? chunk : body) + draft.after;
}
