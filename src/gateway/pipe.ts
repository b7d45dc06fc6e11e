// An answer that is passed on as it is, whatever it is: only its length or its end tells whether it is whole.

import { answerHeaders } from "../core/headers.ts";
import type { Outcome } from "../core/outcome.ts";
import { type Attempt, commit } from "./attempt-state.ts";
import type { Head } from "./upstream.ts";

export async function pipe(attempt: Attempt, head: Head): Promise<Outcome> {
  const { exchange, upstream, settings } = attempt;
  const { client } = exchange;
  const headers = answerHeaders(head.headers);
  headers.set("x-sub2api-fidelity", "passthrough");
  const streams = (head.headers.get("content-type") ?? "").includes("text/event-stream");
  if (!streams) {
    const body = await upstream.whole();
    commit(attempt);
    client.respond(head.status, headers, body);
    return client.left ? { kind: "gone" } : { kind: "ok" };
  }
  upstream.expectWithin(settings.streamReadTimeoutMs);
  let chunk = await upstream.read();
  commit(attempt);
  client.open(headers);
  // Nobody here knows this stream's grammar: it breaks off as it has broken off.
  exchange.errorEvent = undefined;
  for (; chunk !== undefined; chunk = await upstream.read()) {
    upstream.touch();
    const taken = client.write(chunk);
    if (taken !== undefined) await upstream.unheard(taken);
    if (client.left) return { kind: "gone" };
  }
  client.end();
  return { kind: "ok" };
}
