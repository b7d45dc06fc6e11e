// How the gateway is: a word for anybody, details for whoever holds a client key.

import type { AccountStatus } from "../core/ports.ts";
import { VERSION } from "../core/version.ts";
import { json } from "./answers.ts";
import type { Handle } from "./server.ts";

export interface HealthSources {
  readonly accounts: () => readonly AccountStatus[];
  /** True for a valid client key, false when none was sent. @throws GatewayError for a wrong one */
  readonly mayLook: (headers: Headers) => boolean;
  readonly refuse: (error: unknown) => Response;
  readonly draining: () => boolean;
  /** Epoch ms. */
  readonly wall: () => number;
}

export function healthRoutes(sources: HealthSources): { health: Handle; live: Handle; ready: Handle } {
  return {
    health(request) {
      const accounts = sources.accounts();
      const status = summary(accounts);
      try {
        if (!sources.mayLook(request.headers)) return json(200, { status });
      } catch (error) {
        return sources.refuse(error);
      }
      return json(200, {
        status,
        version: VERSION,
        accounts: accounts.length,
        account_details: accounts.map((each) => detail(each, sources.wall())),
      });
    },
    live: () => json(200, { status: "ok" }),
    ready: () => (sources.draining() ? json(503, { status: "draining" }) : json(200, { status: "ok" })),
  };
}

/** `degraded`: some accounts cannot serve now; `down`: none can. Disabled ones were not meant to. */
function summary(accounts: readonly AccountStatus[]): "ok" | "degraded" | "down" {
  const meant = accounts.filter((each) => each.state !== "disabled");
  const serving = meant.filter((each) => each.state === "ready" || each.state === "busy");
  if (serving.length === 0) return "down";
  return serving.length === meant.length ? "ok" : "degraded";
}

function detail(status: AccountStatus, now: number): Record<string, unknown> {
  const { account, state } = status;
  return {
    name: account.name,
    platform: account.platform,
    type: account.type,
    priority: account.priority,
    concurrency: account.concurrency,
    active: status.active,
    rate_limited: state === "cooling",
    state,
    reason: status.reason ?? null,
    until: status.until === undefined ? null : new Date(status.until).toISOString(),
    limits: status.limits.map((limit) => ({
      name: limit.name,
      used: limit.used ?? null,
      reset_at: limit.resetAt === undefined ? null : new Date(limit.resetAt).toISOString(),
      source: limit.source,
      age_seconds: Math.max(0, Math.round((now - limit.seenAt) / 1_000)),
    })),
  };
}
