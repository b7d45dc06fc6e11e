import { describe, expect, test } from "bun:test";
import type { Item, Tool } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import { encodeRequest } from "./request-encode.ts";
import {
  call,
  developer,
  encode,
  model,
  refusal,
  result,
  samplePrompt,
  thought,
  tool,
  user,
} from "./test-prompt.ts";

/** Roles, with the types or texts of what they hold. */
function outline(items: readonly Item[], name?: string): string[] {
  const messages = encode({ items, tools: [tool] }, name)["messages"] as {
    readonly role: string;
    readonly content: readonly { readonly type: string; readonly text?: string }[];
  }[];
  return messages.map(
    ({ role, content }) => `${role}: ${content.map((block) => block.text ?? block.type).join(", ")}`,
  );
}

describe("turns", () => {
  test.each<[string, Item[], string[]]>([
    [
      "results come first in the user's turn, in the order of the calls",
      [user("a"), call("1"), call("2"), user("b"), result("2"), result("1")],
      ["user: a", "assistant: tool_use, tool_use", "user: tool_result, tool_result, b"],
    ],
    [
      "what was said between calls goes before them, but not before a thought",
      [user("a"), call("1"), model("b"), thought("s"), call("2"), model("c"), result("1"), result("2")],
      ["user: a", "assistant: b, tool_use, thinking, c, tool_use", "user: tool_result, tool_result"],
    ],
    ["messages of a user stay apart", [user("a"), user("b")], ["user: a", "user: b"]],
    ["blank texts stay away", [user("a"), model("\n"), user("b")], ["user: a", "user: b"]],
    [
      "a user who says nothing still has a turn",
      [user("a"), model("b"), user(" ")],
      ["user: a", "assistant: b", "user: Go on."],
    ],
    [
      "a conversation that the model begins gets a user's turn",
      [model("a"), user("b")],
      ["user: Go on.", "assistant: a", "user: b"],
    ],
    [
      "a call without a result is answered",
      [user("a"), call("1"), user("b")],
      ["user: a", "assistant: tool_use", "user: tool_result, b"],
    ],
    [
      "instructions at the head stand apart, later ones go with the user",
      [developer("a"), user("b"), model("c"), developer("d"), user("e")],
      ["user: b", "assistant: c", "user: <system>\nd\n</system>", "user: e"],
    ],
  ])("%s", (_, items, expected) => {
    expect(outline(items)).toEqual(expected);
  });

  test("models that know it are told a later instruction in its place, behind a user's turn only", () => {
    const items = [user("a"), developer("b"), developer("c"), model("d"), developer("e"), user("f")];
    expect(outline(items, "claude-opus-5")).toEqual([
      "user: a",
      "system: b, c",
      "assistant: d",
      "user: <system>\ne\n</system>",
      "user: f",
    ]);
  });

  test("a failed result says so", () => {
    const messages = encode({ items: [user("a"), call("1"), result("1", true)], tools: [tool] })["messages"];
    expect(messages).toMatchObject([{}, {}, { content: [{ tool_use_id: "1", is_error: true }] }]);
  });

  test("only thoughts that this protocol sealed go back, byte for byte", () => {
    const items: Item[] = [
      user("a"),
      { type: "reasoning", parts: ["b"], seals: [{ protocol: "responses", kind: "encrypted", data: "e" }] },
      { type: "reasoning", parts: ["c"], seals: [] },
      { type: "reasoning", parts: [""], seals: [{ protocol: "messages", kind: "signature", data: "s" }] },
      { type: "reasoning", parts: [], seals: [{ protocol: "messages", kind: "redacted", data: "r" }] },
      model("d"),
      user("e"),
    ];
    expect(encode({ items })["messages"]).toMatchObject([
      {},
      {
        content: [
          { type: "thinking", thinking: "", signature: "s" },
          { type: "redacted_thinking", data: "r" },
          { type: "text", text: "d" },
        ],
      },
      {},
    ]);
  });

  test("a begun answer goes on without its trailing space, where the model can do that", () => {
    const items = [user("a"), model("b  \n")];
    expect(outline(items, "claude-haiku-4-5")).toEqual(["user: a", "assistant: b"]);
    expect(refusal({ items }, "claude-opus-5")).toEqual(["unsupported_field", "messages"]);
  });

  test("arguments keep every digit of their numbers", () => {
    const input = '{"id":12345678901234567890,"n":1.0,"m":-2.50e3,"deep":[{"k":9007199254740993}],"s":"1.0"}';
    const items: Item[] = [user("a"), { type: "call", kind: "function", id: "1", name: "f", input }];
    const sent = encodeRequest(samplePrompt({ items, tools: [tool] }), { model: "m", stream: true });
    expect(JSON.stringify(sent)).toContain(`"input":${input}`);
  });

  test("arguments that are no object are the client's error", () => {
    const broken: Item = { type: "call", kind: "function", id: "1", name: "f", input: "[1" };
    expect(refusal({ items: [user("a"), broken], tools: [tool] })).toEqual(["invalid_request", "messages"]);
  });
});

describe("media", () => {
  const media = (block: JsonObject): unknown =>
    refusal({ items: [{ type: "message", role: "user", blocks: [{ type: "media", ...block } as never] }] });
  const sent = (block: JsonObject): unknown => [{ role: "user", content: [block] }];

  test.each<[JsonObject, JsonObject]>([
    [
      { kind: "image", source: { type: "inline", mime: "image/JPG", data: "AA" } },
      { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "AA" } },
    ],
    [
      { kind: "file", name: "a.pdf", source: { type: "inline", mime: undefined, data: "JVBERi0x" } },
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "JVBERi0x" },
        title: "a.pdf",
      },
    ],
    [
      { kind: "file", source: { type: "inline", mime: "text/csv", data: "w6Q=" } },
      { type: "document", source: { type: "text", media_type: "text/plain", data: "ä" } },
    ],
    [
      { kind: "image", source: { type: "stored", id: "file_1", platform: "anthropic" } },
      { type: "image", source: { type: "file", file_id: "file_1" } },
    ],
  ])("%p is sent as %p", (block, expected) => {
    expect(media(block)).toMatchObject({ messages: sent(expected) });
  });

  test.each<[string, JsonObject]>([
    [
      "an image of another type",
      { kind: "image", source: { type: "inline", mime: "image/svg+xml", data: "AA" } },
    ],
    [
      "a file of another type",
      { kind: "file", source: { type: "inline", mime: "application/zip", data: "AA" } },
    ],
    ["another provider's file", { kind: "file", source: { type: "stored", id: "f", platform: "openai" } }],
    ["a local address", { kind: "image", source: { type: "url", url: "file:///etc/passwd" } }],
  ])("%s is refused", (_, block) => {
    expect(media(block)).toEqual(["unsupported_field", "messages"]);
  });
});

describe("tools", () => {
  const search: Tool = {
    kind: "search",
    allowedDomains: ["a.b"],
    blockedDomains: undefined,
    location: { country: "DE" },
    contextSize: "low",
    maxUses: 2,
  };
  const hosted: Tool = {
    kind: "hosted",
    name: "code_interpreter",
    native: { protocol: "responses", value: { type: "code_interpreter" } },
  };

  test("a search is this protocol's own", () => {
    expect(encode({ tools: [search], choice: { type: "hosted", name: "web_search_preview" } })).toMatchObject(
      {
        tools: [
          {
            type: "web_search_20250305",
            name: "web_search",
            max_uses: 2,
            allowed_domains: ["a.b"],
            user_location: { type: "approximate", country: "DE" },
          },
        ],
        tool_choice: { type: "tool", name: "web_search" },
      },
    );
  });

  test("another provider's tool is left out when others remain, and refused alone or forced", () => {
    expect(encode({ tools: [tool, hosted] })["tools"]).toEqual([
      { name: "f", input_schema: { type: "object", properties: {}, additionalProperties: false } },
    ]);
    expect(refusal({ tools: [hosted] })).toEqual(["unsupported_field", "tools"]);
    const choice = { type: "hosted", name: "code_interpreter" } as const;
    expect(refusal({ tools: [tool, hosted], choice })).toEqual(["unsupported_field", "tool_choice"]);
  });

  test("strictness is kept where the schema can be", () => {
    const strict = { ...tool, strict: true };
    const open = {
      ...strict,
      name: "g",
      parameters: { type: "object", properties: { a: { type: "string", minLength: 1 } } },
    };
    const sent = encode(
      { tools: [strict, open, { ...tool, name: "h", parameters: undefined }] },
      "claude-opus-5",
    );
    expect(sent["tools"]).toEqual([
      {
        name: "f",
        input_schema: { type: "object", properties: {}, additionalProperties: false },
        strict: true,
      },
      { name: "g", input_schema: open.parameters },
      { name: "h", input_schema: { type: "object", properties: {} } },
    ]);
    const held = {
      ...strict,
      parameters: { type: "object", properties: { a: {} }, additionalProperties: false },
    };
    expect(encode({ tools: [held] }, "claude-opus-5")["tools"]).toMatchObject([{ strict: true }]);
    expect(encode({ tools: [held] }, "claude-sonnet-4-0")["tools"]).toEqual([
      { name: "f", input_schema: held.parameters },
    ]);
  });

  test("of some allowed tools one must be called: the others stay away", () => {
    const tools = [tool, { ...tool, name: "g" }, { ...tool, name: "h" }];
    const choice = { type: "allowed", tools: [{ name: "f" }, { name: "h" }] } as const;
    const forced = encode({ tools, choice: { ...choice, required: true } });
    expect(forced).toMatchObject({ tools: [{ name: "f" }, { name: "h" }], tool_choice: { type: "any" } });
    const free = encode({ tools, choice: { ...choice, required: false }, parallelCalls: false });
    expect(free).toMatchObject({ tool_choice: { type: "auto", disable_parallel_tool_use: true } });
    expect(free["tools"]).toHaveLength(3);
  });

  test("a model that refuses to be forced is not asked", () => {
    const forced = { tools: [tool], choice: { type: "required" } } as const;
    expect(refusal(forced, "claude-opus-5-5")).toEqual(["unsupported_field", "tool_choice"]);
    expect(encode({ choice: { type: "none" } }, "claude-opus-5-5")["tool_choice"]).toBeUndefined();
  });
});
