// Who is in the pool: the accounts by name, the routes they share, and who may serve which kind of request.

import { LRUCache } from "lru-cache";
import type { Account } from "../core/account.ts";
import { Health } from "./health.ts";
import { isUsable, LiveAccount, type Route } from "./live-account.ts";
import { type Kind, makeOffer, type Offer } from "./offer.ts";

/** Clients can make up model names, so offers are bounded: by number, and by their entries for large pools. */
const MAX_OFFERS = 512;
const MAX_ENTRIES = 100_000;

export class Roster {
  /** With those that drain. */
  readonly #accounts = new Map<string, LiveAccount>();
  readonly #routes = new Map<string, Route>();
  readonly #offers = new LRUCache<string, Offer>({
    max: MAX_OFFERS,
    maxSize: MAX_ENTRIES,
    sizeCalculation: (offer) => 1 + offer.byAccount.size,
  });

  /** In the order of the configuration, without those that drain. */
  accounts(): readonly LiveAccount[] {
    return [...this.#accounts.values()].filter((live) => !live.isRemoved);
  }

  /** The account of that name, if it is configured to serve. */
  find(name: string): LiveAccount | undefined {
    const live = this.#accounts.get(name);
    return live !== undefined && !live.isRemoved && isUsable(live.account) ? live : undefined;
  }

  /** The account of that name, if the configuration has one. */
  get(name: string): LiveAccount | undefined {
    const live = this.#accounts.get(name);
    return live?.isRemoved === true ? undefined : live;
  }

  offer(kind: Kind): Offer {
    let offer = this.#offers.get(kind.id);
    if (offer === undefined) {
      offer = makeOffer(kind, this.accounts());
      this.#offers.set(kind.id, offer);
    }
    return offer;
  }

  /** Who may serve what has changed. */
  forgetOffers(): void {
    this.#offers.clear();
  }

  /** Takes a configuration over. Returns the accounts whose credential has changed. */
  load(accounts: readonly Account[]): readonly LiveAccount[] {
    const renewed: LiveAccount[] = [];
    const before = new Map(this.#accounts);
    this.#accounts.clear();
    for (const account of accounts) {
      const known = before.get(account.name);
      before.delete(account.name);
      if (known !== undefined && !sameCredential(known.account, account)) renewed.push(known);
      this.#accounts.set(account.name, this.#placed(known, account));
    }
    for (const [name, live] of before) {
      live.isRemoved = true;
      this.#accounts.set(name, live);
      this.drop(live);
    }
    this.#offers.clear();
    return renewed;
  }

  /** Forgets an account that the configuration no longer names, once nothing runs on it. */
  drop(live: LiveAccount): void {
    if (!live.isRemoved || live.active > 0) return;
    this.#accounts.delete(live.account.name);
    live.stopWatch?.();
    this.#unroute(live);
  }

  /**
   * Whether these may be ejected: never more than half of a platform's accounts, nor the last one. (With a single
   * account half is none.)
   */
  mayEject(those: ReadonlySet<LiveAccount>): boolean {
    const platforms = new Set([...those].map((live) => live.account.platform));
    for (const platform of platforms) {
      let all = 0;
      let ejected = 0;
      for (const live of this.#accounts.values()) {
        if (live.isRemoved || live.account.platform !== platform || !isUsable(live.account)) continue;
        all += 1;
        if (those.has(live) || live.isEjected) ejected += 1;
      }
      if (ejected * 2 > all) return false;
    }
    return true;
  }

  #route(account: Account): Route {
    const name = routeName(account);
    let route = this.#routes.get(name);
    if (route === undefined) {
      route = { name, health: new Health(), accounts: new Set() };
      this.#routes.set(name, route);
    }
    return route;
  }

  /** The live account with this configuration, on its route. */
  #placed(known: LiveAccount | undefined, account: Account): LiveAccount {
    const route = this.#route(account);
    const live = known ?? new LiveAccount(account, route);
    live.configure(account);
    if (live.route !== route) this.#unroute(live);
    live.route = route;
    route.accounts.add(live);
    return live;
  }

  #unroute(live: LiveAccount): void {
    live.route.accounts.delete(live);
    if (live.route.accounts.size === 0) this.#routes.delete(live.route.name);
  }
}

/** An account's own proxy is part of its way: where it is down, others at the same origin are not. */
function routeName(account: Account): string {
  return account.proxy === undefined ? account.origin : `${account.origin} via ${account.proxy}`;
}

export function sameCredential(a: Account, b: Account): boolean {
  return markOf(a) === markOf(b);
}

function markOf({ credential }: Account): string | number | undefined {
  return credential?.kind === "login" ? credential.generation : credential?.secret;
}
