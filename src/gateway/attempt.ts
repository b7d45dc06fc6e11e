// One try at one account: prepare, send, and relay what comes back. It never throws; it says what became of it.

import type { Access } from "../core/account.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type { Ask } from "../core/exchange.ts";
import { member, valueAt } from "../core/json.ts";
import type { Blame, Outcome } from "../core/outcome.ts";
import type { Edited, Lease } from "../core/ports.ts";
import { isSealed, reasoningFor } from "../core/reasoning.ts";
import { withAccess } from "./access.ts";
import type { Attempt } from "./attempt-state.ts";
import { edited, translatedBody } from "./body.ts";
import { BrokenUpstream } from "./broken.ts";
import { type Conversion, passing, translating } from "./convert.ts";
import { debugPayload } from "./debug.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";
import type { Issuers } from "./issuers.ts";
import { pipe } from "./pipe.ts";
import { ownResponse } from "./read.ts";
import { refusal } from "./refusal.ts";
import { relay } from "./relay.ts";
import type { Routes } from "./routes.ts";
import { Tap } from "./tap.ts";
import { Upstream } from "./upstream.ts";

/** What all attempts of a gateway have in common. */
export interface Tools {
  readonly deps: Deps;
  readonly routes: Routes;
  readonly issuers: Issuers;
}

export async function attempt(tools: Tools, exchange: Exchange, lease: Lease): Promise<Outcome> {
  const { deps } = tools;
  const once = (): Promise<Outcome> =>
    withAccess(deps, exchange, lease, (access) => attemptAs(access, { ...tools, exchange, lease }));
  const outcome = await once();
  if (outcome.kind !== "stop" || outcome.stale !== true || exchange.forgets) return outcome;
  if (!bringsSeals(deps, exchange, lease)) return outcome;
  // What the request brought was sealed elsewhere, or for another conversation: it is sent once more without.
  exchange.forgets = true;
  exchange.refusal = undefined;
  lease.disown();
  return once();
}

function bringsSeals({ codecs, envelopes }: Deps, exchange: Exchange, lease: Lease): boolean {
  const { ask, codec } = exchange;
  if (ask === undefined) return false;
  if (codecs[lease.candidate.protocol] === codec)
    return codec.wire.leaveOut(ask.body, ask.members, () => true).dropped.length > 0;
  return exchange.prompt(ask, envelopes).items.some(isSealed);
}

interface Line extends Tools {
  readonly exchange: Exchange;
  readonly lease: Lease;
}

async function attemptAs(access: Access, line: Line): Promise<Outcome> {
  const { deps, routes, issuers, exchange, lease } = line;
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
    if (lease.moved) tap.onSeal = (sealed) => issuers.note(sealed, account.name);
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
      issuers,
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
  exchange.isRewritten = request.body !== body;
  const head = await upstream.open(request);
  deps.pool.observe(candidate.account, provider.limits(head.headers, deps.clock.wall()));
  if (head.status < 200 || head.status > 299) return refusal(attempt, head);
  if (ask.errand !== undefined) return pipe(attempt, head);
  const outcome = await relay(attempt, head, conversionFor(attempt));
  if (outcome.kind === "ok") settle(attempt);
  return outcome;
}

function bodyFor(attempt: Attempt): Edited {
  const { deps, ask, exchange, lease, upstreamCodec, issuers } = attempt;
  const { account, model } = lease.candidate;
  if (upstreamCodec === exchange.codec) {
    const foreign = lease.moved ? issuers.foreignTo(account.name) : undefined;
    return upstreamCodec.wire.leaveOut(ask.body, ask.members, exchange.forgets ? () => true : foreign);
  }
  const issuer = exchange.forgets ? "" : deps.envelopes.issuerOf(account);
  const prompt = reasoningFor(exchange.prompt(ask, deps.envelopes), lease.candidate.protocol, issuer);
  return translatedBody(prompt, exchange.codec, upstreamCodec, { model, stream: ask.stream });
}

/** How many answers a Chat client wants side by side; each of them has an end of its own. */
function choicesOf({ body, members }: Ask): number {
  const n = member(members, "n");
  const value = n === undefined ? 1 : valueAt(body, n);
  return typeof value === "number" ? value : 1;
}

function conversionFor({ deps, exchange, ask, lease, upstreamCodec }: Attempt): Conversion {
  const { codec } = exchange;
  if (upstreamCodec === codec) return passing(codec.wire);
  const { envelopes } = deps;
  return translating(upstreamCodec, codec, {
    prompt: exchange.prompt(ask, envelopes),
    envelopes,
    issuer: envelopes.issuerOf(lease.candidate.account),
    model: ask.model,
    createdAt: Math.floor(deps.clock.wall() / 1_000),
    requestId: exchange.id,
  });
}

/** An answer that may be continued by its id lives at the account that gave it. A translated one has no such id. */
function settle({ deps, ask, lease, tap, upstreamCodec, exchange }: Attempt): void {
  if (tap.responseId === undefined || !ask.continuable || upstreamCodec !== exchange.codec) return;
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
