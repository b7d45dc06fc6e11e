// The two debug switches: what crosses the gateway, for whoever has to see it. The log masks secrets.

import type { SseFrame } from "../core/sse.ts";
import type { Attempt } from "./attempt-state.ts";

const decoder = new TextDecoder();

/** `enable_model_debug_log`: a body on its way up or down. */
export function debugPayload(
  attempt: Attempt,
  way: "to-upstream" | "to-client",
  body: Uint8Array | string,
): void {
  if (!attempt.settings.logPayloads) return;
  write(attempt, way, typeof body === "string" ? body : decoder.decode(body));
}

/** `enable_stream_debug_log`: the upstream's stream, event by event. */
export function debugFrames(attempt: Attempt, frames: readonly SseFrame[]): void {
  if (!attempt.settings.logStreams) return;
  for (const frame of frames) write(attempt, "stream", decoder.decode(frame.bytes).trimEnd());
}

function write({ deps, exchange, lease }: Attempt, way: string, text: string): void {
  const fields = { id: exchange.id, account: lease.candidate.account.name, text };
  deps.log({ level: "debug", event: way, fields });
}
