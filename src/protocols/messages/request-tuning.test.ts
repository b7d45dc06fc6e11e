// What a Messages request says besides its conversation and tools.

import { describe, expect, test } from "bun:test";
import type { Item, Prompt } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { lostWishes, type Fields } from "../../core/fields.ts";
import { MESSAGES_WRITES } from "./fields.ts";
import { call, encode, model, refusal, result, samplePrompt, thought, tool, user } from "./test-prompt.ts";

describe("thinking", () => {
  const reasoning = (effort: string | undefined, summary?: string, budget?: number): Partial<Prompt> => ({
    reasoning: { effort, budget, summary, sealed: false },
  });

  test.each<[string, string, number | undefined, JsonObject | undefined, string | undefined]>([
    ["high", "claude-opus-5", undefined, { type: "adaptive", display: "summarized" }, "high"],
    ["minimal", "claude-opus-5", undefined, { type: "adaptive", display: "summarized" }, "low"],
    ["xhigh", "claude-opus-4-6", undefined, { type: "adaptive", display: "summarized" }, "max"],
    ["xhigh", "claude-opus-5-5", undefined, { type: "adaptive", display: "summarized" }, "xhigh"],
    ["none", "claude-opus-5", undefined, { type: "disabled" }, undefined],
    ["none", "claude-sonnet-5-5", undefined, { type: "between_tools" }, undefined],
    ["none", "claude-opus-5-5", undefined, undefined, "low"],
    ["none", "claude-haiku-4-5", undefined, undefined, undefined],
    ["medium", "claude-haiku-4-5", undefined, { type: "enabled", budget_tokens: 8192 }, undefined],
    ["high", "claude-haiku-4-5", 2000, { type: "enabled", budget_tokens: 1999 }, undefined],
    ["high", "claude-haiku-4-5", 1000, undefined, undefined],
    ["max", "claude-haiku-4-5", undefined, { type: "enabled", budget_tokens: 60_800 }, undefined],
    ["high", "claude-3-5-haiku-latest", undefined, undefined, undefined],
  ])("effort %s for %s with %p tokens", (...[effort, name, maxOutput, thinking, sent]) => {
    const body = encode({ ...reasoning(effort), maxOutput }, name);
    expect(body["thinking"]).toEqual(thinking);
    expect(body["output_config"]).toEqual(sent === undefined ? undefined : { effort: sent });
  });

  test("a budget that was given is kept where budgets are known", () => {
    const wish = reasoning("medium", undefined, 5000);
    expect(encode(wish, "claude-opus-4-8")["thinking"]).toEqual({ type: "enabled", budget_tokens: 5000 });
    expect(encode(wish, "claude-opus-5-5")["output_config"]).toEqual({ effort: "medium" });
  });

  test("what is not asked for is left to the model; what is not to be shown is not", () => {
    expect(encode(reasoning(undefined), "claude-opus-5")["thinking"]).toBeUndefined();
    const silent = encode({ ...reasoning("low"), protocol: "responses" }, "claude-opus-5");
    expect(silent["thinking"]).toEqual({ type: "adaptive", display: "omitted" });
    const shown = encode({ ...reasoning(undefined, "auto"), protocol: "responses" }, "claude-opus-5");
    expect(shown["thinking"]).toEqual({ type: "adaptive", display: "summarized" });
  });

  test("a forced tool goes before thinking", () => {
    const forced = { ...reasoning("high"), tools: [tool], choice: { type: "required" } } as const;
    expect(encode(forced, "claude-opus-5")["thinking"]).toEqual({ type: "disabled" });
    expect(encode(forced, "claude-haiku-4-5")["thinking"]).toBeUndefined();
  });

  test("a tool loop that began without thinking ends without, where budgets are asked for", () => {
    const wish = { ...reasoning("high"), tools: [tool] };
    const bare = [user("a"), call("1"), result("1")];
    expect(encode({ ...wish, items: bare }, "claude-haiku-4-5")["thinking"]).toBeUndefined();
    expect(encode({ ...wish, items: bare }, "claude-opus-5")["thinking"]).toMatchObject({ type: "adaptive" });
    const sealed = [user("a"), thought("s"), call("1"), result("1")];
    expect(encode({ ...wish, items: sealed }, "claude-haiku-4-5")["thinking"]).toMatchObject({
      type: "enabled",
    });
    expect(
      encode({ ...wish, items: [...bare, model("b"), user("c")] }, "claude-haiku-4-5")["thinking"],
    ).toMatchObject({
      type: "enabled",
    });
  });
});

describe("the rest", () => {
  test("sampling goes to models that take it, one value of the two, and never while they think", () => {
    const sampling = { temperature: 1.5, topP: 0.9 };
    expect(encode(sampling, "claude-haiku-4-5")).toMatchObject({ temperature: 1 });
    expect(encode(sampling, "claude-haiku-4-5")["top_p"]).toBeUndefined();
    expect(encode({ topP: 0.9 }, "claude-haiku-4-5")["top_p"]).toBe(0.9);
    expect(encode(sampling, "claude-opus-5")["temperature"]).toBeUndefined();
    const thinking = {
      ...sampling,
      reasoning: { effort: "low", budget: undefined, summary: undefined, sealed: false },
    };
    expect(encode(thinking, "claude-haiku-4-5")["temperature"]).toBeUndefined();
  });

  test("what a model does not take is named", () => {
    const wish = { effort: "high", budget: undefined, summary: undefined, sealed: false };
    const prompt = samplePrompt({ temperature: 0.5, topP: 0.9, verbosity: "low", reasoning: wish });
    const fields: Fields = {
      temperature: { wish: "temperature" },
      top_p: { wish: "topP" },
      verbosity: { wish: "verbosity" },
      reasoning_effort: { wish: "effort" },
    };
    const lost = (asked: Prompt, name: string): readonly string[] =>
      lostWishes(asked, fields, encode(asked, name), MESSAGES_WRITES);
    expect(lost(prompt, "claude-opus-5")).toEqual(["temperature", "top_p", "verbosity"]);
    expect(lost(prompt, "claude-3-5-haiku-latest")).toEqual(["top_p", "reasoning_effort", "verbosity"]);
    expect(lost(samplePrompt({ temperature: 1 }), "claude-haiku-4-5")).toEqual([]);
  });

  test("log probabilities cannot be had", () => {
    expect(refusal({ logprobs: 0 })).toEqual(["unsupported_field", "logprobs"]);
    expect(refusal({ logprobs: 3, protocol: "responses" })).toEqual(["unsupported_field", "top_logprobs"]);
  });

  test("a schema is kept to or refused; JSON of any kind is asked for in words", () => {
    const format = (schema: JsonObject): Partial<Prompt> => ({
      format: { type: "schema", name: "n", description: "d", schema, strict: undefined },
    });
    const schema = {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: false,
    };
    expect(encode(format(schema))["output_config"]).toEqual({
      format: { type: "json_schema", schema: { ...schema, description: "d" } },
    });
    expect(refusal(format({ type: "object" }))).toEqual(["unsupported_field", "response_format"]);
    expect(refusal(format(schema), "claude-opus-4-0")).toEqual(["unsupported_field", "response_format"]);
    const json = encode({ format: { type: "json" } });
    expect(json["output_config"]).toBeUndefined();
    expect(JSON.stringify(json["system"])).toContain("JSON object");
  });

  test("one id says who asks, none says which tier is default", () => {
    const { identity } = samplePrompt();
    const said = (members: Partial<Prompt["identity"]>): JsonObject =>
      encode({ identity: { ...identity, ...members } });
    expect(said({ user: "u", safetyId: "s", tier: "default" })).toMatchObject({
      metadata: { user_id: "s" },
      service_tier: "standard_only",
    });
    expect(said({ user: "u", tier: "flex" })).toMatchObject({
      metadata: { user_id: "u" },
      service_tier: "auto",
    });
    expect(said({ user: "u".repeat(65) })["metadata"]).toEqual({
      user_id: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(said({ metadata: { a: "b" } })["metadata"]).toBeUndefined();
  });

  test("the cache is asked for where the conversation goes on", () => {
    const { identity } = samplePrompt();
    expect(encode()["cache_control"]).toBeUndefined();
    expect(encode({ tools: [tool] })["cache_control"]).toEqual({ type: "ephemeral" });
    expect(encode({ items: [user("a"), model("b"), user("c")] })["cache_control"]).toEqual({
      type: "ephemeral",
    });
    const kept = { ...identity, cacheKey: "k", cacheRetention: "24h" };
    expect(encode({ identity: kept })["cache_control"]).toEqual({ type: "ephemeral", ttl: "1h" });
  });

  test("marks of the same protocol stay where they are", () => {
    const cache = { ttl: "1h" };
    const items: Item[] = [{ type: "message", role: "user", blocks: [{ type: "text", text: "a", cache }] }];
    const body = encode({ protocol: "messages", items, tools: [{ ...tool, cache: { ttl: undefined } }] });
    expect(body["cache_control"]).toBeUndefined();
    expect(body).toMatchObject({
      messages: [{ content: [{ cache_control: { type: "ephemeral", ttl: "1h" } }] }],
      tools: [{ cache_control: { type: "ephemeral" } }],
    });
  });

  test("blank stop strings are left to the gateway", () => {
    expect(encode({ stop: ["\n", "END"] })["stop_sequences"]).toEqual(["END"]);
    expect(encode({ stop: ["\n"] })["stop_sequences"]).toBeUndefined();
  });
});
