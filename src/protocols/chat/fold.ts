// Chunks of a completion collected into the completion they carry.

import { grow } from "../../core/fold.ts";
import type { Draft, Fold } from "../../core/fold.ts";
import { arrayAt, isObject, numberAt, objectAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { growBody, growCall } from "./deltas.ts";

interface Choice {
  readonly rest: Draft;
  readonly message: Draft;
  readonly calls: Map<number, Draft>;
}

export class CompletionFold implements Fold {
  readonly #head: Draft = {};
  readonly #choices = new Map<number, Choice>();
  #failed = false;

  add(chunk: JsonObject): void {
    const { choices: _, ...head } = chunk;
    if (isObject(head["error"]) || typeof head["error"] === "string") this.#failed = true;
    for (const [key, value] of Object.entries(head)) if (value !== null) this.#head[key] = value;
    for (const choice of arrayAt(chunk, "choices") ?? []) if (isObject(choice)) this.#add(choice);
  }

  /** Complete once every choice has its finish reason: what follows is usage and the final marker. */
  answer(): JsonObject | undefined {
    const choices = [...this.#choices].toSorted(([a], [b]) => a - b).map(([, choice]) => choice);
    const finished = choices.every((choice) => typeof choice.rest["finish_reason"] === "string");
    if (this.#failed || choices.length === 0 || !finished) return undefined;
    return { ...this.#head, object: "chat.completion", choices: choices.map(whole) };
  }

  #add(choice: JsonObject): void {
    const index = numberAt(choice, "index") ?? 0;
    let held = this.#choices.get(index);
    if (held === undefined) {
      const message = { role: "assistant", content: null, refusal: null };
      held = { rest: { index, logprobs: null }, message, calls: new Map() };
      this.#choices.set(index, held);
    }
    const { delta: _, index: __, logprobs, ...rest } = choice;
    for (const [key, value] of Object.entries(rest)) if (value !== null) held.rest[key] = value;
    if (isObject(logprobs)) held.rest["logprobs"] = joined(held.rest["logprobs"], logprobs);
    this.#delta(held, objectAt(choice, "delta") ?? {});
  }

  #delta(choice: Choice, delta: JsonObject): void {
    for (const [key, value] of Object.entries(delta)) {
      if (key === "role") choice.message[key] = value ?? "assistant";
      else if (key === "function_call" && isObject(value))
        choice.message[key] = growBody(choice.message[key], value);
      else if (key !== "tool_calls") grow(choice.message, key, value);
    }
    for (const call of arrayAt(delta, "tool_calls") ?? []) {
      if (!isObject(call)) continue;
      const index = numberAt(call, "index") ?? 0;
      const held = choice.calls.get(index) ?? {};
      growCall(held, call);
      choice.calls.set(index, held);
    }
  }
}

/** `{content,refusal}`: lists of tokens that grow. */
function joined(held: Draft[string], piece: JsonObject): JsonObject {
  const lists: Draft = isObject(held) ? { ...held } : {};
  for (const [key, value] of Object.entries(piece)) grow(lists, key, value);
  return lists;
}

function whole(choice: Choice): JsonObject {
  const calls = [...choice.calls].toSorted(([a], [b]) => a - b).map(([, call]) => call);
  const message = { ...choice.message };
  // The first delta's "" only opens the message; beside calls the whole form has null there.
  if (message["content"] === "" && calls.length > 0) message["content"] = null;
  return { ...choice.rest, message: calls.length > 0 ? { ...message, tool_calls: calls } : message };
}
