// A literal reading of the WHATWG event stream grammar (HTML standard, section 9.2.6) over whole bytes.
// The gateway has its own incremental reader; this one is slow and plain on purpose, to be a second opinion.

export interface SseEvent {
  /** The `event:` field; empty when the event had none. */
  readonly event: string;
  readonly data: string;
}

export interface SseText {
  readonly events: readonly SseEvent[];
  readonly comments: readonly string[];
  /** What stands after the last blank line. A conforming client never sees it. */
  readonly tail: string;
}

export interface SseItem {
  readonly event?: string;
  /** An object is written as JSON on one line. */
  readonly data?: unknown;
  readonly comment?: string;
}

export type LineEnd = "\n" | "\r\n" | "\r";

export function readSse(bytes: Uint8Array): SseText {
  const text = new TextDecoder("utf-8", { ignoreBOM: false }).decode(bytes);
  const events: SseEvent[] = [];
  const comments: string[] = [];
  let name = "";
  let data: string[] = [];
  let tailFrom = 0;
  for (const { line, end } of linesOf(text)) {
    if (line === "") {
      if (data.length > 0) events.push({ event: name, data: data.join("\n") });
      name = "";
      data = [];
      tailFrom = end;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) comments.push(line.slice(1).trim());
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return { events, comments, tail: text.slice(tailFrom) };
}

/** Only finished lines: what has no line end yet is no line. */
function linesOf(text: string): { line: string; end: number }[] {
  const lines: { line: string; end: number }[] = [];
  const pattern = /\r\n|\n|\r/g;
  let start = 0;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    lines.push({ line: text.slice(start, found.index), end: pattern.lastIndex });
    start = pattern.lastIndex;
  }
  return lines;
}

export function writeSse(items: readonly SseItem[], lineEnd: LineEnd = "\n"): Buffer {
  return Buffer.from(items.map((item) => writeItem(item, lineEnd)).join(""));
}

function writeItem(item: SseItem, lineEnd: LineEnd): string {
  const lines: string[] = [];
  if (item.comment !== undefined) lines.push(`: ${item.comment}`);
  if (item.event !== undefined) lines.push(`event: ${item.event}`);
  if (item.data !== undefined) {
    const text = typeof item.data === "string" ? item.data : JSON.stringify(item.data);
    for (const line of text.split("\n")) lines.push(`data: ${line}`);
  }
  return [...lines, "", ""].join(lineEnd);
}

/** The bytes of each event with its blank line, in order; a tail without one is the last piece. */
export function splitEvents(bytes: Buffer): Buffer[] {
  const text = bytes.toString("latin1");
  const pieces: Buffer[] = [];
  const pattern = /\r\n\r\n|\n\n|\r\r/g;
  let start = 0;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    pieces.push(bytes.subarray(start, pattern.lastIndex));
    start = pattern.lastIndex;
  }
  if (start < bytes.length) pieces.push(bytes.subarray(start));
  return pieces;
}

/** The same stream with other line ends; the data of an event must not hold a bare CR. */
export function withLineEnds(bytes: Buffer, lineEnd: LineEnd): Buffer {
  return Buffer.from(bytes.toString("utf8").replaceAll("\n", lineEnd));
}
