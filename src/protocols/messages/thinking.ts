// Thinking as this protocol asks for it, and effort as the others do.

import type { Prompt, ReasoningWish } from "../../core/hub.ts";
import { numberAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import type { ModelTraits } from "./models.ts";

/** The API's least. */
const MIN_BUDGET = 1024;

/** Thinking tokens for an effort, for models that count them; a budget up to this is that effort. */
const BUDGETS: readonly (readonly [effort: string, upTo: number, budget: number])[] = [
  ["minimal", 512, MIN_BUDGET],
  ["low", 1024, MIN_BUDGET],
  ["medium", 8192, 8192],
  ["high", 24_576, 24_576],
  ["xhigh", Number.POSITIVE_INFINITY, 32_768],
];
/** Of all that the model can put out, for `max`. */
const MAX_SHARE = 0.95;

/**
 * `thinking` and `output_config.effort` as a wish.
 * @param carries whether the client has shown that it sends thinking back
 */
export function decodeThinking(
  thinking: JsonObject | undefined,
  effort: string | undefined,
  carries: boolean,
): ReasoningWish {
  const type = stringAt(thinking, "type");
  const budget = type === "enabled" ? numberAt(thinking, "budget_tokens") : undefined;
  const on = type !== undefined && type !== "disabled";
  return {
    effort: wishedEffort(type, effort, budget),
    budget,
    summary: SUMMARIES[stringAt(thinking, "display") ?? ""],
    sealed: on || carries,
  };
}

const SUMMARIES: Readonly<Record<string, string | undefined>> = { summarized: "auto", omitted: "none" };

/** Adaptive thinking without an effort is left to the model, as here. */
function wishedEffort(
  type: string | undefined,
  effort: string | undefined,
  budget: number | undefined,
): string | undefined {
  if (type === "disabled") return "none";
  if (effort !== undefined) return effort;
  if (type === "between_tools") return "low";
  return budget === undefined ? undefined : BUDGETS.find(([, upTo]) => budget <= upTo)?.[0];
}

/** Whether the client is shown what the model thinks. */
export function wantsThinking({ request }: Prompt): boolean {
  const type = stringAt(request["thinking"], "type");
  return type !== undefined && type !== "disabled";
}

export interface ThinkingFields {
  readonly thinking: JsonObject | undefined;
  readonly effort: string | undefined;
}

/** What stands around the wish in the request to send. */
export interface ThinkingPlace {
  readonly traits: ModelTraits;
  readonly maxTokens: number;
  /** Whether a tool is forced, which excludes thinking. */
  readonly forced: boolean;
  /** Whether the turn under way began without thinking; models that take budgets cannot begin in the middle. */
  readonly bare: boolean;
}

const NOTHING: ThinkingFields = { thinking: undefined, effort: undefined };

/** The wish, as far as the model and the rest of the request allow: to think less is not to answer otherwise. */
export function encodeThinking(prompt: Prompt, place: ThinkingPlace): ThinkingFields {
  const { reasoning } = prompt;
  const { traits, forced } = place;
  if (traits.thinking === "none") return NOTHING;
  const byBudget =
    traits.thinking === "budget" || (traits.thinking === "both" && reasoning.budget !== undefined);
  if (forced || reasoning.effort === "none") return withoutThinking(traits, forced);
  return byBudget ? encodeBudget(reasoning, place) : encodeEffort(prompt, traits);
}

/** Models that think by budget do so only when asked; the others may begin by themselves. */
function withoutThinking({ thinking, off }: ModelTraits, forced: boolean): ThinkingFields {
  if (thinking === "budget") return NOTHING;
  if (off === undefined) return forced ? NOTHING : { thinking: undefined, effort: "low" };
  return { thinking: { type: off }, effort: undefined };
}

function encodeBudget({ effort, budget }: ReasoningWish, place: ThinkingPlace): ThinkingFields {
  const { traits, maxTokens, bare } = place;
  const most = traits.maxOutput ?? maxTokens;
  const known = BUDGETS.find(([name]) => name === effort)?.[2];
  const wanted = budget ?? (effort === "max" ? Math.floor(most * MAX_SHARE) : known);
  if (wanted === undefined || bare || maxTokens <= MIN_BUDGET) return NOTHING;
  const budget_tokens = Math.max(MIN_BUDGET, Math.min(wanted, maxTokens - 1));
  return { thinking: { type: "enabled", budget_tokens }, effort: undefined };
}

function encodeEffort({ protocol, reasoning }: Prompt, { highest }: ModelTraits): ThinkingFields {
  const { effort, summary } = reasoning;
  if (effort === undefined && (summary === undefined || summary === "none")) return NOTHING;
  // The default differs by model. Chat clients show what they are given; others say whether they want it.
  const shown = summary === undefined ? protocol === "chat" : summary !== "none";
  const display = shown ? "summarized" : "omitted";
  return { thinking: { type: "adaptive", display }, effort: effort && nearestEffort(effort, highest) };
}

function nearestEffort(effort: string, highest: readonly string[]): string {
  if (effort === "minimal") return "low";
  if (effort !== "xhigh" && effort !== "max") return effort;
  if (highest.includes(effort)) return effort;
  return highest.includes("max") ? "max" : "high";
}
