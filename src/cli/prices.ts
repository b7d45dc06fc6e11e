// What tokens cost at list prices. An estimate: providers change prices, and plans, tiers, batches, long contexts and
// caches kept for longer than usual are billed otherwise. A model that is not here has no price, which is said.

import type { Usage } from "../core/exchange.ts";

/** When these were looked up, at platform.claude.com/docs/en/about-claude/pricing and developers.openai.com/api/docs/pricing, or what quotes them. */
export const PRICES_OF = "2026-11-23";

/** US dollars a million tokens. */
interface Price {
  readonly input: number;
  readonly cacheRead: number;
  /** Undefined: unknown, so that who wrote into a cache is shown no cost. */
  readonly cacheWrite?: number;
  readonly output: number;
}

function price(input: number, cacheRead: number, output: number, cacheWrite?: number): Price {
  return { input, cacheRead, output, ...(cacheWrite === undefined ? {} : { cacheWrite }) };
}

const OPUS_5 = price(5, 0.5, 25, 6.25);
const OPUS_4 = price(15, 1.5, 75, 18.75);
const SONNET_4 = price(3, 0.3, 15, 3.75);
const GPT_5 = price(1.25, 0.125, 10);
const GPT_5_2 = price(1.75, 0.175, 14);

/** By name without a date. Models whose price hangs on the length of the prompt (Claude Haiku 5.5) are left out. */
const PRICES: Readonly<Record<string, Price>> = {
  "claude-fable-5-1": price(10, 0.25, 50, 12.5),
  "claude-fable-5": price(10, 1, 50, 12.5),
  "claude-opus-5-5": price(4, 0.2, 20, 5),
  "claude-opus-5": OPUS_5,
  "claude-opus-4-8": OPUS_5,
  "claude-opus-4-7": OPUS_5,
  "claude-opus-4-6": OPUS_5,
  "claude-opus-4-5": OPUS_5,
  "claude-opus-4-1": OPUS_4,
  "claude-opus-4": OPUS_4,
  "claude-sonnet-5-5": price(2, 0.1, 10, 2.5),
  "claude-sonnet-5": price(2, 0.2, 10, 2.5),
  "claude-sonnet-4-6": SONNET_4,
  "claude-sonnet-4-5": SONNET_4,
  "claude-sonnet-4": SONNET_4,
  "claude-haiku-4-5": price(1, 0.1, 5, 1.25),
  "claude-3-5-haiku": price(0.8, 0.08, 4, 1),
  "gpt-6.1-terra": price(1, 0.05, 5, 1.25),
  "gpt-6-astra": price(10, 1, 50),
  "gpt-6-sol": price(2, 0.2, 10, 2.5),
  "gpt-6-luna": price(0.1, 0.01, 0.5, 0.125),
  "gpt-5.6-terra": price(2, 0.2, 12),
  "gpt-5.6-luna": price(0.2, 0.02, 1.2),
  "gpt-5.5": price(5, 0.5, 30),
  "gpt-5.4": price(2.5, 0.25, 15),
  "gpt-5.4-mini": price(0.75, 0.075, 4.5),
  "gpt-5.3-codex": GPT_5_2,
  "gpt-5.2": GPT_5_2,
  "gpt-5.1": GPT_5,
  "gpt-5.1-codex": GPT_5,
  "gpt-5": GPT_5,
  "gpt-5-codex": GPT_5,
  "gpt-5-mini": price(0.25, 0.025, 2),
  "gpt-5-nano": price(0.05, 0.005, 0.4),
  "gpt-4.1": price(2, 0.5, 8),
  "gpt-4.1-mini": price(0.4, 0.1, 1.6),
  "gpt-4o": price(2.5, 1.25, 10),
  "gpt-4o-mini": price(0.15, 0.075, 0.6),
};

/** US dollars; undefined when no price is known for what was used. */
export function costOf(model: string, usage: Usage): number | undefined {
  const name = model.replace(/-(20\d{6}|20\d\d-\d\d-\d\d|latest)$/, "");
  const found = Object.hasOwn(PRICES, name) ? PRICES[name] : undefined;
  if (found === undefined) return undefined;
  if (usage.cacheWrite > 0 && found.cacheWrite === undefined) return undefined;
  const { input, cacheRead, cacheWrite, output } = usage;
  const millionths =
    input * found.input +
    cacheRead * found.cacheRead +
    cacheWrite * (found.cacheWrite ?? 0) +
    output * found.output;
  return millionths / 1_000_000;
}
