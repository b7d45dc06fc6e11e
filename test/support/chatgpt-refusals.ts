// What the ChatGPT backend does not take, in the forms in which it says so. Each rule was met by a client of it.

import { isObject, pick, pickList, pickText, type JsonObject } from "./json-pick.ts";

export interface Refusal {
  readonly status: number;
  readonly body: JsonObject;
}

/** Refused over HTTP wherever they stand at the top of the body, whatever their value. */
export const UNSUPPORTED_PARAMETERS = [
  "background",
  "context_management",
  "frequency_penalty",
  "max_completion_tokens",
  "max_output_tokens",
  "max_tokens",
  "metadata",
  "presence_penalty",
  "previous_response_id",
  "prompt_cache_breakpoint",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "seed",
  "stream_options",
  "temperature",
  "top_logprobs",
  "top_p",
  "truncation",
  "user",
] as const;

export interface Rules {
  /** The slugs it takes. */
  readonly models: readonly string[];
  /**
   * Refuses missing instructions and items with ids of their own. Reports say so, but the newest Codex sends both; who
   * satisfies these rules is safe either way.
   */
  readonly strict: boolean;
}

export function detail(text: string, status = 400): Refusal {
  return { status, body: { detail: text } };
}

/** The form of a value that has the wrong type or is not there. */
function invalid(kind: "missing" | "list_type", field: string, words: string): Refusal {
  return { status: 400, body: { detail: [{ type: kind, loc: ["body", field], msg: words, input: null }] } };
}

function coded(status: number, code: string | null, param: string, message: string): Refusal {
  return { status, body: { error: { message, type: "invalid_request_error", param, code } } };
}

/** The first thing wrong with a request, in the order in which the rules stand here. */
export function refusalOf(body: unknown, rules: Rules): Refusal | undefined {
  if (!isObject(body)) return invalid("missing", "body", "Input should be an object");
  return refusedFields(body, rules) ?? refusedInput(body, rules) ?? refusedTools(body);
}

function refusedFields(body: JsonObject, { models, strict }: Rules): Refusal | undefined {
  for (const name of UNSUPPORTED_PARAMETERS)
    if (name in body) return detail(`Unsupported parameter: ${name}`);
  if (holds(body, "prompt_cache_breakpoint")) return detail("Unsupported parameter: prompt_cache_breakpoint");
  if (body["stream"] !== true) return detail("Stream must be set to true");
  if (body["store"] !== false) return detail("Store must be set to false");
  const { model, instructions, service_tier: tier } = body;
  if (typeof model !== "string" || !models.includes(model))
    return detail(`The model ${String(model)} is not supported with this account`);
  const missing = instructions === undefined && !strict;
  if (!missing && (typeof instructions !== "string" || instructions === ""))
    return detail("Instructions are required");
  if (tier !== undefined && tier !== "priority") return detail(`Unsupported service_tier: ${String(tier)}`);
  if (pick(body, "reasoning", "effort") === "minimal")
    return coded(400, "unsupported_value", "reasoning.effort", "minimal is not supported with this model");
  return undefined;
}

function refusedInput(body: JsonObject, { strict }: Rules): Refusal | undefined {
  if (body["input"] === undefined) return invalid("missing", "input", "Field required");
  if (!Array.isArray(body["input"])) return invalid("list_type", "input", "Input should be a valid list");
  for (const item of pickList(body, "input")) {
    if (pickText(item, "role") === "system") return detail("System messages are not allowed");
    const id = pickText(item, "id");
    const own = strict && id !== undefined && /^(rs|msg|fc)_/.test(id);
    if (own || pickText(item, "type") === "item_reference")
      return coded(
        404,
        null,
        "input",
        `Item ${String(id)} was not found: nothing is stored with store set to false`,
      );
  }
  return undefined;
}

function refusedTools(body: JsonObject): Refusal | undefined {
  for (const tool of pickList(body, "tools")) {
    const type = pickText(tool, "type") ?? "";
    if (type.startsWith("web_search_preview")) return detail(`Unsupported tool type: ${type}`);
  }
  return undefined;
}

function holds(value: unknown, key: string): boolean {
  if (Array.isArray(value)) return value.some((each) => holds(each, key));
  return isObject(value) && (key in value || Object.values(value).some((each) => holds(each, key)));
}
