// The live accounts: who is tried, in which order, and what became of it.

import type { Account } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Ask, Candidate } from "../core/exchange.ts";
import { EXTRA_USAGE, type LimitWindow } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type {
  AccountPool,
  AccountStatus,
  CandidateOptions,
  Clock,
  Lease,
  Log,
  Random,
  Records,
} from "../core/ports.ts";
import type { Choice } from "../core/schedule.ts";
import type { Search } from "./choice.ts";
import { Consequences } from "./consequences.ts";
import { explained, statusOf } from "./describe.ts";
import { PoolLease } from "./lease.ts";
import type { LiveAccount } from "./live-account.ts";
import { kindOf, type Kind } from "./offer.ts";
import { RetryBudget } from "./retry-budget.ts";
import { Roster } from "./roster.ts";
import { fingerprint, SavedCooldowns } from "./saved-cooldowns.ts";
import { Sessions } from "./sessions.ts";
import { Slots } from "./slots.ts";
import { verdictOn } from "./verdict.ts";

export interface PoolSettings {
  /** Waiting requests in all. */
  readonly maxQueue: number;
  readonly queueTimeoutMs: number;
  readonly stickyTtlMs: number;
  /** How many client keys are configured: what the queue is shared by. */
  readonly keys: number;
}

export interface PoolOptions {
  readonly accounts: readonly Account[];
  readonly settings: PoolSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly records: Pick<Records, "save" | "load">;
  readonly log: Log;
}

/** `candidates` rejects with `signal.reason` when the client leaves while it waits. */
export interface Pool extends AccountPool {
  /**
   * Live leases finish; removed accounts drain; a lowered limit is reached by attrition. What is known of a
   * kept account (by name) stays, but a changed credential ends its credential cooldown.
   */
  reload(accounts: readonly Account[], settings: PoolSettings): void;
  /** By hand: ends every cooldown and ejection of an account. */
  clear(accountName: string): void;
  status(): readonly AccountStatus[];
  /** The order in which accounts would be tried for this ask now, each with its reason. */
  explain(ask: Ask, options: CandidateOptions): readonly Choice[];
  /** Whether it is known at which account this response lives. */
  holds(responseId: string): boolean;
  /** The account's login is good again. */
  renewed(accountName: string): void;
  /** Leases out. */
  active(): number;
  /** Refuses waiters with `shutting_down` and saves state; live leases may still be released. */
  close(): void;
}

/** A client that was turned away from a full queue is asked to come back after 2 to 5 s, not all at once. */
const BUSY_MS = 2_000;
const BUSY_SPREAD_MS = 3_000;

export function createPool(options: PoolOptions): Pool {
  return new LivePool(options);
}

/** Nothing is taken, so nothing is given back. */
function freeLease(candidate: Candidate): Lease {
  return { candidate, moved: false, hasOthers: () => false, disown() {}, release() {} };
}

class LivePool implements Pool {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #roster = new Roster();
  readonly #budget = new RetryBudget();
  readonly #saved: SavedCooldowns;
  readonly #sessions: Sessions;
  readonly #slots: Slots;
  readonly #consequences: Consequences;
  #isClosed = false;

  constructor({ accounts, settings, clock, random, records, log }: PoolOptions) {
    const roster = this.#roster;
    this.#clock = clock;
    this.#random = random;
    this.#saved = new SavedCooldowns(records, clock);
    const find = (name: string): LiveAccount | undefined => roster.find(name);
    this.#sessions = new Sessions({ stickyTtlMs: settings.stickyTtlMs, clock, records, find });
    this.#slots = new Slots({ clock, ended: (lease, outcome) => this.#ended(lease, outcome) });
    this.#consequences = new Consequences({
      roster,
      saved: this.#saved,
      clock,
      random,
      log,
      newestLease: () => this.#slots.newest,
      worsened: (live) => this.#worsened(live),
      unbind: ({ search, live }) => this.#sessions.unbind(search.ask, search.offer, live),
    });
    roster.load(accounts);
    this.#slots.limit(settings);
    this.#restoreCooldowns();
  }

  async *candidates(ask: Ask, { codecs, signal }: CandidateOptions): AsyncGenerator<Lease, void> {
    const kind = this.#kindOf(ask, codecs);
    const offer = this.#roster.offer(kind);
    const search: Search = {
      ask,
      kind,
      offer,
      tried: new Set(),
      bound: this.#sessions.boundTo(ask, offer),
      home: this.#sessions.homeOf(ask, offer),
      patientUntil: undefined,
      hasProbed: false,
    };
    if (ask.errand?.free === true) return yield* this.#free(search);
    for (;;) {
      signal.throwIfAborted();
      if (this.#isClosed && search.tried.size > 0) return;
      if (this.#isClosed) throw new GatewayError("shutting_down", "the gateway is shutting down");
      const taken = this.#slots.take(search);
      const seat = taken === "wait" ? await this.#wait(search, signal) : (taken ?? "nobody");
      if (seat instanceof PoolLease) {
        const { origin } = seat.candidate.account;
        if (search.tried.size === 1) this.#budget.request(origin, ask.key.name, this.#clock.now());
        yield seat;
      } else if (search.tried.size > 0) return;
      else throw this.#refusal(search, seat);
      // A reload may have come while the account was tried; one that lacks the protocol may be asked in another.
      search.offer = this.#roster.offer(kind);
      if (seat instanceof PoolLease && !seat.live.speaks.includes(seat.candidate.protocol))
        search.tried.delete(seat.live);
    }
  }

  /** Accounts that would be asked now, without a slot of theirs. */
  *#free(search: Search): Generator<Lease, void> {
    const now = this.#clock.now();
    const { offer, bound } = search;
    const own = bound === undefined ? [] : (offer.byAccount.get(bound.live) ?? []);
    const all = [...own, ...offer.tiers.flatMap(({ entries }) => entries)];
    const fit = new Map(
      all
        .filter(({ live, candidate }) => live.standing(candidate.model, now) === "open")
        .map((entry) => [entry.live, entry.candidate]),
    );
    if (fit.size === 0) throw this.#refusal(search, "nobody");
    for (const candidate of fit.values()) yield freeLease(candidate);
  }

  committed(lease: Lease, ask: Ask, firstEventMs: number): void {
    if (!(lease instanceof PoolLease)) return;
    this.#consequences.committed(lease);
    this.#sessions.committed(ask, lease, firstEventMs);
    this.#slots.offer(lease.live);
  }

  issued(responseId: string, account: Account): void {
    this.#sessions.issued(responseId, account.name);
  }

  holds(responseId: string): boolean {
    return this.#sessions.holds(responseId);
  }

  observe(account: Account, windows: readonly LimitWindow[]): void {
    const live = this.#roster.get(account.name);
    if (live === undefined) return;
    live.observe(windows);
    const extra = windows.find((window) => window.name === EXTRA_USAGE);
    if (extra === undefined) return;
    const forMs = extra.resetAt === undefined ? undefined : extra.resetAt - this.#clock.wall();
    this.#consequences.costsExtra(live, (extra.used ?? 0) > 0, forMs);
  }

  verdict(ask: Ask, { codecs }: CandidateOptions): GatewayError | undefined {
    return verdictOn(this.#roster.offer(this.#kindOf(ask, codecs)), this.#clock.now());
  }

  mayRetry(origin: string, key: string): boolean {
    return this.#budget.take(origin, key, this.#clock.now());
  }

  reload(accounts: readonly Account[], settings: PoolSettings): void {
    for (const live of this.#roster.load(accounts)) this.#consequences.renewed(live);
    for (const live of this.#roster.accounts()) {
      if (live.account.allowExtraUsage) this.#consequences.costsExtra(live, false, undefined);
    }
    this.#sessions.setTtl(settings.stickyTtlMs);
    for (const live of this.#roster.accounts()) this.#watch(live);
    this.#slots.limit(settings);
    this.#slots.reload((kind) => this.#roster.offer(kind));
  }

  clear(accountName: string): void {
    const live = this.#roster.get(accountName);
    if (live === undefined) return;
    this.#consequences.clear(live);
    this.#slots.offer(live);
  }

  renewed(accountName: string): void {
    const live = this.#roster.get(accountName);
    if (live === undefined) return;
    this.#consequences.signedIn(live);
    this.#watch(live);
    this.#slots.offer(live);
  }

  status(): readonly AccountStatus[] {
    return this.#roster.accounts().map((live) => statusOf(live, this.#clock));
  }

  explain(ask: Ask, { codecs }: CandidateOptions): readonly Choice[] {
    return explained(this.#roster.offer(this.#kindOf(ask, codecs)), this.#clock.now());
  }

  active(): number {
    return this.#slots.active;
  }

  close(): void {
    this.#isClosed = true;
    this.#slots.close();
    this.#sessions.save();
    for (const live of this.#roster.accounts()) {
      live.stopWatch?.();
      // Saved anew, because the wall clock may have been stepped since.
      for (const cooldown of live.cooldowns.all()) this.#saved.save(live.account, cooldown);
    }
  }

  #kindOf(ask: Ask, codecs: CandidateOptions["codecs"]): Kind {
    return kindOf(ask, codecs, ask.pinned ? this.#sessions.ownerOf(ask) : undefined);
  }

  async #wait(search: Search, signal: AbortSignal): Promise<PoolLease | "nobody" | "busy"> {
    const seat = await this.#slots.wait(search, signal);
    // The client may have left between the moment the slot was handed over and this one.
    if (signal.aborted && seat instanceof PoolLease) seat.release({ kind: "gone" });
    signal.throwIfAborted();
    return seat;
  }

  #refusal({ offer }: Search, seat: "nobody" | "busy"): GatewayError {
    if (seat === "busy") {
      const retryAfterMs = BUSY_MS + this.#random() * BUSY_SPREAD_MS;
      return new GatewayError("pool_busy", "every account for this model is busy", { retryAfterMs });
    }
    const verdict = verdictOn(offer, this.#clock.now());
    return verdict ?? new GatewayError("pool_unavailable", "no account can serve this request");
  }

  #ended(lease: PoolLease, outcome: Outcome): void {
    if (outcome.kind === "next" && outcome.blame.on === "route" && outcome.blame.unreached === true)
      for (const other of lease.route.accounts) lease.search.tried.add(other);
    try {
      this.#consequences.ended(lease, outcome);
    } finally {
      // A probe that nobody ends would keep everybody else waiting for it.
      lease.stopProbing();
      this.#roster.drop(lease.live);
    }
  }

  #worsened(live: LiveAccount): void {
    this.#watch(live);
    this.#slots.worsened(live);
  }

  /** Time alone brings an account back: then its slots have to be offered to whoever waits. */
  #watch(live: LiveAccount): void {
    live.stopWatch?.();
    const now = this.#clock.now();
    const next = live.nextChange(now);
    if (next === undefined || this.#isClosed || live.isRemoved) return;
    live.stopWatch = this.#clock.after(next - now, () => {
      if (live.relearn(this.#clock.now())) this.#roster.forgetOffers();
      this.#watch(live);
      this.#slots.offer(live);
    });
  }

  #restoreCooldowns(): void {
    for (const { account, cooldown, credential } of this.#saved.load()) {
      const live = this.#roster.get(account);
      if (live === undefined) continue;
      // A new credential while the gateway was down ends the old one's cooldown.
      if (cooldown.kind === "credential" && credential !== fingerprint(live.account)) continue;
      live.cooldowns.set(cooldown);
      this.#watch(live);
    }
  }
}
