// Token counts as OpenAI's protocols tell them: totals, with what is within them apart.
import { pick, type JsonObject } from "../support/json-pick.ts";

export function totals(input: string, output: string): JsonObject {
  return {
    [input]: 125,
    [`${input}_details`]: { cached_tokens: 100, cache_write_tokens: 5 },
    [output]: 60,
    [`${output}_details`]: { reasoning_tokens: 32 },
    total_tokens: 185,
  };
}

export function readTotals(counted: unknown, input: string, output: string): string {
  const at = (...path: readonly string[]): number => Number(pick(counted, ...path));
  const read = at(`${input}_details`, "cached_tokens");
  const written = at(`${input}_details`, "cache_write_tokens");
  if (at("total_tokens") !== at(input) + at(output)) return `the total is ${at("total_tokens")}`;
  const fresh = at(input) - read - written;
  return `${fresh}+${read}+${written} ${at(output)}/${at(`${output}_details`, "reasoning_tokens")}`;
}
