// Counts what the scripted upstream has under way, in all and for each account, and keeps what went wrong with it.
import type { LiveRequest, UpstreamRequest } from "./upstream-request.ts";

export interface Load {
  readonly active: number;
  readonly peak: number;
  readonly requests: readonly UpstreamRequest[];
}

interface Count {
  active: number;
  peak: number;
}

export class Ledger {
  #requests: LiveRequest[] = [];
  #all: Count = { active: 0, peak: 0 };
  readonly #accounts = new Map<string, Count>();
  readonly faults: string[] = [];

  get requests(): readonly UpstreamRequest[] {
    return this.#requests;
  }

  get all(): Readonly<Count> {
    return this.#all;
  }

  account(credential: string): Load {
    const { active, peak } = this.#count(credential);
    return { active, peak, requests: this.#requests.filter((request) => request.credential === credential) };
  }

  begin(request: LiveRequest): void {
    this.#requests.push(request);
    for (const count of [this.#all, this.#count(request.credential ?? "")]) {
      count.active += 1;
      count.peak = Math.max(count.peak, count.active);
    }
  }

  /** Only the first end of a request counts. */
  settle(request: LiveRequest, state: "answered" | "broken" | "abandoned"): void {
    if (request.endedAt !== undefined) return;
    request.state = state;
    request.endedAt = Date.now();
    this.#all.active -= 1;
    this.#count(request.credential ?? "").active -= 1;
  }

  clear(): void {
    this.#requests = this.#requests.filter((request) => request.endedAt === undefined);
    for (const count of [this.#all, ...this.#accounts.values()]) count.peak = count.active;
  }

  /** Waits until nothing is under way; throws with what is left. */
  async idle(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.#all.active > 0 && performance.now() < until) await Bun.sleep(2);
    if (this.#all.active === 0) return;
    const left = this.#requests.filter((request) => request.endedAt === undefined);
    const names = left.slice(0, 5).map((request) => `${request.method} ${request.target} (${request.state})`);
    throw new Error(`upstream still has ${this.#all.active} requests under way: ${names.join(", ")}`);
  }

  #count(credential: string): Count {
    const count = this.#accounts.get(credential) ?? { active: 0, peak: 0 };
    this.#accounts.set(credential, count);
    return count;
  }
}
