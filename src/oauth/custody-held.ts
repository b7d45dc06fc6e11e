// One account's login in memory, and how long it is good for. Times are monotonic, so that a stepped wall clock neither
// ends a token nor prolongs it.

import { randomUUID } from "node:crypto";
import type { Access } from "../core/account.ts";
import type { Renewal } from "../core/login.ts";
import type { Clock, Random } from "../core/ports.ts";
import { hashOf, type Journal, type LoginDocument, withSeed } from "./custody-document.ts";
import type { Kept } from "./custody-safe.ts";
import type { LoginAccount, LoginStanding } from "./login.ts";

/** A token is renewed so long before its end, or a quarter of its life when that is less. */
const LEAD_MS = 300_000;
/** Some of the lead is left to chance, so that accounts which signed in together are not renewed together. */
const JITTER = 0.2;
/** So near its end it could run out on the way. */
const MARGIN_MS = 10_000;
const FRESH_MS = 60_000;
/** So many tokens in a row, refused just after they were given, are no hiccup of the provider's any more. */
const MAX_REFUSED_FRESH = 3;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export interface HeldTools {
  readonly clock: Clock;
  readonly random: Random;
  /** Every token that comes to be known. */
  readonly onSecret: (secret: string) => void;
  /** The login, or what is known of it, is another one now. */
  readonly onAdopt: (held: Held) => void;
}

/** A change of the login that has this generation and a refresh token of this hash. */
export interface Unsaved {
  readonly change: Partial<LoginDocument>;
  readonly generation: number;
  readonly tokenHash: string | undefined;
}

export class Held {
  account: LoginAccount;
  document: LoginDocument | undefined;
  /** Of the store's row that `document` stands for or is based on. */
  version = 0;
  /** What the store could not take yet. It counts already. */
  unsaved: Unsaved | undefined;
  /** Who holds the claim of the last renewal. */
  owner: string = randomUUID();
  /** Saves what is unsaved at once. */
  hurry: () => void = () => {};
  /** The one renewal under way. */
  flight: Promise<Renewal> | undefined;
  /** Ends the waiting for it while another process is at it; undefined once it has. */
  blocked: PromiseWithResolvers<Renewal> | undefined;
  /** Whether somebody waits for it. */
  isUrgent = false;
  /** What the journal would say of this attempt if it could have been written. */
  note: { readonly attempt: string; readonly journal: Journal | undefined } | undefined;
  /** Monotonic: before it nothing is tried. */
  retryAt = -Infinity;
  /** It is not configured any more. */
  isGone = false;
  /** What is unsaved will not be saved: the process ends. */
  isGivenUp = false;
  /** Its standing as it was last told. */
  told: string | undefined;
  /** The configured issuer and client that are not the login's, as last warned of. */
  warnedOf: string | undefined;
  /** The end of the login under way, when the provider has refused it. */
  ending: Promise<unknown> | undefined;
  cancelTimer: () => void = () => {};
  /** Why the store's row could not be read. */
  problem: string | undefined;
  #failures = 0;
  #endsAt = -Infinity;
  #renewAt = -Infinity;
  /** Access tokens: one that the provider refused, and one that we have just been given. */
  #refused: string | undefined;
  #fresh: { readonly secret: string; readonly at: number } | undefined;
  /** The last one that was refused while it was fresh, and how many there have been. */
  #refusedFresh: { readonly secret: string; readonly times: number } | undefined;
  /** The configuration when the store's row could first not be read. */
  #unread: { readonly seed: string | undefined } | undefined;
  /** The same each time, or looking again would put the renewal off. */
  readonly #jitter: number;
  readonly #tools: HeldTools;

  constructor(account: LoginAccount, tools: HeldTools) {
    this.#jitter = tools.random();
    this.account = account;
    this.#tools = tools;
  }

  get name(): string {
    return this.account.name;
  }

  /** Takes over what the store holds. What could not be saved is newer than that. */
  adopt(kept: Kept): void {
    if (kept.version < this.version || this.unsaved !== undefined) return;
    if (kept.kind === "unreadable" && !this.#hasSeedSince()) {
      // What is at hand goes on being used as long as it lasts; nothing is written over what cannot be read.
      this.problem = `its login cannot be opened: ${kept.reason}`;
      this.version = kept.version;
      return this.#tools.onAdopt(this);
    }
    this.problem = undefined;
    if (kept.kind !== "unreadable") this.#unread = undefined;
    const before =
      kept.kind === "login" ? kept.document : kept.kind === "unreadable" ? this.document : undefined;
    this.take(withSeed(before, this.account, this.#tools.clock.wall()), kept.version);
  }

  /** Whether the configuration has got another token since the row could not be read: only that is a new sign-in. */
  #hasSeedSince(): boolean {
    const { seed } = this.account;
    this.#unread ??= { seed };
    return seed !== undefined && seed !== this.#unread.seed;
  }

  /** Another sign-in, whatever there was before. */
  replace(document: LoginDocument, version: number): void {
    this.problem = undefined;
    this.#unread = undefined;
    this.take(document, version);
  }

  /** The login as it is from now on. */
  take(document: LoginDocument | undefined, version: number): void {
    const { onSecret, onAdopt } = this.#tools;
    const before = this.document;
    const isOther = document?.generation !== before?.generation;
    this.document = document;
    this.version = version;
    if (document === undefined) return onAdopt(this);
    if (isOther) this.#recover();
    if (!hasSameTimes(document, before)) this.#time(document);
    const { access, refresh = "" } = document.tokens;
    for (const secret of [access, refresh]) if (secret !== "") onSecret(secret);
    onAdopt(this);
  }

  /** Read off the wall clock once, when the token comes. */
  #time({ tokens: { expiresAt, refresh }, obtainedAt }: LoginDocument): void {
    const { clock } = this.#tools;
    const life = expiresAt - obtainedAt;
    const left = Math.min(expiresAt - clock.wall(), life > 0 ? life : Infinity);
    const part = (life > 0 ? life : Math.max(0, left)) / 4;
    this.#endsAt = clock.now() + left - Math.min(MARGIN_MS, part);
    const lead = Math.min(LEAD_MS, part) * (1 - JITTER * this.#jitter);
    this.#renewAt = refresh === undefined ? this.#endsAt : clock.now() + left - lead;
  }

  get isUsable(): boolean {
    const access = this.document?.tokens.access ?? "";
    return access !== "" && access !== this.#refused && this.#tools.clock.now() < this.#endsAt;
  }

  /** Whether it should be renewed now, or would be if it could. */
  get isDue(): boolean {
    return !this.isUsable || this.#tools.clock.now() >= this.#renewAt;
  }

  /** Whether it is ours to renew, as far as anybody knows. Not before what came of the last renewal is saved. */
  get isRenewable(): boolean {
    const { document, problem, unsaved } = this;
    if (document === undefined || problem !== undefined || unsaved !== undefined) return false;
    return document.lost === undefined && document.follow === undefined;
  }

  /** Whether a failure is so recent that nothing is tried yet. */
  get isResting(): boolean {
    return this.#tools.clock.now() < this.retryAt;
  }

  /** Why somebody has to sign in; undefined while the login is fit, or may be. */
  get lostWhy(): string | undefined {
    if (this.document === undefined) return this.problem ?? "has never signed in";
    return this.isUsable ? undefined : (this.problem ?? this.document.lost);
  }

  /** Monotonic: when something is to be done about it next; undefined: never by itself. */
  get wakeAt(): number | undefined {
    if (this.document === undefined || this.document.follow !== undefined) return undefined;
    if (!this.isRenewable) return this.isUsable ? this.#endsAt : undefined;
    return Math.max(this.#renewAt, this.retryAt);
  }

  /** What to present; undefined while there is nothing good. */
  get access(): Access | undefined {
    if (this.document === undefined || !this.isUsable) return undefined;
    const accountId = this.account.accountId ?? this.document.identity.accountId;
    return { kind: "bearer", secret: this.document.tokens.access, accountId };
  }

  get refreshHash(): string | undefined {
    const refresh = this.document?.tokens.refresh;
    return refresh === undefined ? undefined : hashOf(refresh);
  }

  get standing(): LoginStanding {
    const { document, lostWhy } = this;
    if (document === undefined || lostWhy !== undefined)
      return {
        state: "needs_login",
        reason: lostWhy ?? "has never signed in",
        identity: document?.identity,
      };
    const { generation, source } = document;
    const accountId = this.account.accountId ?? document.identity.accountId;
    return { state: "ready", generation, identity: { ...document.identity, accountId }, source };
  }

  /**
   * The provider does not accept it. `old`: it has to be renewed. That is tried with one that we were given a moment ago
   * as well, since the issuer knows whether the login is over; the next one rests (`fresh`), and the third is too many.
   */
  refuse(secret: string): "fresh" | "never" | "old" {
    const fresh = this.#fresh;
    const before = this.#refusedFresh;
    if (fresh?.secret === secret && this.#tools.clock.now() - fresh.at < FRESH_MS) {
      const times = before?.secret === secret ? before.times : (before?.times ?? 0) + 1;
      this.#refusedFresh = { secret, times };
      if (times > 1 && times < MAX_REFUSED_FRESH) return "fresh";
      this.#refused = secret;
      return times === 1 ? "old" : "never";
    }
    // It has served in between.
    if (before?.secret !== secret) this.#refusedFresh = undefined;
    this.#refused = secret;
    return "old";
  }

  /** We have just been given its access token. */
  renewed(): void {
    const secret = this.document?.tokens.access ?? "";
    this.#fresh = { secret, at: this.#tools.clock.now() };
    this.#recover();
  }

  /** Returns how long nothing is tried now, in ms. */
  failed(): number {
    const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    const ms = base * (1 - this.#tools.random() / 2);
    this.retryAt = this.#tools.clock.now() + ms;
    return ms;
  }

  #recover(): void {
    this.#failures = 0;
    this.retryAt = -Infinity;
  }
}

function hasSameTimes(a: LoginDocument, b: LoginDocument | undefined): boolean {
  const [one, other] = [a.tokens, b?.tokens];
  return one.access === other?.access && one.expiresAt === other.expiresAt && a.obtainedAt === b?.obtainedAt;
}
