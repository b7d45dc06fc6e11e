// Token arithmetic between disjoint buckets and formats whose input total includes the cached part.

import type { Usage } from "./exchange.ts";
import { numberAt, objectAt } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** The member names of a format that counts cached tokens into its input total. */
export interface UsageNames {
  readonly input: string;
  readonly inputDetails: string;
  readonly output: string;
  readonly outputDetails: string;
}

/** Only counts that were given; null and missing ones stay away. */
export function givenCounts(counts: { readonly [K in keyof Usage]: number | undefined }): Partial<Usage> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== undefined));
}

/** The buckets of a usage object whose input includes cache reads and writes; undefined when it has no counts. */
export function readTotals(usage: JsonObject | undefined, names: UsageNames): Partial<Usage> | undefined {
  if (usage === undefined) return undefined;
  const total = numberAt(usage, names.input);
  const output = numberAt(usage, names.output);
  if (total === undefined && output === undefined) return undefined;
  const details = objectAt(usage, names.inputDetails);
  const cacheRead = numberAt(details, "cached_tokens") ?? 0;
  const cacheWrite = numberAt(details, "cache_write_tokens") ?? 0;
  return givenCounts({
    input: total === undefined ? undefined : Math.max(0, total - cacheRead - cacheWrite),
    cacheRead,
    cacheWrite,
    output,
    reasoning: numberAt(objectAt(usage, names.outputDetails), "reasoning_tokens"),
  });
}

/** The usage object of such a format. Details are always there, as integers: strict clients fail without. */
export function writeTotals(usage: Usage, names: UsageNames): JsonObject {
  const total = usage.input + usage.cacheRead + usage.cacheWrite;
  return {
    [names.input]: total,
    [names.inputDetails]: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite },
    [names.output]: usage.output,
    [names.outputDetails]: { reasoning_tokens: usage.reasoning },
    total_tokens: total + usage.output,
  };
}

/** All buckets, with 0 for what was not told. */
export function wholeUsage(usage: Partial<Usage>): Usage {
  return { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, ...usage };
}
