// How accounts stand, in words for operators.

import type { AccountStatus, Clock } from "../core/ports.ts";
import { type Choice, order } from "../core/schedule.ts";
import type { CoolKind, Cooldown } from "./cooldown.ts";
import type { LiveAccount } from "./live-account.ts";
import type { Offer } from "./offer.ts";

const REASONS: Readonly<Record<CoolKind, string>> = {
  limit: "rate limit",
  quota: "quota used up",
  extra: "requests would cost extra",
  credential: "credential refused",
  login: "login cannot be renewed now",
  model: "model not there",
};

export function statusOf(live: LiveAccount, clock: Clock): AccountStatus {
  const { account, active, windows } = live;
  const toWall = clock.wall() - clock.now();
  const { state, reason, until } = conditionOf(live, clock.now());
  return {
    account,
    state,
    reason,
    until: until === undefined ? undefined : Math.ceil(until + toWall),
    active,
    limits: windows,
  };
}

type Condition = Pick<AccountStatus, "state" | "reason"> & { readonly until?: number };

function conditionOf(live: LiveAccount, now: number): Condition {
  const { account } = live;
  if (account.disabled) return { state: "disabled", reason: "disabled in the configuration" };
  if (account.credential === undefined)
    return { state: "needs_login", reason: account.loginNeeded ?? "has to be logged in" };
  const cooldowns = live.cooldowns.all();
  const whole = latest(cooldowns.filter((each) => each.model === ""));
  if (whole !== undefined && whole.probeAt > now) {
    return { state: "cooling", reason: REASONS[whole.kind], until: whole.until };
  }
  const ejectedUntil = Math.max(live.health.ejectedUntil ?? 0, live.route.health.ejectedUntil ?? 0);
  if (ejectedUntil > now) return { state: "cooling", reason: "keeps failing", until: ejectedUntil };
  const reason = remark(live, cooldowns, whole !== undefined);
  return { state: live.active < live.room ? "ready" : "busy", reason };
}

/** What is worth saying of an account that serves. */
function remark(live: LiveAccount, cooldowns: readonly Cooldown[], isHalfOpen: boolean): string | undefined {
  if (isHalfOpen || live.isEjected) return "on probation";
  const model = latest(cooldowns);
  if (model !== undefined) return `${REASONS[model.kind]} (${model.model})`;
  return live.room < live.account.concurrency ? "provider overloaded" : undefined;
}

/** The order in which the accounts of an offer would be tried now. */
export function explained({ tiers, protocol }: Offer, now: number): readonly Choice[] {
  const entries = tiers.flatMap((tier) => tier.entries);
  const facts = new Map(
    entries.map(({ candidate, live, tier }) => {
      const turn = Math.max(live.turn, tier.clock);
      return [candidate, { active: live.active, turn, held: heldFrom(live, candidate.model, now) }];
    }),
  );
  return order(
    entries.map((entry) => entry.candidate),
    protocol,
    (candidate) => facts.get(candidate) ?? { active: 0, turn: 0, held: undefined },
  );
}

/** Why a request cannot have the account now; undefined when it can. */
function heldFrom(live: LiveAccount, model: string, now: number): string | undefined {
  const standing = live.standing(model, now);
  if (standing === "cooling") {
    const cooldown = latest([...live.cooldowns.of(model)]);
    if (cooldown === undefined) return "cooling";
    return `${REASONS[cooldown.kind]}, ${Math.ceil((cooldown.until - now) / 1_000)} s left`;
  }
  if (standing === "ejected") return "keeps failing";
  if (standing === "probing") return "on probation, another request is trying it";
  return live.hasRoom ? undefined : "all slots taken";
}

function latest(cooldowns: readonly Cooldown[]): Cooldown | undefined {
  return cooldowns.toSorted((a, b) => b.until - a.until)[0];
}
