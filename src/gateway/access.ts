// What a try presents to the upstream. A login that has run out is renewed, and the account tried once more.

import type { Access } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Renewal } from "../core/login.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Lease } from "../core/ports.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** A renewal mostly takes less; where another account is free, more is not waited for. */
const PATIENCE_MS = 2_000;

type Try = (access: Access) => Promise<Outcome>;
type Tools = Pick<Deps, "logins" | "clock">;
type Waiting = Pick<Exchange, "signal">;
type Holder = Pick<Lease, "candidate" | "hasOthers">;

export function withAccess(deps: Tools, exchange: Waiting, lease: Holder, once: Try): Promise<Outcome> {
  const { credential } = lease.candidate.account;
  if (credential === undefined) return Promise.resolve(unsigned("lost"));
  return credential.kind === "login" ? withLogin(deps, exchange, lease, once) : once(credential);
}

/** A 401 of a token that has just been renewed is not answered by renewing it again. */
async function withLogin(deps: Tools, exchange: Waiting, lease: Holder, once: Try): Promise<Outcome> {
  const { account } = lease.candidate;
  const patient = <T>(work: T | Promise<T>): T | Promise<T | "later" | "gone"> =>
    work instanceof Promise ? patiently(work, { deps, exchange, lease }) : work;
  for (let renewed = false; ; renewed = true) {
    const access = await patient(deps.logins.access(account));
    if (access === "gone") return { kind: "gone" };
    if (typeof access === "string") return unsigned(access);
    const outcome = await once(access);
    if (!isExpired(outcome)) return outcome;
    const renewal = await patient(deps.logins.refused(account, access));
    if (renewal === "gone") return { kind: "gone" };
    if (renewal !== "renewed" || renewed) return renewal === "renewed" ? outcome : unsigned(renewal);
  }
}

interface Wait {
  readonly deps: Tools;
  readonly exchange: Waiting;
  readonly lease: Holder;
}

/** A renewal belongs to nobody: whoever leaves, or finds another account, only stops waiting for it. */
async function patiently<T>(
  work: Promise<T>,
  { deps, exchange, lease }: Wait,
): Promise<T | "later" | "gone"> {
  const { signal } = exchange;
  if (signal.aborted) return "gone";
  const enough = Promise.withResolvers<"later" | "gone">();
  const leave = (): void => enough.resolve("gone");
  const look = (): (() => void) =>
    deps.clock.after(PATIENCE_MS, () => {
      if (lease.hasOthers()) enough.resolve("later");
      else stop = look();
    });
  let stop = look();
  signal.addEventListener("abort", leave);
  try {
    return await Promise.race([work, enough.promise]);
  } finally {
    stop();
    signal.removeEventListener("abort", leave);
  }
}

function isExpired(outcome: Outcome): boolean {
  return outcome.kind === "next" && outcome.blame.on === "credential" && outcome.blame.expired === true;
}

function unsigned(why: Exclude<Renewal, "renewed">): Outcome {
  const what = why === "lost" ? "needs a login" : "has a login that cannot be renewed now";
  const fault = new GatewayError("upstream_refused", `the chosen account ${what}`);
  return { kind: "next", fault, blame: { on: "login" } };
}
