// A whole completion as the chunks that would have carried it, without the final marker.

import { arrayAt, isObject, objectAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";

export function unfoldEvents(completion: JsonObject): JsonObject[] {
  const { choices, usage, ...rest } = completion;
  const head = { ...rest, object: "chat.completion.chunk" };
  const chunks = (Array.isArray(choices) ? choices : [])
    .filter(isObject)
    .flatMap((choice, at) => unfoldChoice(choice, at))
    .map((choice): JsonObject => ({ ...head, choices: [choice] }));
  const last = chunks.pop() ?? { ...head, choices: [] };
  // With the last chunk rather than behind it: a chunk without choices is only for clients that asked.
  return [...chunks, isObject(usage) ? { ...last, usage } : last];
}

function unfoldChoice(choice: JsonObject, at: number): JsonObject[] {
  const { message: _, finish_reason, logprobs, ...rest } = choice;
  const message = objectAt(choice, "message") ?? {};
  const { role, content, refusal, tool_calls: __, ...others } = message;
  const deltas: JsonObject[] = [{ role: role ?? "assistant", content: "" }];
  const shown = Object.entries(others).filter(([, value]) => value !== null);
  if (shown.length > 0) deltas.push(Object.fromEntries(shown));
  if (isFilled(content)) deltas.push({ content });
  if (isFilled(refusal)) deltas.push({ refusal });
  (arrayAt(message, "tool_calls") ?? []).forEach((call, index) => {
    if (isObject(call)) deltas.push({ tool_calls: [{ index, ...call }] });
  });
  const speaking = deltas.length > 1 ? 1 : 0;
  return [
    ...deltas.map((delta, i) => ({
      index: at,
      ...rest,
      delta,
      logprobs: i === speaking ? logprobs : null,
      finish_reason: null,
    })),
    { index: at, ...rest, delta: {}, logprobs: null, finish_reason },
  ];
}

function isFilled(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== "";
}
