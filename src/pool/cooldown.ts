// What keeps an account, or one model of it, from being asked for a while. A cooldown is a hypothesis: at its end
// (for a quota also in between) one real request probes, and only success ends it. Times are monotonic.

import { clampWait } from "../core/limits.ts";
import type { Random } from "../core/ports.ts";

export type CoolKind = "limit" | "quota" | "extra" | "credential" | "login" | "model";

export interface Cooldown {
  readonly kind: CoolKind;
  /** The upstream model it is about; "" for the whole account. */
  readonly model: string;
  /** When it is expected to be over. */
  readonly until: number;
  /** From when a probe may go: `until`, or sooner for a quota. */
  readonly probeAt: number;
  /** How often the time without a named end has doubled. */
  readonly doublings: number;
  /** Leases up to this number say nothing about it: they were taken before. */
  readonly after: number;
}

/** What a failed attempt tells: `forMs` is the wait that upstream named. */
export interface Setback {
  readonly kind: CoolKind;
  readonly model: string;
  readonly forMs: number | undefined;
  /** Number of the lease it came by. */
  readonly lease: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Rule {
  /** The wait when upstream names none, and to what it may double. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly probeEveryMs?: number;
}

/** The table of cooldowns in docs; a kind that may not double has its base as its maximum. */
const RULES: Readonly<Record<CoolKind, Rule>> = {
  limit: { baseMs: MINUTE, maxMs: 30 * MINUTE },
  quota: { baseMs: HOUR, maxMs: 24 * HOUR, probeEveryMs: 15 * MINUTE },
  extra: { baseMs: HOUR, maxMs: 24 * HOUR },
  credential: { baseMs: 30 * MINUTE, maxMs: 24 * HOUR },
  login: { baseMs: 10_000, maxMs: 5 * MINUTE },
  model: { baseMs: HOUR, maxMs: HOUR },
};

/** Up to a tenth is added to a named wait, never taken away, so that accounts do not all come back at once. */
const SPREAD = 0.1;

/** The longest wait there can be: upstream names at most 8 days. */
export const LONGEST_MS = 8 * 24 * HOUR * (1 + SPREAD);

export interface Moment {
  readonly now: number;
  /** Number of the newest lease given out. */
  readonly lease: number;
  readonly random: Random;
}

/** The cooldown after a setback. A named end replaces whatever was known, also when it is earlier. */
export function setBack(known: Cooldown | undefined, setback: Setback, moment: Moment): Cooldown {
  const { kind, model } = setback;
  const rule = RULES[kind];
  const named = clampWait(setback.forMs);
  const doublings = known?.doublings ?? 0;
  if (named !== undefined) return made(named * (1 + SPREAD * moment.random()), doublings);
  if (known === undefined) return made(rule.baseMs, 0);
  if (moment.now < known.until) {
    return moment.now < known.probeAt ? known : { ...known, probeAt: nextProbe(known.until) };
  }
  const isProbe = setback.lease > known.after;
  const doubled = isProbe ? doublings + 1 : doublings;
  return made(Math.min(rule.maxMs, rule.baseMs * 2 ** doubled), Math.min(doubled, 16));

  function made(waitMs: number, doublings: number): Cooldown {
    const until = moment.now + waitMs;
    return { kind, model, until, probeAt: nextProbe(until), doublings, after: moment.lease };
  }
  function nextProbe(until: number): number {
    return rule.probeEveryMs === undefined ? until : Math.min(until, moment.now + rule.probeEveryMs);
  }
}
