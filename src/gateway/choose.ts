// Which accounts are asked, one after another, and what is said when none of them answered.

import type { Protocol } from "../core/account.ts";
import { type Failure, GatewayError } from "../core/errors.ts";
import type { Ask } from "../core/exchange.ts";
import type { CandidateOptions, Lease } from "../core/ports.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** Leases in the order in which accounts should be tried. @throws GatewayError when nobody can serve at all */
export function choose(deps: Deps, exchange: Exchange, ask: Ask): AsyncGenerator<Lease, void> {
  exchange.waits();
  return deps.pool.candidates(ask, candidateOptions(deps, exchange));
}

function candidateOptions({ codecs }: Deps, exchange: Exchange): CandidateOptions {
  const translates = (protocol: Protocol): boolean => codecs[protocol].translator !== undefined;
  return {
    codecs: (from, to) =>
      from === to || (exchange.errand === undefined && translates(from) && translates(to)),
    signal: exchange.signal,
  };
}

/** What the client is to be told, if the accounts tried have not answered it. */
export function unanswered(deps: Deps, exchange: Exchange, ask: Ask): Failure | undefined {
  const { outcome } = exchange;
  if (exchange.client.left) return undefined;
  if (exchange.halted !== undefined && outcome?.kind !== "ok") return exchange.halted;
  if (outcome === undefined) return new GatewayError("pool_unavailable", "no account can serve this request");
  if (outcome.kind === "ok" || outcome.kind === "gone") return undefined;
  if (outcome.kind !== "next") return outcome.fault;
  if (ask.errand !== undefined && outcome.blame.on === "api")
    return new GatewayError("endpoint_not_found", `no account's service has ${ask.errand.path}`);
  const verdict = deps.pool.verdict(ask, candidateOptions(deps, exchange));
  if (verdict?.code === "pool_cooling" && outcome.blame.on !== "credential") return verdict;
  return afterAll(exchange.mostTelling ?? outcome.fault);
}

/** When nobody is left: of the upstreams' own statuses a client is told a limit's or a breakdown's, no other. */
function afterAll(failure: Failure): Failure {
  if (failure instanceof GatewayError || failure.status === 429 || failure.status >= 500) return failure;
  return new GatewayError("upstream_failed", `the upstream answered ${failure.status}`);
}
