// An overloaded service (529) is no account's fault: several accounts hearing it at once means that the origin
// wants less from all of us for a while.

const STRIKES = 3;
const SPAN_MS = 10_000;
const ACCOUNTS = 2;
const LASTS_MS = 30_000;
const MAX_KEPT = 32;

export class BrownOut {
  #heard: { readonly at: number; readonly account: string }[] = [];
  #until = Number.NEGATIVE_INFINITY;

  /** True when a brown-out begins now. */
  overloaded(now: number, account: string): boolean {
    if (now < this.#until) return false;
    this.#heard = this.#heard.filter((each) => now - each.at < SPAN_MS).slice(1 - MAX_KEPT);
    this.#heard.push({ at: now, account });
    const accounts = new Set(this.#heard.map((each) => each.account));
    if (this.#heard.length < STRIKES || accounts.size < ACCOUNTS) return false;
    this.#heard = [];
    this.#until = now + LASTS_MS;
    return true;
  }

  /** Whether a success may widen an account's limit again. */
  over(now: number): boolean {
    return now >= this.#until;
  }
}
