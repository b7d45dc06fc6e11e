// What an oracle says about an answer, and the notes the three protocol oracles fill in while they read.
import { parseJson } from "./json-pick.ts";
import { readSse, type SseEvent } from "./sse-text.ts";

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  /** The stream said that the call is whole. */
  readonly closed: boolean;
}

export interface AnswerError {
  readonly type: string;
  readonly message: string;
  readonly code: string | undefined;
}

export interface Verdict {
  /** The terminal success marker of the protocol was received in full. */
  readonly complete: boolean;
  readonly error: AnswerError | undefined;
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  /** The protocol's own word for why it stopped. */
  readonly stop: string | undefined;
  readonly usage: unknown;
  /** Everything seen that a lenient client could take for success, e.g. a finish_reason without `[DONE]`. */
  readonly markers: readonly string[];
  readonly events: readonly SseEvent[];
  readonly comments: readonly string[];
  /** Bytes after the last blank line, which no client sees as an event. */
  readonly tail: string;
  /** Breaches of the protocol's grammar. */
  readonly problems: readonly string[];
}

export interface DraftCall {
  id: string;
  name: string;
  arguments: string;
  closed: boolean;
}

/** The stops that leave the last tool call half written, and say so. */
const CUTTING_STOPS = new Set([
  "max_tokens",
  "length",
  "max_output_tokens",
  "content_filter",
  "refusal",
  "model_context_window_exceeded",
]);

/** The growing state of one reading. */
export class Draft {
  complete = false;
  error: AnswerError | undefined;
  text = "";
  reasoning = "";
  stop: string | undefined;
  usage: unknown;
  readonly calls: DraftCall[] = [];
  readonly markers: string[] = [];
  readonly problems: string[] = [];

  openCall(id: string | undefined, name: string | undefined): DraftCall {
    const call: DraftCall = { id: id ?? "", name: name ?? "", arguments: "", closed: false };
    if (call.id === "" || call.name === "") this.problems.push("tool call without id or name");
    this.calls.push(call);
    return call;
  }

  success(marker: string): void {
    this.markers.push(marker);
  }

  fail(error: AnswerError): void {
    if (this.error !== undefined) this.problems.push("more than one error");
    this.error ??= error;
  }
}

/** Feeds the events of a stream to a reader; the reader answers true once nothing may follow. */
export function foldStream(
  bytes: Uint8Array,
  read: (event: SseEvent, data: unknown, draft: Draft) => boolean,
  close?: (draft: Draft) => void,
): Verdict {
  const stream = readSse(bytes);
  const draft = new Draft();
  let over = false;
  for (const event of stream.events) {
    if (over) draft.problems.push(`event after the end: ${event.event} ${event.data.slice(0, 80)}`);
    const data = parseJson(event.data);
    if (data === undefined && event.data !== "[DONE]")
      draft.problems.push(`data is no JSON: ${event.data.slice(0, 80)}`);
    over = read(event, data, draft) || over;
  }
  close?.(draft);
  if (draft.complete && draft.error !== undefined)
    draft.problems.push("both an error and the success marker");
  return { ...verdictOf(draft), events: stream.events, comments: stream.comments, tail: stream.tail };
}

export function verdictOf(draft: Draft): Verdict {
  const { complete, error, text, reasoning, stop, usage, calls, markers, problems } = draft;
  for (const call of calls) {
    const cut = call.closed && call.arguments !== "" && parseJson(call.arguments) === undefined;
    if (cut && !CUTTING_STOPS.has(stop ?? ""))
      problems.push(
        `tool call ${call.id} closed with cut arguments ${JSON.stringify(call.arguments.slice(-40))}`,
      );
  }
  return {
    complete,
    error,
    text,
    reasoning,
    stop,
    usage,
    toolCalls: calls,
    markers,
    problems,
    events: [],
    comments: [],
    tail: "",
  };
}
