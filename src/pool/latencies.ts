// How long accounts take to the first event, to tell an account that is slow from a model that is.

const KEPT = 256;
const NEEDED = 20;
const FACTOR = 3;
const MAX_ABOVE = 0.05;

interface Sample {
  readonly ms: number;
  readonly account: string;
}

export class Latencies {
  readonly #samples: Sample[] = [];
  #next = 0;

  add(sample: Sample): void {
    this.#samples[this.#next] = sample;
    this.#next = (this.#next + 1) % KEPT;
  }

  /**
   * Whether `ms` is more than three times what 95 of 100 first events of the other accounts stayed under. The
   * account's own samples are left out, or a slow one of two would be its own measure.
   */
  isSlow({ ms, account }: Sample): boolean {
    let others = 0;
    let above = 0;
    for (const sample of this.#samples) {
      if (sample.account === account) continue;
      others += 1;
      if (sample.ms * FACTOR >= ms) above += 1;
      // The common case, seen early: too many others took about as long.
      if (above > MAX_ABOVE * KEPT) return false;
    }
    return others >= NEEDED && above <= MAX_ABOVE * others;
  }
}
