// An upstream that answers with an error: read it, let the provider judge it, keep its words for the client.

import { type Failure, GatewayError } from "../core/errors.ts";
import { answerHeaders } from "../core/headers.ts";
import { type JsonObject, member, parseObject } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import type { WireError } from "../core/ports.ts";
import type { Attempt } from "./attempt-state.ts";
import type { Head } from "./upstream.ts";

const decoder = new TextDecoder();

/** A status other than 2xx. */
export async function refusal(attempt: Attempt, head: Head): Promise<Outcome> {
  const { deps, settings, exchange, upstream, upstreamCodec, lease } = attempt;
  const body = await upstream.errorBody();
  if (exchange.client.left) return { kind: "gone" };
  const text = decoder.decode(body);
  if (settings.logErrorBodies) {
    const fields = {
      id: exchange.id,
      account: lease.candidate.account.name,
      status: head.status,
      body: text,
    };
    deps.log({ level: "info", event: "upstream-error", fields });
  }
  const data = parseObject(text);
  const outcome = judge(attempt, head, data);
  if (outcome.kind === "stop" && upstreamCodec === exchange.codec && data !== undefined) {
    suspect(attempt, outcome.fault);
    exchange.refusal = { status: head.status, headers: answerHeaders(head.headers), body };
  }
  return outcome;
}

/** A refusal of a field that the client never sent is our own mistake. Only fields we know are named: words are upstream's. */
function suspect({ deps, exchange, ask, lease, upstreamCodec }: Attempt, fault: Failure): void {
  const param = fault instanceof GatewayError ? undefined : fault.param;
  const field = param?.split(/[.[]/)[0];
  if (field === undefined || member(ask.members, field) !== undefined) return;
  if (!Object.hasOwn(upstreamCodec.translator?.fields ?? {}, field)) return;
  const fields = { id: exchange.id, account: lease.candidate.account.name, param: field };
  deps.log({ level: "error", event: "upstream-refused-our-field", fields });
}

/** Any failed answer in our words; `data` is undefined for what is not JSON. */
export function judge(attempt: Attempt, head: Head, data: JsonObject | undefined): Outcome {
  const error = data === undefined ? undefined : attempt.upstreamCodec.wire.error(data);
  return outcomeOf(attempt, head, error, data === undefined);
}

/** An error event, judged as if it had come with the status it amounts to. */
export function judgeEvent(attempt: Attempt, head: Head, data: string): Outcome {
  const error = attempt.upstreamCodec.wire.error(parseObject(data) ?? {});
  return outcomeOf(attempt, { status: error?.status ?? 500, headers: head.headers }, error, false);
}

function outcomeOf(attempt: Attempt, head: Head, error: WireError | undefined, page: boolean): Outcome {
  return attempt.provider.outcome({ ...head, error, page }, attempt.deps.clock.wall());
}
