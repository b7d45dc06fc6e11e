// What a simulated world is: it lives once, from a seed, and throws the rule it breaks.

export interface World {
  live(): Promise<void>;
  /** Events so far. */
  readonly steps: number;
}

/** Cheaper than `expect`, which would be asked millions of times. */
export function must(isTrue: boolean, rule: string): void {
  if (!isTrue) throw new Error(rule);
}
