// The cooldowns of one account: at most one of each kind for the whole account and for each model.

import type { CoolKind, Cooldown } from "./cooldown.ts";

/** Clients of an account that takes any model can make up names, so what is remembered of models is bounded. */
const MAX_ENTRIES = 64;

export class Cooldowns {
  readonly #entries = new Map<string, Cooldown>();

  get size(): number {
    return this.#entries.size;
  }

  get(kind: CoolKind, model: string): Cooldown | undefined {
    return this.#entries.get(keyOf(kind, model));
  }

  all(): readonly Cooldown[] {
    return [...this.#entries.values()];
  }

  /** Returns those it had to forget for want of room. */
  set(cooldown: Cooldown): readonly Cooldown[] {
    const key = keyOf(cooldown.kind, cooldown.model);
    this.#entries.delete(key);
    this.#entries.set(key, cooldown);
    return this.#entries.size > MAX_ENTRIES ? this.#forgetOldest() : [];
  }

  /** Removes those that the test names and returns them. */
  remove(test: (cooldown: Cooldown) => boolean): readonly Cooldown[] {
    const removed: Cooldown[] = [];
    for (const [key, cooldown] of this.#entries) {
      if (!test(cooldown)) continue;
      this.#entries.delete(key);
      removed.push(cooldown);
    }
    return removed;
  }

  /** Those that hold a request for this model back. */
  *of(model: string): Generator<Cooldown, void> {
    for (const cooldown of this.#entries.values()) if (concerns(cooldown, model)) yield cooldown;
  }

  /** From when a request for this model may probe; undefined when nothing holds it back. */
  probeAt(model: string): number | undefined {
    let latest: number | undefined;
    for (const cooldown of this.#entries.values()) {
      if (!concerns(cooldown, model)) continue;
      if (latest === undefined || cooldown.probeAt > latest) latest = cooldown.probeAt;
    }
    return latest;
  }

  /** The next moment at which any of them allows a probe. */
  nextAfter(now: number): number | undefined {
    let next: number | undefined;
    for (const { probeAt } of this.#entries.values()) {
      if (probeAt > now && (next === undefined || probeAt < next)) next = probeAt;
    }
    return next;
  }

  #forgetOldest(): readonly Cooldown[] {
    for (const [key, cooldown] of this.#entries) {
      if (cooldown.model === "") continue;
      this.#entries.delete(key);
      return [cooldown];
    }
    return [];
  }
}

function concerns(cooldown: Cooldown, model: string): boolean {
  return cooldown.model === "" || cooldown.model === model;
}

function keyOf(kind: CoolKind, model: string): string {
  return `${kind} ${model}`;
}
