// Random answers and conversations of all protocols, for laws that hold for all of them.

import fc from "fast-check";
import type { Json, JsonObject } from "../../src/core/json.ts";

/** Text with what tends to break: escapes, line ends, characters of several bytes, words of the grammar. */
const text: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.constantFrom(
        "\n",
        "\r\n",
        "data: ",
        "[DONE]",
        '"error":',
        '"finish_reason":"stop"',
        "é",
        "😀",
        "\\",
      ),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((pieces) => pieces.join(""))
  .filter((joined) => joined !== "");

const input: fc.Arbitrary<string> = fc
  .dictionary(fc.constantFrom("city", "n", "path"), fc.oneof(text, fc.integer(), fc.constant(1.5)))
  .map((value) => JSON.stringify(value));

interface Call {
  readonly name: string;
  readonly input: string;
  readonly custom: boolean;
}

const call: fc.Arbitrary<Call> = fc.record({
  name: fc.constantFrom("read", "write", "run"),
  input,
  custom: fc.boolean(),
});

interface Said {
  readonly reasoning: string | undefined;
  readonly text: string | undefined;
  readonly calls: readonly Call[];
}

const said: fc.Arbitrary<Said> = fc
  .record({
    reasoning: fc.option(text, { nil: undefined }),
    text: fc.option(text, { nil: undefined }),
    calls: fc.array(call, { maxLength: 3 }),
  })
  .filter((each) => each.text !== undefined || each.calls.length > 0);

const usage = fc.record({ read: fc.nat(50), fresh: fc.nat(50), output: fc.nat(90), reasoning: fc.nat(9) });

function chatCalls(calls: readonly Call[], turn: number): JsonObject[] {
  return calls.map(({ name, input, custom }, at) => {
    const id = `call_${turn}_${at}`;
    return custom
      ? { id, type: "custom", custom: { name, input } }
      : { id, type: "function", function: { name, arguments: input } };
  });
}

export const completion: fc.Arbitrary<JsonObject> = fc
  .record({ said, usage: fc.option(usage, { nil: undefined }), cut: fc.boolean() })
  .map(({ said, usage, cut }) => {
    const calls = chatCalls(said.calls, 0);
    const message = {
      role: "assistant",
      content: said.text ?? null,
      refusal: null,
      ...(said.reasoning === undefined ? {} : { reasoning_content: said.reasoning }),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    };
    const finish = cut ? "length" : calls.length > 0 ? "tool_calls" : "stop";
    const counted = usage && {
      prompt_tokens: usage.fresh + usage.read,
      prompt_tokens_details: { cached_tokens: usage.read, cache_write_tokens: 0 },
      completion_tokens: usage.output,
      completion_tokens_details: { reasoning_tokens: usage.reasoning },
      total_tokens: usage.fresh + usage.read + usage.output,
    };
    return {
      id: "chatcmpl-up1",
      object: "chat.completion",
      created: 1790000000,
      model: "gpt-x",
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
      ...(counted === undefined ? {} : { usage: counted }),
    };
  });

function outputOf(said: Said): JsonObject[] {
  const items: JsonObject[] = [];
  if (said.reasoning !== undefined)
    items.push({ type: "reasoning", summary: [{ type: "summary_text", text: said.reasoning }] });
  if (said.text !== undefined)
    items.push({
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: said.text, annotations: [], logprobs: [] }],
    });
  said.calls.forEach(({ name, input, custom }, at) => {
    const ids = { call_id: `call_${at}`, name, status: "completed" };
    items.push(
      custom
        ? { type: "custom_tool_call", ...ids, input }
        : { type: "function_call", ...ids, arguments: input },
    );
  });
  return items.map((item, at) => ({ id: `item_${at}`, ...item }));
}

export const response: fc.Arbitrary<JsonObject> = fc
  .record({ said, usage: fc.option(usage, { nil: undefined }), cut: fc.boolean() })
  .map(({ said, usage, cut }) => ({
    id: "resp_up1",
    object: "response",
    created_at: 1790000000,
    status: cut ? "incomplete" : "completed",
    error: null,
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    model: "gpt-x",
    output: outputOf(said),
    usage:
      usage === undefined
        ? null
        : {
            input_tokens: usage.fresh + usage.read,
            input_tokens_details: { cached_tokens: usage.read, cache_write_tokens: 0 },
            output_tokens: usage.output,
            output_tokens_details: { reasoning_tokens: usage.reasoning },
            total_tokens: usage.fresh + usage.read + usage.output,
          },
  }));

function contentOf(said: Said, turn: number): JsonObject[] {
  const content: JsonObject[] = [];
  if (said.reasoning !== undefined)
    content.push({ type: "thinking", thinking: said.reasoning, signature: `sig${turn}==` });
  if (said.text !== undefined) content.push({ type: "text", text: said.text });
  said.calls.forEach(({ name, input }, at) =>
    content.push({ type: "tool_use", id: `toolu_${turn}_${at}`, name, input: JSON.parse(input) }),
  );
  return content;
}

export const message: fc.Arbitrary<JsonObject> = fc
  .record({ said, usage, cut: fc.boolean() })
  .map(({ said, usage, cut }) => ({
    id: "msg_up1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: contentOf(said, 0),
    stop_reason: cut ? "max_tokens" : said.calls.length > 0 ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: {
      input_tokens: usage.fresh,
      cache_creation_input_tokens: 3,
      cache_read_input_tokens: usage.read,
      output_tokens: usage.output,
      output_tokens_details: { thinking_tokens: usage.reasoning },
    },
  }));

interface Turn {
  readonly ask: string;
  readonly system: boolean;
  readonly said: Said;
  readonly reversed: boolean;
}

const turns: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({ ask: text, system: fc.boolean(), said, reversed: fc.boolean() }),
  { minLength: 1, maxLength: 5 },
);

/** Conversations as the requests a client makes one after the other: each list begins with the one before. */
export const chatConversation: fc.Arbitrary<Json[][]> = turns.map((list) => {
  const messages: Json[] = [{ role: "system", content: "You help." }];
  return list.map(({ ask, system, said, reversed }, turn) => {
    messages.push({ role: system ? "developer" : "user", content: ask });
    const request = [...messages];
    const calls = chatCalls(said.calls, turn);
    const { reasoning, text: content = null } = said;
    const thought = reasoning === undefined ? {} : { reasoning_content: reasoning };
    messages.push({
      role: "assistant",
      content,
      ...thought,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    });
    const results = calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: `result of ${id}` }));
    messages.push(...(reversed ? results.toReversed() : results));
    return request;
  });
});

export const responsesConversation: fc.Arbitrary<Json[][]> = turns.map((list) => {
  const input: Json[] = [{ role: "developer", content: "You help." }];
  return list.map(({ ask, system, said, reversed }, turn) => {
    input.push({ type: "message", role: system ? "system" : "user", content: ask });
    const request = [...input];
    const output = outputOf(said).map((item) =>
      "call_id" in item ? { ...item, call_id: `${item["call_id"]}_${turn}` } : item,
    );
    input.push(...output);
    const results = output
      .filter((item) => "call_id" in item)
      .map((item) => ({
        type: item["type"] === "function_call" ? "function_call_output" : "custom_tool_call_output",
        call_id: item["call_id"],
        output: `result of ${item["call_id"]}`,
      }));
    input.push(...(reversed ? results.toReversed() : results));
    return request;
  });
});

export const messagesConversation: fc.Arbitrary<Json[][]> = turns.map((list) => {
  const messages: Json[] = [];
  let results: JsonObject[] = [];
  return list.map(({ ask, system, said, reversed }, turn) => {
    messages.push({ role: "user", content: [...results, { type: "text", text: ask }] });
    if (system) messages.push({ role: "system", content: "Be brief." });
    const request = [...messages];
    const content = contentOf(said, turn);
    messages.push({ role: "assistant", content });
    results = content
      .filter((block) => block["type"] === "tool_use")
      .map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: `result of ${String(id)}` }));
    if (reversed) results.reverse();
    return request;
  });
});

/** Where to cut bytes into chunks, as shares of their length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
  maxLength: 12,
});

export function cutAt(bytes: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const ends = [...shares.map((share) => Math.floor(share * bytes.length)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}
