// Sums of what was used, with what it costs where prices are known.

import type { Usage } from "../core/exchange.ts";
import { costOf } from "./prices.ts";

export const USAGE_KEYS = ["account", "key", "model", "day"] as const;
export type UsageKey = (typeof USAGE_KEYS)[number];

export interface UsageSum {
  readonly of: Readonly<Partial<Record<UsageKey, string>>>;
  readonly model: string;
  readonly requests: number;
  readonly untold: number;
  readonly usage: Usage;
}

/** One line of the table. */
export interface Total {
  readonly of: Readonly<Partial<Record<UsageKey, string>>>;
  readonly requests: number;
  readonly untold: number;
  readonly usage: Usage;
  /** US dollars, of the models whose price is known. */
  readonly known: number;
  /** Models without a price that used tokens. */
  readonly unpriced: readonly string[];
}

/** One for each combination, in the order in which they come. */
export function totalsOf(sums: readonly UsageSum[]): readonly Total[] {
  const groups = Map.groupBy(sums, ({ of }) => JSON.stringify(of));
  return [...groups.values()].map((group) => totalOf(group, group[0]?.of ?? {}));
}

export function totalOf(sums: readonly UsageSum[], of: Total["of"] = {}): Total {
  const total = (pick: (sum: UsageSum) => number): number => sums.reduce((so, sum) => so + pick(sum), 0);
  const costs = sums.map(({ model, usage }) => ({ model, usage, cost: costOf(model, usage) }));
  const unpriced = costs.filter(({ usage, cost }) => cost === undefined && usesAny(usage));
  return {
    of,
    requests: total(({ requests }) => requests),
    untold: total(({ untold }) => untold),
    usage: {
      input: total(({ usage }) => usage.input),
      cacheRead: total(({ usage }) => usage.cacheRead),
      cacheWrite: total(({ usage }) => usage.cacheWrite),
      output: total(({ usage }) => usage.output),
      reasoning: total(({ usage }) => usage.reasoning),
    },
    known: costs.reduce((so, { cost = 0 }) => so + cost, 0),
    unpriced: [...new Set(unpriced.map(({ model }) => model))],
  };
}

function usesAny({ input, cacheRead, cacheWrite, output }: Usage): boolean {
  return input + cacheRead + cacheWrite + output > 0;
}

/** US dollars; undefined where a part of it has no known price. */
export function fullCost({ known, unpriced }: Total): number | undefined {
  return unpriced.length === 0 ? known : undefined;
}
