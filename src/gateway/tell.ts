// Tells a client what went wrong, in its own protocol: as an answer while nothing has gone out, as the stream's
// error event after that.

import { type Failure, type Fault, faultOf, GatewayError } from "../core/errors.ts";
import type { Exchange } from "./exchange.ts";

/** Clients that wait out any `retry-after` would sit still for longer than a person does. */
const PATIENCE_MS = 60_000;

export async function tell(exchange: Exchange, failure: Failure | undefined): Promise<void> {
  if (failure === undefined) return;
  const { client, codec, refusal, id } = exchange;
  exchange.failure = failure;
  const fault = faultOf(failure, codec.wire.family);
  if (client.answered && exchange.errand !== undefined) return client.abandon();
  if (client.answered) {
    await client.write(exchange.errorEvent?.(failure) ?? codec.wire.errorEvent(fault, id));
    return client.end();
  }
  if (refusal !== undefined && exchange.outcome?.kind === "stop") {
    return client.respond(refusal.status, refusal.headers, refusal.body);
  }
  const body = quotaBody(exchange, failure) ?? codec.wire.errorBody(fault, id);
  client.respond(fault.status, errorHeaders(fault), JSON.stringify(body));
}

/** The headers of an error answer in any protocol. */
export function errorHeaders(fault: Fault): Headers {
  const headers = new Headers({ "content-type": "application/json" });
  hint(headers, fault);
  // What is still coming in of a refused body is not read on.
  if (fault.status === 413 || fault.status === 408) headers.set("connection", "close");
  return headers;
}

/** Every 429 says when to come back; a long wait, or one that cannot help, says not to try again by itself. */
function hint(headers: Headers, fault: Fault): void {
  const waitMs = fault.retryAfterMs ?? (fault.status === 429 ? 1_000 : undefined);
  if (waitMs !== undefined) headers.set("retry-after", String(Math.max(1, Math.ceil(waitMs / 1_000))));
  const hopeless = fault.retry === false || (fault.status === 429 && (waitMs ?? 0) > PATIENCE_MS);
  if (hopeless) headers.set("x-should-retry", "false");
}

/** Codex stops at once, with the time, when its words for a used-up plan come; any other 429 it retries. */
function quotaBody(
  exchange: Exchange,
  failure: Failure,
): { readonly error: Record<string, string | number> } | undefined {
  if (!(failure instanceof GatewayError) || failure.code !== "pool_cooling") return undefined;
  const waitMs = failure.retryAfterMs ?? 0;
  if (waitMs <= PATIENCE_MS || exchange.protocol !== "responses" || !isCodex(exchange.request.headers))
    return undefined;
  const resetsAt = Math.ceil((exchange.startedWall + exchange.elapsedMs + waitMs) / 1_000);
  return { error: { type: "usage_limit_reached", message: failure.message, resets_at: resetsAt } };
}

function isCodex(headers: Headers): boolean {
  return /^codex/i.test(headers.get("originator") ?? "") || /^codex/i.test(headers.get("user-agent") ?? "");
}
