// A whole response as the stream that would have carried it.

import { arrayAt, isObject, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { GROWTHS, Grammar } from "./grammar.ts";
import type { GrowthName } from "./grammar.ts";

/** Terminal event by status; a response still at work has none. */
const TERMINALS: Readonly<Record<string, string | undefined>> = {
  completed: "response.completed",
  incomplete: "response.incomplete",
  failed: "response.failed",
  cancelled: "response.failed",
  in_progress: undefined,
  queued: undefined,
};

export function unfoldEvents(response: JsonObject): JsonObject[] {
  const grammar = new Grammar();
  const begun = {
    ...response,
    status: "in_progress",
    output: [],
    usage: null,
    error: null,
    incomplete_details: null,
  };
  grammar.emit("response.created", { response: begun });
  grammar.emit("response.in_progress", { response: begun });
  for (const item of arrayAt(response, "output") ?? []) if (isObject(item)) unfoldItem(grammar, item);
  const terminal = TERMINALS[stringAt(response, "status") ?? "completed"];
  if (terminal !== undefined) grammar.emit(terminal, { response });
  return grammar.take();
}

function unfoldItem(grammar: Grammar, item: JsonObject): void {
  switch (item["type"]) {
    case "message":
      grammar.openItem({ ...item, status: "in_progress", content: [] });
      unfoldParts(grammar, item["content"], contentGrowth);
      break;
    case "reasoning": {
      const begun = { ...item, summary: [] };
      grammar.openItem(Array.isArray(item["content"]) ? { ...begun, content: [] } : begun);
      unfoldParts(grammar, item["summary"], () => "summary");
      unfoldParts(grammar, item["content"], contentGrowth);
      break;
    }
    case "function_call":
      unfoldCall(grammar, item, "arguments");
      break;
    case "custom_tool_call":
      unfoldCall(grammar, item, "input");
      break;
    default:
      grammar.openItem(item);
  }
  grammar.closeItem(item);
}

function unfoldCall(grammar: Grammar, item: JsonObject, name: "arguments" | "input"): void {
  grammar.openItem({ ...item, status: "in_progress", [name]: "" });
  // A call may come without an item id; then nothing but the whole item can be told.
  if (stringAt(item, "id") === undefined) return;
  const text = stringAt(item, name) ?? "";
  grammar.delta(name, text);
  grammar.closePart(name, text, item);
}

function contentGrowth(part: JsonObject): GrowthName {
  if (part["type"] === "refusal") return "refusal";
  return part["type"] === "reasoning_text" ? "reasoning" : "text";
}

function unfoldParts(
  grammar: Grammar,
  parts: Json | undefined,
  growthOf: (part: JsonObject) => GrowthName,
): void {
  for (const part of Array.isArray(parts) ? parts : []) {
    if (!isObject(part)) continue;
    const name = growthOf(part);
    const { whole } = GROWTHS[name];
    const text = stringAt(part, whole) ?? "";
    const annotations = arrayAt(part, "annotations");
    const logprobs = arrayAt(part, "logprobs");
    const begun = annotations === undefined ? part : { ...part, annotations: [] };
    grammar.openPart(name, { ...begun, [whole]: "" });
    grammar.delta(name, text, logprobs === undefined ? {} : { logprobs });
    annotations?.forEach((annotation, index) => {
      if (isObject(annotation)) grammar.annotation(annotation, index);
    });
    grammar.closePart(name, text, part);
  }
}
