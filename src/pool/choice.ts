// Which account a request is given to now. Nothing here changes state but the memory of whose turn it is.

import type { Ask } from "../core/exchange.ts";
import type { LiveAccount } from "./live-account.ts";
import type { Entry, Kind, Offer, Tier } from "./offer.ts";
import type { Bound, Home } from "./sessions.ts";

/** How long a request waits for the account of its session before it moves to another. */
const PATIENCE_MS = 2_000;

/** One request's way through the accounts. */
export interface Search {
  readonly ask: Ask;
  readonly kind: Kind;
  /** Made anew by a reload. */
  offer: Offer;
  readonly tried: Set<LiveAccount>;
  /** The account it should go to while that can serve. */
  readonly bound: Bound | undefined;
  /** Where its conversation has been so far. */
  readonly home: Home | undefined;
  /** Until when it waits for the bound account only; set when it begins to. */
  patientUntil: number | undefined;
  /** It has been a probe already: one risk per request is enough while others can serve it. */
  hasProbed: boolean;
}

/** An account, the advice to wait for one, or nobody. */
export type Selection = Entry | "wait" | undefined;

export function select(search: Search, now: number): Selection {
  const { bound, offer, tried } = search;
  const own = bound === undefined || bound.slow ? undefined : boundEntry(search, now);
  if (bound !== undefined && own !== undefined) {
    const better = bound.hard ? undefined : bestAbove(search, own, now);
    if (better !== undefined) return better;
    if (isReady(own, now)) return own;
    search.patientUntil ??= bound.hard ? Number.POSITIVE_INFINITY : now + PATIENCE_MS;
    if (now < search.patientUntil) return "wait";
  }
  const others = bound?.slow === true ? new Set([...tried, bound.live]) : tried;
  return (
    best(offer.tiers, { search, tried: others, now }) ??
    (others === tried ? undefined : best(offer.tiers, { search, tried, now })) ??
    withoutChoice(search, now)
  );
}

/** Whether anybody who is fit and has not been tried has room now. */
export function isServable({ offer, tried }: Search, now: number): boolean {
  return offer.tiers.some(({ entries }) =>
    entries.some(
      ({ live, candidate }) =>
        live.hasRoom && !tried.has(live) && live.standing(candidate.model, now) === "open",
    ),
  );
}

/** The entry with which a waiting request would take this account, if it would. */
export function takes(search: Search, live: LiveAccount, now: number): Entry | undefined {
  const { bound, offer, tried } = search;
  if (tried.has(live) || !live.hasRoom) return undefined;
  if (bound !== undefined && live !== bound.live && isPatient(search, now)) return undefined;
  for (const entry of offer.byAccount.get(live) ?? []) {
    const standing = live.standing(entry.candidate.model, now);
    if (standing === "open" || standing === "probe") return entry;
    if (standing === "ejected" && select(search, now) === entry) return entry;
  }
  return undefined;
}

/** Remembers that this entry was chosen by turn, so that the next new session goes to another. */
export function takeTurn({ live, tier, place }: Entry): void {
  tier.clock = Math.max(tier.clock, live.turn);
  tier.cursor = (place + 1) % tier.entries.length;
  live.turn = tier.clock + 1 / live.account.weight;
}

function isPatient(search: Search, now: number): boolean {
  const { patientUntil } = search;
  return patientUntil !== undefined && now < patientUntil && boundEntry(search, now) !== undefined;
}

/** The bound account's entry, while it serves or soon will. */
function boundEntry({ bound, offer, tried }: Search, now: number): Entry | undefined {
  if (bound === undefined || tried.has(bound.live)) return undefined;
  const { live } = bound;
  for (const entry of offer.byAccount.get(live) ?? []) {
    const standing = live.standing(entry.candidate.model, now);
    if (standing === "open" || standing === "probe") return entry;
    if (standing === "probing" && bound.hard) return entry;
  }
  return undefined;
}

function isReady({ live, candidate }: Entry, now: number): boolean {
  return live.hasRoom && live.standing(candidate.model, now) !== "probing";
}

interface Scan {
  readonly search: Search;
  readonly tried: ReadonlySet<LiveAccount>;
  readonly now: number;
}

/** The best of the places before this entry's: where the session would be if it began now. */
function bestAbove(search: Search, { tier: own }: Entry, now: number): Entry | undefined {
  const isAbove = (tier: Tier): boolean =>
    tier.rank < own.rank || (tier.rank === own.rank && tier.priority < own.priority);
  const first = search.offer.tiers[0];
  if (first === undefined || !isAbove(first)) return undefined;
  return best(search.offer.tiers.filter(isAbove), { search, tried: search.tried, now }, true);
}

function best(tiers: readonly Tier[], scan: Scan, safelyOnly = false): Entry | undefined {
  const { replayable } = scan.search.ask;
  const mayProbe = replayable && !scan.search.hasProbed;
  const found = bestOf(tiers, scan, mayProbe ? "probe" : "open");
  return found ?? (mayProbe || safelyOnly ? undefined : bestOf(tiers, scan, "probe"));
}

/** `least`: how much may be wrong with an account. */
type Least = "open" | "probe" | "ejected";

function bestOf(tiers: readonly Tier[], scan: Scan, least: Least): Entry | undefined {
  for (const tier of tiers) {
    const found = bestIn(tier, scan, least);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The least burdened of one place; among equals whose turn it is. One pass, begun behind the last choice. */
function bestIn(tier: Tier, { tried, now }: Scan, least: Least): Entry | undefined {
  const { entries, clock, cursor } = tier;
  let found: Entry | undefined;
  let foundLoad = Number.POSITIVE_INFINITY;
  let foundTurn = Number.POSITIVE_INFINITY;
  for (let step = 0; step < entries.length; step += 1) {
    const place = cursor + step;
    const entry = entries[place < entries.length ? place : place - entries.length];
    if (entry === undefined) break;
    const { live } = entry;
    const { load } = live;
    if (load > foundLoad || !live.hasRoom) continue;
    const turn = Math.max(live.turn, clock);
    if (load === foundLoad && turn >= foundTurn) continue;
    if (tried.has(live) || !isAllowed(live.standing(entry.candidate.model, now), least)) continue;
    if (load === 0 && turn === clock) return entry;
    found = entry;
    foundLoad = load;
    foundTurn = turn;
  }
  return found;
}

function isAllowed(standing: ReturnType<LiveAccount["standing"]>, least: Least): boolean {
  if (standing === "open") return true;
  if (standing === "probe") return least !== "open";
  return standing === "ejected" && least === "ejected";
}

/** Nobody is free and fit: wait if somebody will be; else an ejected account is better than none. */
function withoutChoice(search: Search, now: number): Selection {
  const { offer, tried } = search;
  let isEjectedBusy = false;
  for (const tier of offer.tiers) {
    for (const { live, candidate } of tier.entries) {
      if (tried.has(live)) continue;
      const standing = live.standing(candidate.model, now);
      if (standing !== "ejected" && standing !== "cooling") return "wait";
      isEjectedBusy ||= standing === "ejected" && !live.hasRoom;
    }
  }
  return bestOf(offer.tiers, { search, tried, now }, "ejected") ?? (isEjectedBusy ? "wait" : undefined);
}
