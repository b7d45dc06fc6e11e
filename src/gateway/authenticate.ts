// Whose request is this? The key comes as a bearer or as `x-api-key`; only hashes of keys are kept.

import { hash } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import type { ClientKey } from "../core/exchange.ts";
import { matchesAny } from "../core/account.ts";
import type { Clock } from "../core/ports.ts";

export function hashToken(token: string): string {
  return hash("sha256", token, "hex");
}

/** @throws GatewayError `unauthenticated`, or `invalid_request` when two different keys are sent */
export function authenticate(headers: Headers, keys: ReadonlyMap<string, ClientKey>): ClientKey {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1]?.trim();
  const apiKey = headers.get("x-api-key")?.trim();
  if (bearer !== undefined && apiKey !== undefined && bearer !== apiKey) {
    throw new GatewayError("invalid_request", "authorization and x-api-key carry different keys; send one");
  }
  const token = bearer ?? apiKey;
  if (token === undefined || token === "") {
    throw new GatewayError("unauthenticated", "send a client key as a bearer token or as x-api-key");
  }
  // Looked up by the whole hash of a random token: how long that takes says nothing about any key.
  const key = keys.get(hashToken(token));
  if (key === undefined) throw new GatewayError("unauthenticated", "this client key is not known here");
  return key;
}

/** @throws GatewayError `model_forbidden` */
export function allowModel(key: ClientKey, model: string): void {
  if (key.models !== undefined && !matchesAny(key.models, model)) {
    throw new GatewayError("model_forbidden", "this client key may not use this model", { param: "model" });
  }
}

/** Requests a minute of each key, counted in a sliding minute. Bounded by the number of keys. */
export class RequestRates {
  readonly #seen = new Map<string, number[]>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws GatewayError `key_limited` with the time until the oldest request of the minute is forgotten */
  count(key: ClientKey): void {
    const limit = key.requestsPerMinute;
    if (limit === undefined) return;
    const now = this.#clock.now();
    const recent = (this.#seen.get(key.name) ?? []).filter((at) => at > now - 60_000);
    const oldest = recent[0];
    if (recent.length >= limit && oldest !== undefined) {
      const retryAfterMs = oldest + 60_000 - now;
      throw new GatewayError("key_limited", "this client key is over its requests per minute", {
        retryAfterMs,
      });
    }
    recent.push(now);
    this.#seen.set(key.name, recent);
  }
}
