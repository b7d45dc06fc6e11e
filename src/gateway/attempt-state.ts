// What one try at one account knows, and the two things that can be said of its answer while it runs.

import type { Access } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import { type Ask, letGo } from "../core/exchange.ts";
import type { Codec, Lease, Provider } from "../core/ports.ts";
import { BrokenUpstream } from "./broken.ts";
import type { Deps, Settings } from "./deps.ts";
import type { Exchange } from "./exchange.ts";
import type { Issuers } from "./issuers.ts";
import type { Tap } from "./tap.ts";
import type { Upstream } from "./upstream.ts";

export interface Attempt {
  readonly deps: Deps;
  readonly settings: Settings;
  readonly exchange: Exchange;
  readonly ask: Ask;
  readonly lease: Lease;
  readonly access: Access;
  readonly provider: Provider;
  /** The protocol spoken upstream. */
  readonly upstreamCodec: Codec;
  readonly upstream: Upstream;
  readonly tap: Tap;
  readonly issuers: Issuers;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** Content begins to flow: the commit point. */
export function commit({ deps, exchange, ask, lease, startedAt }: Attempt): void {
  exchange.committed = true;
  exchange.bytesIn = ask.body.length;
  letGo(ask);
  exchange.firstByteMs = exchange.elapsedMs;
  deps.pool.committed(lease, ask, deps.clock.now() - startedAt);
}

/** The failure that a stream is when it ends without its end. */
export function cutShort(): BrokenUpstream {
  const failure = new GatewayError(
    "upstream_cut",
    "the upstream ended its stream before the answer was complete",
  );
  return new BrokenUpstream(failure, { on: "account" });
}
