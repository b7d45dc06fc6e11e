// Why nobody can serve a request, in words for its client: counts and times, no names.

import { GatewayError } from "../core/errors.ts";
import type { CoolKind } from "./cooldown.ts";
import type { Entry, Offer } from "./offer.ts";

/** Undefined when somebody can, or soon will. */
export function verdictOn(offer: Offer, now: number): GatewayError | undefined {
  if (offer.named === 0) return modelNotFound();
  if (offer.byAccount.size === 0) {
    return new GatewayError(
      "pool_unavailable",
      "every account for this model is disabled or has to be logged in",
    );
  }
  const held: Held[] = [];
  for (const entries of offer.byAccount.values()) {
    for (const entry of entries) {
      const one = heldBack(entry, now);
      if (one === undefined) return undefined;
      held.push(one);
    }
  }
  const limited = held.filter((each) => each.kind === "limit" || each.kind === "quota");
  if (limited.length > 0) {
    const retryAfterMs = Math.min(...limited.map((each) => each.forMs));
    return new GatewayError("pool_cooling", "every account for this model has reached a limit", {
      retryAfterMs,
    });
  }
  const unsigned = held.filter((each) => each.kind === "login");
  if (unsigned.length > 0) {
    const retryAfterMs = Math.min(...unsigned.map((each) => each.forMs));
    return new GatewayError(
      "pool_cooling",
      "every account for this model waits for its login to be renewed",
      {
        retryAfterMs,
      },
    );
  }
  // A refused credential has no known end, though it is tried again now and then.
  if (held.some((each) => each.kind === "credential")) {
    return new GatewayError("pool_unavailable", "every account for this model was refused by its upstream");
  }
  return modelNotFound();
}

function modelNotFound(): GatewayError {
  return new GatewayError("model_not_found", "no account offers this model");
}

interface Held {
  /** What weighs most of what holds it back. */
  readonly kind: CoolKind;
  readonly forMs: number;
}

/** From what is least likely to pass by itself. */
const WEIGHT: readonly CoolKind[] = ["credential", "model", "quota", "limit", "login"];

function heldBack({ live, candidate }: Entry, now: number): Held | undefined {
  if (live.standing(candidate.model, now) !== "cooling") return undefined;
  const holding = [...live.cooldowns.of(candidate.model)].filter((cooldown) => cooldown.probeAt > now);
  const kind = WEIGHT.find((each) => holding.some((cooldown) => cooldown.kind === each)) ?? "limit";
  return { kind, forMs: Math.max(0, ...holding.map((cooldown) => cooldown.probeAt - now)) };
}
