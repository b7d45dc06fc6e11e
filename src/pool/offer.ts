// Who may serve requests of one kind (models, client's protocol, what can be translated), by configuration alone:
// computed once and kept until the configuration changes, because a pool may have a thousand accounts.

import { type Platform, PROTOCOLS, upstreamModel, type Protocol } from "../core/account.ts";
import type { Ask, Candidate } from "../core/exchange.ts";
import type { CandidateOptions } from "../core/ports.ts";
import { comparePlace } from "../core/schedule.ts";
import { isUsable, type LiveAccount } from "./live-account.ts";
import { Latencies } from "./latencies.ts";

export interface Entry {
  readonly live: LiveAccount;
  readonly candidate: Candidate;
  readonly tier: Tier;
  /** Its index in the tier. */
  readonly place: number;
}

/** Entries of one place in the order: only their load tells them apart. */
export interface Tier {
  readonly rank: number;
  readonly priority: number;
  readonly entries: readonly Entry[];
  /** Virtual time: the turn at which the last choice was made. */
  clock: number;
  /** Where the search begins: behind the last choice. */
  cursor: number;
}

export interface Offer {
  /** The same for the same kind of request. */
  readonly id: string;
  /** The client's. */
  readonly protocol: Protocol;
  readonly tiers: readonly Tier[];
  /** In the order of ranks. */
  readonly byAccount: ReadonlyMap<LiveAccount, readonly Entry[]>;
  /** Accounts that offer the model, also those that are disabled or have to be logged in. */
  readonly named: number;
  readonly latencies: Latencies;
}

type Listed = Pick<Entry, "live" | "candidate">;

/** What an offer depends on besides the accounts. */
export interface Kind {
  readonly id: string;
  readonly protocol: Protocol;
  readonly models: readonly string[];
  readonly speaks: ReadonlySet<Protocol>;
  /** The only account that can read the request, if there is such a one. */
  readonly only: string | undefined;
  /** Only API-key accounts of this platform, whatever protocols they speak. */
  readonly platform: Platform | undefined;
}

export function kindOf(ask: Ask, codecs: CandidateOptions["codecs"], only?: string): Kind {
  const speaks = new Set(PROTOCOLS.filter((protocol) => codecs(ask.protocol, protocol)));
  const platform = ask.errand?.platform;
  const limits = only === undefined && platform === undefined ? [] : [{ only, platform }];
  const id = JSON.stringify([ask.protocol, ...speaks, ask.models, ...limits]);
  return { id, protocol: ask.protocol, models: ask.models, speaks, only, platform };
}

export function makeOffer(kind: Kind, accounts: Iterable<LiveAccount>): Offer {
  const candidates: Listed[] = [];
  const named = new Set<LiveAccount>();
  for (const live of accounts) {
    const protocol = protocolFor(live, kind);
    const isMeant = kind.only === undefined || kind.only === live.account.name;
    if (protocol === undefined || !isMeant) continue;
    kind.models.forEach((wanted, rank) => {
      const model = upstreamModel(live.account, wanted, kind.protocol);
      if (model === undefined) return;
      named.add(live);
      if (!isUsable(live.account)) return;
      candidates.push({ live, candidate: { account: live.account, model, protocol, rank } });
    });
  }
  candidates.sort((a, b) => comparePlace(a.candidate, b.candidate, kind.protocol));
  const tiers = tiersOf(candidates, kind.protocol);
  return {
    id: kind.id,
    protocol: kind.protocol,
    tiers,
    byAccount: Map.groupBy(
      tiers.flatMap((tier) => tier.entries),
      (entry) => entry.live,
    ),
    named: named.size,
    latencies: new Latencies(),
  };
}

/** Whatever it speaks, where it is asked for something else. */
function protocolFor({ account, speaks }: LiveAccount, kind: Kind): Protocol | undefined {
  if (kind.platform !== undefined)
    return account.platform === kind.platform && account.type === "api_key" ? kind.protocol : undefined;
  return spokenFor(speaks, kind);
}

/** The client's own protocol where the account speaks it, else the first of the account's that can be translated to. */
function spokenFor(speaks: readonly Protocol[], kind: Kind): Protocol | undefined {
  const spoken = speaks.filter((protocol) => kind.speaks.has(protocol));
  return spoken.includes(kind.protocol) ? kind.protocol : spoken[0];
}

function tiersOf(sorted: readonly Listed[], protocol: Protocol): readonly Tier[] {
  const tiers: { tier: Tier; entries: Entry[] }[] = [];
  let last: Candidate | undefined;
  for (const { live, candidate } of sorted) {
    if (last === undefined || comparePlace(last, candidate, protocol) !== 0) {
      const entries: Entry[] = [];
      const { rank, account } = candidate;
      tiers.push({ tier: { rank, priority: account.priority, entries, clock: 0, cursor: 0 }, entries });
    }
    const current = tiers.at(-1);
    current?.entries.push({ live, candidate, tier: current.tier, place: current.entries.length });
    last = candidate;
  }
  return tiers.map(({ tier }) => tier);
}
