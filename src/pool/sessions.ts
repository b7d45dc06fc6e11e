// Which account a request should go back to. A preference, except for a request that continues a response, which
// only the account that made it knows.

import type { Ask } from "../core/exchange.ts";
import type { Clock, Records } from "../core/ports.ts";
import { Bindings } from "./bindings.ts";
import type { LiveAccount } from "./live-account.ts";
import type { Offer } from "./offer.ts";

const RESPONSES_TTL_MS = 24 * 3_600_000;
/** So many slow first events in a row make a session look for another account. */
const SLOW_IN_A_ROW = 2;

export interface Bound {
  readonly live: LiveAccount;
  /** Its answer cannot be had elsewhere: wait for it as long as for any slot. */
  readonly hard: boolean;
  /** It has become too slow: another account, if there is one. */
  readonly slow: boolean;
}

export interface Home {
  readonly account: string;
  /** Whether it has been at others before. */
  readonly moved: boolean;
}

/** A lease, as far as a session is concerned. */
export interface Seat {
  readonly live: LiveAccount;
  readonly moved: boolean;
  readonly search: { readonly offer: Offer };
}

export interface SessionsOptions {
  readonly stickyTtlMs: number;
  readonly clock: Clock;
  readonly records: Pick<Records, "save" | "load">;
  /** The account of that name, if it is configured to serve. */
  readonly find: (name: string) => LiveAccount | undefined;
}

export class Sessions {
  readonly #sticky: Bindings;
  readonly #responses: Bindings;
  readonly #find: SessionsOptions["find"];

  constructor({ stickyTtlMs, clock, records, find }: SessionsOptions) {
    this.#sticky = new Bindings({ kind: "sticky", ttlMs: stickyTtlMs, clock, records });
    this.#responses = new Bindings({ kind: "response", ttlMs: RESPONSES_TTL_MS, clock, records });
    this.#find = find;
  }

  setTtl(ttlMs: number): void {
    this.#sticky.setTtl(ttlMs);
  }

  save(): void {
    this.#sticky.save();
    this.#responses.save();
  }

  boundTo(ask: Ask, offer: Offer): Bound | undefined {
    const issuer = ask.previousResponse && this.#responses.get(ask.previousResponse)?.account;
    const owner = issuer === undefined ? undefined : this.#find(issuer);
    if (owner !== undefined && offer.byAccount.has(owner)) return { live: owner, hard: true, slow: false };
    const binding = this.#sticky.get(this.#keyFor(ask, offer));
    const live = binding && this.#find(binding.account);
    if (binding === undefined || live === undefined || !offer.byAccount.has(live)) return undefined;
    return { live, hard: false, slow: binding.slow >= SLOW_IN_A_ROW };
  }

  /** The account that the conversation lives at, while that is configured to serve. */
  ownerOf({ session }: Ask): string | undefined {
    const account = this.#sticky.get(session)?.account;
    return account === undefined || this.#find(account) === undefined ? undefined : account;
  }

  /** Where the conversation was last, whether or not that account can serve it now. */
  homeOf(ask: Ask, offer: Offer): Home | undefined {
    return this.#sticky.get(this.#keyFor(ask, offer)) ?? this.#sticky.get(ask.session);
  }

  /** Content flows from that account: the session is there now. */
  committed(ask: Ask, { live, moved, search }: Seat, firstEventMs: number): void {
    const { offer } = search;
    const { name } = live.account;
    const key = this.#keyFor(ask, offer);
    const binding = ask.session === "" ? undefined : this.#sticky.bind(key, name, moved);
    // The first event of an answer that comes whole is its last, and says more of its length than of the account.
    if (!ask.stream) return;
    const sample = { ms: firstEventMs, account: name };
    if (binding !== undefined) binding.slow = offer.latencies.isSlow(sample) ? binding.slow + 1 : 0;
    offer.latencies.add(sample);
  }

  issued(responseId: string, account: string): void {
    this.#responses.bind(responseId, account);
  }

  holds(responseId: string): boolean {
    return this.#responses.get(responseId) !== undefined;
  }

  /** The account can no longer prove who it is: the session is not to come back to it. */
  unbind(ask: Ask, offer: Offer, live: LiveAccount): void {
    const key = this.#keyFor(ask, offer);
    if (this.#sticky.get(key)?.account === live.account.name) this.#sticky.remove(key);
  }

  /**
   * The session, or the session with this kind of request where the account it is bound to cannot serve the model:
   * the two models of one client (a large one and one for titles) must not drag the session to and fro.
   */
  #keyFor(ask: Ask, offer: Offer): string {
    const { session } = ask;
    const bound = this.#sticky.get(session);
    const live = bound && this.#find(bound.account);
    return live === undefined || offer.byAccount.has(live) ? session : `${session} ${offer.id}`;
  }
}
