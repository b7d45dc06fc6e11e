// What became of one attempt, in our words, and whom it is to be blamed on. The provider names it, the
// retry rule and the pool act on it.

import type { Failure } from "./errors.ts";

/**
 * The narrowest thing that an attempt's failure may be blamed on.
 * - `limit`: a rate limit or quota; cools the account, or only the model, for `forMs` if upstream named a time
 * - `quota`: money or plan used up; a long cooldown, tried again now and then
 * - `credential`: 401, 402, 403
 * - `login`: its login is lost or cannot be renewed now
 * - `model`: the account does not have the model
 * - `api`: its server has no such endpoint; another protocol may do
 * - `account`: a passing failure (5xx, reset, silence); a strike towards ejection
 * - `route`: nobody answered at that origin or proxy; the account itself is not cooled
 * - `provider`: the service as a whole is overloaded (529)
 * - `nobody`: the account is innocent
 */
export type Blame =
  | { readonly on: "limit"; readonly scope: "account" | "model"; readonly forMs: number | undefined }
  | { readonly on: "quota"; readonly forMs: number | undefined }
  | { readonly on: "credential"; /** 401: a login may be renewed. */ readonly expired?: boolean }
  | { readonly on: "login" }
  | { readonly on: "model" }
  | { readonly on: "api" }
  | { readonly on: "account" }
  | {
      readonly on: "route";
      /** No connection came about: it would not for others there either. */ readonly unreached?: true;
    }
  | { readonly on: "provider" }
  | { readonly on: "nobody" };

/**
 * - `ok`: a whole answer, or a stream that reached its true end
 * - `next`: another account may try
 * - `stop`: the request itself is at fault; the client gets the fault as it is
 * - `cut`: failed after content had gone to the client; nobody may take over
 * - `gone`: the client left; nobody is blamed
 */
export type Outcome =
  | { readonly kind: "ok" }
  | { readonly kind: "next"; readonly fault: Failure; readonly blame: Blame }
  | {
      readonly kind: "stop";
      readonly fault: Failure;
      /** The request brought reasoning that this account did not seal, or can no longer read. */
      readonly stale?: boolean;
    }
  | { readonly kind: "cut"; readonly fault: Failure; readonly blame: Blame }
  | { readonly kind: "gone" };

const ACCOUNT_BOUND: ReadonlySet<Blame["on"]> = new Set([
  "limit",
  "quota",
  "credential",
  "login",
  "model",
  "api",
]);

/** Blames that come from the account's own state: they limit themselves and cost no retry budget. */
export function isAccountBound(blame: Blame): boolean {
  return ACCOUNT_BOUND.has(blame.on);
}
