// The request line, as it reads: read, authenticate, choose, attempt, relay, record.

import type { Protocol } from "../core/account.ts";
import type { Errand } from "../core/exchange.ts";
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
  handle(request: Request, protocol: Protocol, errand?: Errand): Promise<Response>;
  /** Exchanges under way. */
  readonly live: ReadonlySet<Exchange>;
}

export function createGateway(deps: Deps): Gateway {
  const live = new Set<Exchange>();
  const rates = new RequestRates(deps.clock);
  const tools = { deps, routes: new Routes(deps.clock), issuers: new Issuers() };

  async function line(exchange: Exchange): Promise<void> {
    try {
      const key = (exchange.key = authenticate(exchange.request.headers, deps.settings().keys));
      if (exchange.errand?.free !== true) rates.count(key);
      const ask = (exchange.ask = await read(exchange, key, deps));
      allowModel(key, ask.model);
      if (ask.stream) exchange.client.expectStream();
      for await (const lease of choose(deps, exchange, ask)) {
        exchange.begins(lease);
        const outcome = await attempt(tools, exchange, lease);
        exchange.tried(lease, outcome);
        lease.release(outcome);
        if (!(await goesOn(deps, exchange, lease, outcome))) break;
      }
      await tell(exchange, unanswered(deps, exchange, ask));
    } catch (thrown) {
      await tell(exchange, exchange.client.left ? undefined : asGatewayError(exchange.halted ?? thrown));
    } finally {
      live.delete(exchange);
      exchange.lease?.release({ kind: "gone" }); // It is back already, unless something was thrown before.
      record(deps, exchange);
    }
  }

  function handle(request: Request, protocol: Protocol, errand?: Errand): Promise<Response> {
    const exchange = new Exchange({ request, errand }, deps.codecs[protocol], deps.clock);
    live.add(exchange);
    line(exchange).catch(() => exchange.client.abandon());
    return exchange.client.response;
  }
  return { handle, live };
}
