// Renews one login, once. A refresh token is good for one use, and whoever presents one twice may lose the whole login.
// So: one process at a time (claim), with what the store holds at that moment, and never without having written down
// durably what is about to be presented. Only then is it presented, once.

import { randomUUID } from "node:crypto";
import type { Renewal } from "../core/login.ts";
import { hashOf, type Journal, type LoginDocument, mergeIdentity } from "./custody-document.ts";
import type { Held } from "./custody-held.ts";
import { CLAIM_MS, keepChange, type KeepTools } from "./custody-keep.ts";
import { newOwner } from "./owner.ts";
import { type Grant, IssuerError, requestTokens } from "./token-endpoint.ts";

/** `busy`: another process is at it. `again`: things have changed meanwhile; look again. */
export type Attempt = Renewal | "busy" | "again";

/** Presenting and keeping take at most so long; with less left of the claim, nothing is presented. */
const NEEDED_MS = 35_000;

const STOPPED = "the gateway stopped while it renewed this login, before it could keep the new token";
const UNCLEAR = "an earlier renewal got no clear answer";

/** Never throws. */
export async function renewOnce(held: Held, tools: KeepTools): Promise<Attempt> {
  const { safe, clock } = tools;
  // What could not be saved must be saved first: the store still holds the token before it.
  if (held.unsaved !== undefined) return held.isUsable ? "renewed" : "later";
  const owner = newOwner();
  let begunAt: number;
  try {
    // Cheaper than a claim, and all that is left to do once another process has done it.
    held.adopt(await safe.read(held.name));
    if (!held.isDue) return "renewed";
    held.owner = owner;
    begunAt = clock.now();
    if (!(await safe.claim(held.name, owner, CLAIM_MS))) return "busy";
  } catch (error) {
    return later(held, `the logins cannot be used: ${wordsOf(error)}`, tools);
  }
  try {
    return await renewClaimed(held, begunAt, tools);
  } catch (error) {
    return later(held, `the logins cannot be used: ${wordsOf(error)}`, tools);
  } finally {
    // While something is unsaved nobody else may renew.
    if (held.unsaved === undefined) await safe.renounce(held.name, owner);
  }
}

async function renewClaimed(held: Held, begunAt: number, tools: KeepTools): Promise<Attempt> {
  const { safe, clock } = tools;
  held.adopt(await safe.read(held.name));
  if (!held.isDue) return "renewed";
  const { document } = held;
  if (document === undefined || held.problem !== undefined || document.lost !== undefined)
    return held.isUsable ? "renewed" : "lost";
  const { refresh } = document.tokens;
  if (refresh === undefined) {
    if (held.isUsable) return "renewed";
    return lose(held, "its token has run out, and there is no refresh token to renew it with", tools);
  }
  const before = knownJournal(held, document, hashOf(refresh));
  const wasStopped = before?.state === "in_flight";
  if (wasStopped && before.retried) return lose(held, `${STOPPED}, and once more when it tried again`, tools);
  const journal: Journal = {
    attempt: randomUUID(),
    tokenHash: hashOf(refresh),
    at: clock.wall(),
    retried: wasStopped || before?.retried === true,
    state: "in_flight",
  };
  const written = { ...document, journal };
  if (!(await safe.write(held.name, held.version + 1, written))) return "again";
  held.take(written, held.version + 1);
  const presenting: Presenting = { document: written, refresh, journal, before };
  // This process may have been held up so long that another one is at it by now.
  if (clock.now() - begunAt > CLAIM_MS - NEEDED_MS) {
    await settle(held, { journal, left: before }, tools);
    return "again";
  }
  return present(held, presenting, tools);
}

/** What the journal says about the token that is to be presented, as far as this process does not know better. */
function knownJournal(held: Held, { journal }: LoginDocument, tokenHash: string): Journal | undefined {
  const known = journal !== undefined && held.note?.attempt === journal.attempt ? held.note.journal : journal;
  return known?.tokenHash === tokenHash ? known : undefined;
}

interface Presenting {
  readonly document: LoginDocument;
  readonly refresh: string;
  readonly journal: Journal;
  /** What the journal said before. */
  readonly before: Journal | undefined;
}

async function present(held: Held, presenting: Presenting, tools: KeepTools): Promise<Attempt> {
  const { document, refresh, journal, before } = presenting;
  const { issuer, clientId } = document;
  let grant: Grant;
  try {
    grant = await requestTokens(
      { issuer, clientId, proxy: held.account.proxy },
      { grant_type: "refresh_token", client_id: clientId, refresh_token: refresh },
      tools.clock,
    );
  } catch (error) {
    const failure = error instanceof IssuerError ? error : new IssuerError("passing", "unknown");
    if (failure.kind === "final") return refusedForGood(held, presenting, failure.reason, tools);
    // A request that never arrived has changed nothing.
    const left: Journal | undefined = failure.reached ? { ...journal, state: "unclear" } : before;
    await settle(held, { journal, left }, tools);
    return later(held, failure.reason, tools);
  }
  const kept = await keepChange(
    held,
    {
      change: changeBy(grant, document, tools.clock.wall()),
      generation: document.generation,
      tokenHash: journal.tokenHash,
    },
    tools,
  );
  if (kept === "overtaken") return held.isDue ? "again" : "renewed";
  if (grant.tokens.access === "") return later(held, "the issuer sent no access token", tools);
  held.renewed();
  tools.log({ level: "info", event: "login-renewed", fields: { account: held.name } });
  return "renewed";
}

/** What the answer leaves out stays as it was. */
function changeBy(
  { tokens, identity }: Grant,
  document: LoginDocument,
  wall: number,
): Partial<LoginDocument> {
  const refresh = tokens.refresh ?? document.tokens.refresh;
  const isWhole = tokens.access !== "";
  return {
    tokens: { ...(isWhole ? tokens : document.tokens), refresh },
    obtainedAt: isWhole ? wall : document.obtainedAt,
    identity: mergeIdentity(document.identity, identity),
    journal: undefined,
    lost: undefined,
  };
}

/** Writes down how an attempt has ended that changed nothing. */
async function settle(
  held: Held,
  { journal, left }: { readonly journal: Journal; readonly left: Journal | undefined },
  { safe }: KeepTools,
): Promise<void> {
  // In case it cannot be written: this process at least knows.
  held.note = { attempt: journal.attempt, journal: left };
  const { document, version } = held;
  if (document?.journal?.attempt !== journal.attempt) return;
  const settled = { ...document, journal: left };
  try {
    if (await safe.write(held.name, version + 1, settled)) held.take(settled, version + 1);
  } catch {
    // The next attempt goes by the note.
  }
}

/** The issuer's last word is about the token that was presented; somebody may have put another in its place. */
async function refusedForGood(
  held: Held,
  { journal, before }: Presenting,
  reason: string,
  tools: KeepTools,
): Promise<Attempt> {
  held.adopt(await tools.safe.read(held.name));
  if (held.refreshHash !== journal.tokenHash) return held.isDue ? "again" : "renewed";
  const cause = journal.retried ? `${STOPPED}: ` : before?.state === "unclear" ? `${UNCLEAR}: ` : "";
  return lose(held, `${cause}${reason}`, tools);
}

/** Somebody has to sign in, now or, while the access token is good, at its end. */
export async function lose(held: Held, reason: string, tools: KeepTools): Promise<Attempt> {
  const generation = held.document?.generation ?? 0;
  const change = { lost: reason, journal: undefined };
  const kept = await keepChange(held, { change, generation, tokenHash: held.refreshHash }, tools);
  if (kept === "overtaken") return held.isDue ? "again" : "renewed";
  const fields = { account: held.name, reason, stillServes: held.isUsable };
  tools.log({ level: "error", event: "login-lost", fields });
  return held.isUsable ? "renewed" : "lost";
}

function later(held: Held, reason: string, { log }: KeepTools): Attempt {
  const retryInMs = Math.round(held.failed());
  log({ level: "warn", event: "login-not-renewed", fields: { account: held.name, reason, retryInMs } });
  return "later";
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
