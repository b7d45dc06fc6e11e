// The request line, as it reads: read, authenticate, choose, attempt, relay, record.

import type { Protocol } from "../core/account.ts";
import { asGatewayError } from "../core/errors.ts";
import { attempt } from "./attempt.ts";
import { allowModel, authenticate, RequestRates } from "./authenticate.ts";
import { choose, unanswered } from "./choose.ts";
import type { Deps } from "./deps.ts";
import { Exchange } from "./exchange.ts";
import { Issuers } from "./issuers.ts";
import { read } from "./read.ts";
import { record } from "./record.ts";
import { goesOn } from "./retry.ts";
import { Routes } from "./routes.ts";
import { tell } from "./tell.ts";

export interface Gateway {
  handle(request: Request, protocol: Protocol): Promise<Response>;
  /** Exchanges under way. */
  readonly live: ReadonlySet<Exchange>;
}

export function createGateway(deps: Deps): Gateway {
  const live = new Set<Exchange>();
  const rates = new RequestRates(deps.clock);
  const tools = { deps, routes: new Routes(deps.clock), issuers: new Issuers() };

  async function line(exchange: Exchange): Promise<void> {
    const { request, protocol, client } = exchange;
    try {
      const settings = deps.settings();
      const key = (exchange.key = authenticate(request.headers, settings.keys));
      rates.count(key);
      const ask = (exchange.ask = await read({ request, protocol, key, settings, clock: deps.clock }));
      allowModel(key, ask.model);
      if (ask.stream) client.expectStream();
      for await (const lease of choose(deps, exchange, ask)) {
        exchange.begins(lease);
        const outcome = await attempt(tools, exchange, lease);
        exchange.tried(lease, outcome);
        lease.release(outcome);
        if (!(await goesOn(deps, exchange, lease, outcome))) break;
      }
      await tell(exchange, unanswered(deps, exchange, ask));
    } catch (thrown) {
      await tell(exchange, client.left ? undefined : asGatewayError(exchange.halted ?? thrown));
    } finally {
      live.delete(exchange);
      exchange.lease?.release({ kind: "gone" }); // It is back already, unless something was thrown before.
      record(deps, exchange);
    }
  }

  function handle(request: Request, protocol: Protocol): Promise<Response> {
    const exchange = new Exchange(request, deps.codecs[protocol], deps.clock);
    live.add(exchange);
    line(exchange).catch(() => exchange.client.abandon());
    return exchange.client.response;
  }
  return { handle, live };
}
