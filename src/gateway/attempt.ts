// One try at one account: prepare, send, and relay what comes back. It never throws; it says what became of it.

import type { Access } from "../core/account.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type { Ask } from "../core/exchange.ts";
import { member, valueAt } from "../core/json.ts";
import type { Blame, Outcome } from "../core/outcome.ts";
import type { Lease } from "../core/ports.ts";
import { withAccess } from "./access.ts";
import type { Attempt } from "./attempt-state.ts";
import { edited, type Fitted, ownBody, translatedBody } from "./body.ts";
import { BrokenUpstream } from "./broken.ts";
import { type Conversion, passing, translating } from "./convert.ts";
import { debugPayload } from "./debug.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";
import { ownResponse } from "./read.ts";
import { refusal } from "./refusal.ts";
import { relay } from "./relay.ts";
import type { Routes } from "./routes.ts";
import { Tap } from "./tap.ts";
import { Upstream } from "./upstream.ts";

export function attempt(deps: Deps, routes: Routes, exchange: Exchange, lease: Lease): Promise<Outcome> {
  return withAccess(deps, exchange, lease, (access) => attemptAs(access, { deps, routes, exchange, lease }));
}

interface Line {
  readonly deps: Deps;
  readonly routes: Routes;
  readonly exchange: Exchange;
  readonly lease: Lease;
}

async function attemptAs(access: Access, { deps, routes, exchange, lease }: Line): Promise<Outcome> {
  const settings = deps.settings();
  const { account, protocol } = lease.candidate;
  const { clock } = deps;
  const upstream = new Upstream({
    account,
    clock,
    routes,
    connectTimeoutMs: settings.connectTimeoutMs,
    replayable: exchange.ask?.replayable ?? false,
  });
  const cancel = (): void => upstream.cancel();
  exchange.signal.addEventListener("abort", cancel);
  try {
    const { ask } = exchange;
    const provider = deps.providers[account.provider];
    if (ask === undefined || provider === undefined) throw new Error(`no provider for ${account.name}`);
    const upstreamCodec = deps.codecs[protocol];
    const tap = new Tap(upstreamCodec.wire, choicesOf(ask));
    const startedAt = clock.now();
    return await send({
      deps,
      settings,
      exchange,
      ask,
      lease,
      access,
      provider,
      upstreamCodec,
      upstream,
      tap,
      startedAt,
    });
  } catch (thrown) {
    return failed(exchange, thrown);
  } finally {
    exchange.signal.removeEventListener("abort", cancel);
    upstream.close();
  }
}

async function send(attempt: Attempt): Promise<Outcome> {
  const { deps, settings, exchange, ask, lease, access, provider, upstream } = attempt;
  const { candidate } = lease;
  const fitted = bodyFor(attempt);
  const body = edited(fitted.body, ask, candidate, settings);
  debugPayload(attempt, "to-upstream", body);
  if (ask.stream) upstream.expectWithin(settings.firstEventTimeoutMs);
  else upstream.finishWithin(settings.responseTimeoutMs);
  if (exchange.signal.aborted) upstream.cancel();
  const request = provider.prepare(candidate, { ask, access, body });
  exchange.dropped = [...fitted.dropped, ...(request.dropped ?? [])];
  const head = await upstream.open(request);
  deps.pool.observe(candidate.account, provider.limits(head.headers, deps.clock.wall()));
  if (head.status < 200 || head.status > 299) return refusal(attempt, head);
  const outcome = await relay(attempt, head, conversionFor(attempt));
  if (outcome.kind === "ok") settle(attempt);
  return outcome;
}

function bodyFor({ ask, exchange, lease, upstreamCodec }: Attempt): Fitted {
  if (upstreamCodec === exchange.codec) return ownBody(ask, upstreamCodec);
  return translatedBody(exchange.prompt(ask), lease.candidate, upstreamCodec, ask.stream);
}

/** How many answers a Chat client wants side by side; each of them has an end of its own. */
function choicesOf({ body, members }: Ask): number {
  const n = member(members, "n");
  const value = n === undefined ? 1 : valueAt(body, n);
  return typeof value === "number" ? value : 1;
}

function conversionFor({ deps, exchange, ask, upstreamCodec }: Attempt): Conversion {
  const { codec } = exchange;
  if (upstreamCodec === codec) return passing(codec.wire);
  return translating(upstreamCodec, codec, {
    prompt: exchange.prompt(ask),
    model: ask.model,
    createdAt: Math.floor(deps.clock.wall() / 1_000),
    requestId: exchange.id,
  });
}

/** An answer that may be continued by its id lives at the account that gave it. */
function settle({ deps, ask, lease, tap }: Attempt): void {
  if (tap.responseId === undefined || !ask.continuable) return;
  deps.pool.issued(ownResponse(ask.key, tap.responseId), lease.candidate.account);
}

/** What a thrown value makes of the attempt. */
function failed(exchange: Exchange, thrown: unknown): Outcome {
  if (exchange.client.left) return { kind: "gone" };
  const { fault, blame } = causeOf(exchange.halted ?? thrown);
  if (exchange.committed) return { kind: "cut", fault, blame };
  return blame.on === "nobody" ? { kind: "stop", fault } : { kind: "next", fault, blame };
}

function causeOf(thrown: unknown): { fault: GatewayError; blame: Blame } {
  if (thrown instanceof BrokenUpstream) return { fault: thrown.failure, blame: thrown.blame };
  const fault = asGatewayError(thrown);
  // An answer that cannot be translated is the upstream's doing; anything else is the request's or ours.
  const theirs = fault.code === "upstream_failed" || fault.code === "upstream_cut";
  return { fault, blame: { on: theirs ? "account" : "nobody" } };
}
