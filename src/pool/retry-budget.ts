// Retries of passing failures are a tax on an upstream that is already in trouble, so each origin has a budget:
// a fifth of the requests that were sent to it lately, and never more than half of it for one key.

import { LRUCache } from "lru-cache";
import { Tally } from "./tally.ts";

const SPAN_MS = 10_000;
const BUCKETS = 10;
const SHARE = 0.2;
const FLOOR_PER_SECOND = 3;
const KEY_SHARE = 0.5;
const MAX_ORIGINS = 500;
const MAX_KEYS = 200;

interface Spending {
  /** Requests and retries. */
  readonly all: Tally;
  readonly keys: LRUCache<string, Tally>;
}

export class RetryBudget {
  readonly #origins = new LRUCache<string, Spending>({ max: MAX_ORIGINS });

  /** A request's first attempt goes to this origin. */
  request(origin: string, key: string, now: number): void {
    const spending = this.#spending(origin);
    spending.all.add(now, 1, 0);
    keyTally(spending, key).add(now, 1, 0);
  }

  /** Takes one retry; false when the origin's budget or this key's part of it is used up. */
  take(origin: string, key: string, now: number): boolean {
    const spending = this.#spending(origin);
    const { first: requests, second: retries } = spending.all.sums(now);
    const budget = Math.max(SHARE * requests, (FLOOR_PER_SECOND * SPAN_MS) / 1_000);
    if (retries + 1 > budget) return false;
    const own = keyTally(spending, key);
    if (own.sums(now).second + 1 > budget * KEY_SHARE && others(spending, own, now)) return false;
    spending.all.add(now, 0, 1);
    own.add(now, 0, 1);
    return true;
  }

  #spending(origin: string): Spending {
    let spending = this.#origins.get(origin);
    if (spending === undefined) {
      spending = { all: new Tally(SPAN_MS, BUCKETS), keys: new LRUCache({ max: MAX_KEYS }) };
      this.#origins.set(origin, spending);
    }
    return spending;
  }
}

function keyTally(spending: Spending, key: string): Tally {
  let tally = spending.keys.get(key);
  if (tally === undefined) {
    tally = new Tally(SPAN_MS, BUCKETS);
    spending.keys.set(key, tally);
  }
  return tally;
}

/** Whether any other key has used this origin lately. */
function others(spending: Spending, own: Tally, now: number): boolean {
  for (const tally of spending.keys.values()) {
    if (tally !== own && tally.sums(now).first > 0) return true;
  }
  return false;
}
