// What happens to an answer's events before a protocol writes them, and around its writing.

import { CallRestorer } from "./call-restore.ts";
import { GatewayError, faultOf } from "./errors.ts";
import type { Fault } from "./errors.ts";
import type { Fold } from "./fold.ts";
import type { Prompt, StreamError, StreamEvent } from "./hub.ts";
import { stringAt, type JsonObject } from "./json.ts";
import type { StreamEncoder } from "./ports.ts";
import { encodeSse } from "./sse.ts";
import { StopCutter } from "./stop-strings.ts";
import { ToolNames } from "./tool-names.ts";
import { faultOfError } from "./wire-error.ts";

/** Writes a client's events, one call for each event of the hub. */
export type EventWriter = (event: StreamEvent) => readonly JsonObject[];

/** Puts before `write` what turns an upstream's events into those of the client's request. */
export function staged(prompt: Prompt, write: EventWriter): EventWriter {
  const restorer = new CallRestorer(new ToolNames(prompt.tools));
  const restored: EventWriter = (event) => restorer.step(event).flatMap(write);
  if (prompt.stop.length === 0) return restored;
  const cutter = new StopCutter(prompt.stop);
  return (event) => cutter.step(event).flatMap(restored);
}

/** The same as text on the wire, for protocols that name each event by its type. */
export function sseEncoder(prompt: Prompt, write: EventWriter): StreamEncoder {
  const stages = staged(prompt, write);
  const text = (event: JsonObject): string => encodeSse(JSON.stringify(event), stringAt(event, "type"));
  return { push: (event) => stages(event).map(text).join("") };
}

export function faultOfEvent(error: StreamError | GatewayError, family: "anthropic" | "openai"): Fault {
  return error instanceof GatewayError ? faultOf(error, family) : faultOfError(error, family);
}

/**
 * A whole answer from its events.
 * @throws GatewayError when the events end in an error, or not at all
 */
export function foldEvents(events: readonly StreamEvent[], write: EventWriter, fold: Fold): JsonObject {
  let failure = new GatewayError("upstream_cut", "the upstream's answer has no end");
  for (const event of events) {
    if (event.type === "error") failure = asFailure(event.error);
    for (const written of write(event)) fold.add(written);
  }
  const answer = fold.answer();
  if (answer === undefined) throw failure;
  return answer;
}

function asFailure(error: StreamError | GatewayError): GatewayError {
  return error instanceof GatewayError ? error : new GatewayError("upstream_failed", error.message);
}
