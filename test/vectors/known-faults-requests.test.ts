// What gateways of this kind get wrong in requests, each for every pair of protocols that it can happen in.
import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/core/json.ts";
import { pick, pickList, pickText } from "../support/json-pick.ts";
import * as run from "./translate.ts";

const USER = { role: "user", content: "go" };
const OBJECT = { type: "object", properties: {} };
const toolC = (name: string): JsonObject => ({ type: "function", function: { name, parameters: OBJECT } });
const toolR = (name: string): JsonObject => ({ type: "function", name, parameters: OBJECT, strict: false });
const callC = (...ids: readonly string[]): JsonObject => ({
  role: "assistant",
  content: null,
  tool_calls: ids.map((id) => ({ id, type: "function", function: { name: "get", arguments: "{}" } })),
});
const resultC = (id: string): JsonObject => ({ role: "tool", tool_call_id: id, content: `of ${id}` });
const callR = (id: string): JsonObject => ({
  type: "function_call",
  call_id: id,
  name: "get",
  arguments: "{}",
});
const resultR = (id: string): JsonObject => ({
  type: "function_call_output",
  call_id: id,
  output: `of ${id}`,
});

describe("results", () => {
  const asked = {
    chat: run.ask("chat", {
      messages: [USER, callC("call_1", "call_2"), resultC("call_2"), resultC("call_1"), USER],
    }),
    responses: run.ask("responses", {
      input: [USER, callR("call_1"), callR("call_2"), resultR("call_2"), USER, resultR("call_1")],
    }),
  };

  test.each(["chat", "responses"] as const)(
    "of a turn lead the user's next message, all of them, for a %s client",
    (from) => {
      const body = run.translateRequest(from, "messages", asked[from]);
      const messages = pickList(body, "messages");
      expect(messages.map((message) => pick(message, "role"))).toEqual(["user", "assistant", "user"]);
      const blocks = pickList(messages[2], "content");
      expect(blocks.map((block) => pick(block, "type"))).toEqual(["tool_result", "tool_result", "text"]);
      expect(
        blocks
          .slice(0, 2)
          .map((block) => pick(block, "tool_use_id"))
          .toSorted(),
      ).toEqual(["call_1", "call_2"]);
    },
  );
});

describe("an id that the other protocol does not take", () => {
  const long = `call:${"x".repeat(80)}|.`;

  test.each([
    ["chat", "messages", run.ask("chat", { messages: [USER, callC(long), resultC(long)] })],
    ["responses", "messages", run.ask("responses", { input: [USER, callR(long), resultR(long)] })],
  ] as const)("becomes the same short one on the call and on its result: %s to %s", (from, to, body) => {
    const [, turn, results] = pickList(run.translateRequest(from, to, body), "messages");
    const id = pickText(turn, "content", 0, "id") ?? "";
    expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(pickText(results, "content", 0, "tool_use_id")).toBe(id);
  });

  test.each(["responses", "chat"] as const)(
    "becomes the same short one for a messages client over %s",
    (to) => {
      const id = "x".repeat(90);
      const body = run.ask("messages", {
        messages: [
          USER,
          { role: "assistant", content: [{ type: "tool_use", id, name: "get", input: {} }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: "r" }] },
        ],
      });
      const sent = run.translateRequest("messages", to, body);
      const [, call, result] = pickList(sent, to === "chat" ? "messages" : "input");
      const made = pickText(call, "call_id") ?? pickText(call, "tool_calls", 0, "id") ?? "";
      expect(made.length).toBeGreaterThan(0);
      expect(made.length).toBeLessThanOrEqual(64);
      expect(pickText(result, "call_id") ?? pickText(result, "tool_call_id")).toBe(made);
    },
  );
});

describe("a custom tool", () => {
  const tools = [{ type: "custom", name: "apply_patch", format: { type: "text" } }];
  const asked = run.ask("responses", { tools });
  const patch = '*** Begin "Patch"\n+é\\n';

  test("is called by a Messages model with an object, and told as free text", () => {
    const answer = run.translateAnswer(
      "messages",
      "responses",
      {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "m",
        content: [{ type: "tool_use", id: "toolu_1", name: "apply_patch", input: { input: patch } }],
        stop_reason: "tool_use",
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      },
      asked,
    );
    expect(pickList(answer, "output")).toEqual([
      expect.objectContaining({
        type: "custom_tool_call",
        name: "apply_patch",
        input: patch,
        call_id: "toolu_1",
      }),
    ]);
  });

  test("is called by a Chat model as a function with one text, and told as free text", () => {
    const call = {
      id: "call_1",
      type: "function",
      function: { name: "apply_patch", arguments: JSON.stringify({ input: patch }) },
    };
    const message = { role: "assistant", content: null, tool_calls: [call] };
    const choices = [{ index: 0, message, finish_reason: "tool_calls", logprobs: null }];
    const answer = { id: "c", object: "chat.completion", created: 1, model: "m", choices };
    expect(pickList(run.translateAnswer("chat", "responses", answer, asked), "output")).toEqual([
      expect.objectContaining({
        type: "custom_tool_call",
        name: "apply_patch",
        input: patch,
        call_id: "call_1",
      }),
    ]);
  });
});

test("a namespaced tool is one name for a Messages model and two for the client, in the history as well", () => {
  const spawn = { type: "function", name: "spawn", parameters: OBJECT, strict: false };
  const tools = [{ type: "namespace", name: "agents", tools: [spawn] }];
  const call = { ...callR("call_1"), name: "spawn", namespace: "agents" };
  const asked = run.ask("responses", { tools, input: [USER, call, resultR("call_1")] });
  const sent = run.translateRequest("responses", "messages", asked);
  const name = pickText(sent, "tools", 0, "name");
  expect(name).toBe("agents__spawn");
  expect(pickText(sent, "messages", 1, "content", 0, "name")).toBe(name ?? "");
  const content = [{ type: "tool_use", id: "toolu_1", name: "agents__spawn", input: {} }];
  const usage = { input_tokens: 1, output_tokens: 1 };
  const answer = {
    id: "m",
    type: "message",
    role: "assistant",
    model: "m",
    content,
    stop_reason: "tool_use",
    usage,
  };
  expect(pickList(run.translateAnswer("messages", "responses", answer, asked), "output")).toEqual([
    expect.objectContaining({ type: "function_call", name: "spawn", namespace: "agents" }),
  ]);
});

describe("a choice that thinking excludes", () => {
  test.each([
    ["chat", { tools: [toolC("get")], tool_choice: "required", reasoning_effort: "high" }],
    ["responses", { tools: [toolR("get")], tool_choice: "required", reasoning: { effort: "high" } }],
  ] as const)("is kept, and thinking left out: %s", (from, members) => {
    const body = run.ask(from, { ...members, model: "claude-haiku-4-5" });
    const sent = run.translateRequest(from, "messages", body);
    expect(sent["tool_choice"]).toEqual({ type: "any" });
    expect(sent["thinking"]).toBeUndefined();
  });

  test.each([
    ["chat", { tools: [toolC("get")], tool_choice: "none" }],
    ["responses", { tools: [toolR("get")], tool_choice: "none" }],
  ] as const)("`none` stays `none`: %s", (from, members) => {
    expect(run.translateRequest(from, "messages", run.ask(from, members))["tool_choice"]).toEqual({
      type: "none",
    });
  });
});

test.each(["messages", "chat"] as const)(
  "an input that is a text is one message of the user: to %s",
  (to) => {
    const sent = run.translateRequest("responses", to, run.ask("responses", { input: "Hello?" }));
    expect(pickList(sent, "messages")).toHaveLength(1);
    expect(JSON.stringify(pick(sent, "messages", 0))).toContain("Hello?");
    expect(pick(sent, "messages", 0, "role")).toBe("user");
  },
);

test("a model that thinks by budget does not think in a tool loop whose thoughts the client did not send back", () => {
  const loop = {
    messages: [USER, callC("call_1"), resultC("call_1")],
    tools: [toolC("get")],
    reasoning_effort: "high",
  };
  const body = (members: JsonObject): JsonObject =>
    run.translateRequest("chat", "messages", run.ask("chat", { ...members, model: "claude-haiku-4-5" }));
  expect(body(loop)["thinking"]).toBeUndefined();
  expect(pickText(body({ ...loop, messages: [USER] }), "thinking", "type")).toBe("enabled");
});

describe("system text in the middle", () => {
  const messages = [
    USER,
    { role: "assistant", content: "a" },
    { role: "user", content: "b" },
    { role: "system", content: "be brief" },
  ];

  test.each(["responses", "chat"] as const)("stays in its place for a messages client over %s", (to) => {
    const sent = run.translateRequest("messages", to, run.ask("messages", { messages }));
    const list = pickList(sent, to === "chat" ? "messages" : "input");
    expect(list.map((each) => pick(each, "role"))).toEqual(["user", "assistant", "user", "system"]);
  });

  test("is the user's, in a place of its own, for a model that takes none there", () => {
    const asked = run.ask("chat", { messages, model: "claude-opus-4-6" });
    const last = pickList(run.translateRequest("chat", "messages", asked), "messages").at(-1);
    expect(pick(last, "role")).toBe("user");
    expect(JSON.stringify(last)).toContain("be brief");
  });
});
