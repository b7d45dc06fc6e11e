// What lets the gateway act for an account that signs in: how it is kept and renewed.
// oauth/ keeps logins, stores/ hold them sealed, the request line only asks for access.

import type { Access, Account } from "./account.ts";

/** What came of an access that the upstream did not accept (401). */
export type Renewal =
  /** Another one is at hand: the same account may be tried once more. */
  | "renewed"
  /** None can be had now (the issuer is slow or down); the login itself may be fit. */
  | "later"
  /** Somebody has to sign in again, and has been told. */
  | "lost";

/** The request line's side of logins. */
export interface Logins {
  /**
   * What to present for an account whose credential is a login. At once while its token is valid; once it has run
   * out, when the renewal under way is done, which no caller can abort. Never throws.
   */
  access(account: Pick<Account, "name">): Access | Promise<Access | "later" | "lost">;
  /** The upstream answered 401 to `access`. Renews, unless that has happened meanwhile. Never throws. */
  refused(account: Pick<Account, "name">, access: Access): Promise<Renewal>;
}

/** A login as a store keeps it: it cannot read it. */
export interface SealedLogin {
  readonly account: string;
  /** 1 for the first; each later one is one higher. */
  readonly version: number;
  /** Text, sealed by the vault, for this account and version only. */
  readonly sealed: string;
}

/** Durable logins, shared by every process that uses the same store. */
export interface LoginStore {
  /** @throws when the store cannot be read */
  load(account: string): Promise<SealedLogin | undefined>;
  /** The version of every login kept. Cheap: asked every few seconds. */
  versions(): Promise<ReadonlyMap<string, number>>;
  /**
   * Keeps a login in place of the one before it (`version - 1`; none before version 1). Durable, over a loss of power
   * too, once it resolves to true; false when another version stands there, and then nothing has changed.
   * @throws when the store cannot write now
   */
  commit(login: SealedLogin): Promise<boolean>;
  /**
   * The right to renew an account's login, held by one owner over all processes until it is given back or `ms` have
   * passed. False while another owner holds it. An owner that asks again holds it anew.
   * @param isDead whether an owner will never give it back
   * @throws when the store cannot write now; a renewal could not be kept either
   */
  claim(account: string, owner: string, ms: number, isDead?: (owner: string) => boolean): Promise<boolean>;
  /** Gives the right back; does nothing for whoever does not hold it. Never throws: a claim ends by itself. */
  renounce(account: string, owner: string): Promise<void>;
  close(): void;
}
