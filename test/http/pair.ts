// One upstream and a gateway before it, for tests of what crosses the gateway.
import { gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { startUpstream, type Answer, type Upstream } from "../support/upstream.ts";

export interface Pair extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly upstream: Upstream;
}

export async function pair(
  answer: Answer,
  accounts: (url: string) => readonly JsonObject[],
  more: JsonObject = {},
): Promise<Pair> {
  const upstream = await startUpstream();
  upstream.otherwise(answer);
  const gateway = await startGateway(gatewayConfig(accounts(upstream.url), more));
  const close = async (): Promise<void> => {
    await gateway.close();
    await upstream.close();
  };
  return { gateway, upstream, [Symbol.asyncDispose]: close };
}
