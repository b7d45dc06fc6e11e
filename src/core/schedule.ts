// Who is tried in which order, and why. The order has two parts: the place, which the configuration fixes for a
// request (alias position, priority, the client's own protocol), and the load, which changes all the time. The
// pool keeps candidates sorted by place and looks for the least loaded inside one place.

import type { Protocol } from "./account.ts";
import type { Candidate } from "./exchange.ts";

/** What the choice among accounts of one place hangs on. */
export interface Load {
  /** Requests in flight. */
  readonly active: number;
  /** Virtual time of the account's last new session, in sessions per weight: who is behind goes first. */
  readonly turn: number;
}

export interface Facts extends Load {
  /** Why the account cannot take the request now; undefined when it can. */
  readonly held: string | undefined;
}

/** A candidate in its place, and the reason for it in one line. */
export interface Choice {
  readonly candidate: Candidate;
  readonly reason: string;
}

/** Negative when `a` goes before `b` whatever their load: alias position, priority, no translation. */
export function comparePlace(a: Candidate, b: Candidate, protocol: Protocol): number {
  return (
    a.rank - b.rank ||
    a.account.priority - b.account.priority ||
    Number(a.protocol !== protocol) - Number(b.protocol !== protocol)
  );
}

/** Requests in flight per weight: a plan twice the size carries twice as many before it counts as equally loaded. */
export function burden(active: number, weight: number): number {
  return active / weight;
}

/** Everyone in the order of trying; those who cannot serve now come last, in the same order among themselves. */
export function order(
  candidates: readonly Candidate[],
  protocol: Protocol,
  facts: (candidate: Candidate) => Facts,
): readonly Choice[] {
  const rows = candidates.map((candidate) => ({ candidate, facts: facts(candidate) }));
  rows.sort(
    (a, b) =>
      Number(a.facts.held !== undefined) - Number(b.facts.held !== undefined) ||
      comparePlace(a.candidate, b.candidate, protocol) ||
      burden(a.facts.active, a.candidate.account.weight) -
        burden(b.facts.active, b.candidate.account.weight) ||
      a.facts.turn - b.facts.turn,
  );
  return rows.map((row) => ({
    candidate: row.candidate,
    reason: reasonOf(row.candidate, row.facts, protocol),
  }));
}

function reasonOf(candidate: Candidate, facts: Facts, protocol: Protocol): string {
  const { account } = candidate;
  const parts = [
    candidate.rank > 0 ? `model ${candidate.rank + 1} of the alias` : undefined,
    `priority ${account.priority}`,
    candidate.protocol === protocol ? undefined : `translated to ${candidate.protocol}`,
    `${facts.active} of ${account.concurrency} slots taken`,
    account.weight === 1 ? undefined : `weight ${account.weight}`,
  ];
  const place = parts.filter((part) => part !== undefined).join(", ");
  return facts.held === undefined ? place : `${facts.held} (${place})`;
}
