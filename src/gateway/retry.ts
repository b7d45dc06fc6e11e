// The retry rule, alone: after this outcome, may another account try?

import type { Outcome } from "../core/outcome.ts";
import { isAccountBound } from "../core/outcome.ts";
import type { Lease } from "../core/ports.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** Attempts that may fail in passing ways before the error is told. */
const MAX_TRANSIENT = 3;
const MAX_OVERLOADED = 2;
const BASE_MS = 50;
const OVERLOADED_BASE_MS = 1_000;
const MAX_WAIT_MS = 8_000;
/** No try begins after this much of a request's life. */
const DEADLINE_MS = 3_600_000;

export async function goesOn(
  deps: Deps,
  exchange: Exchange,
  lease: Lease,
  outcome: Outcome,
): Promise<boolean> {
  if (outcome.kind !== "next" || exchange.signal.aborted) return false;
  if (++exchange.switches > deps.settings().maxAccountSwitches) return false;
  if (exchange.elapsedMs > deadlineMs(exchange)) return false;
  const { blame } = outcome;
  // An account's own refusal cools that account, and so limits itself.
  if (isAccountBound(blame)) return true;
  if (exchange.errand?.free === true) return exchange.switches < MAX_TRANSIENT;
  // Done again, a stored or background response would be there twice; only an unreached route has got nothing.
  if (exchange.ask?.replayable === false && blame.on !== "route") return false;
  exchange.charged++;
  if (exchange.charged >= (blame.on === "provider" ? MAX_OVERLOADED : MAX_TRANSIENT)) return false;
  const { origin } = lease.candidate.account;
  if (!deps.pool.mayRetry(origin, exchange.key?.name ?? "")) return false;
  const base = blame.on === "provider" ? OVERLOADED_BASE_MS : exchange.charged > 1 ? BASE_MS : 0;
  await pause(deps, exchange, deps.random() * Math.min(MAX_WAIT_MS, base * 2 ** (exchange.charged - 1)));
  return !exchange.signal.aborted;
}

/** The client's own patience, where its SDK says it (`x-stainless-timeout`, seconds). */
function deadlineMs(exchange: Exchange): number {
  const seconds = Number(exchange.request.headers.get("x-stainless-timeout") ?? Number.NaN);
  return seconds > 0 ? Math.min(DEADLINE_MS, seconds * 1_000) : DEADLINE_MS;
}

function pause(deps: Deps, exchange: Exchange, ms: number): Promise<void> {
  if (ms < 1) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      exchange.signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = deps.clock.after(ms, done);
    exchange.signal.addEventListener("abort", done);
  });
}
