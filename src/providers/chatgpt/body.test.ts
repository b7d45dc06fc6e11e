import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../core/errors.ts";
import { type JsonObject, parseObject, scanObject } from "../../core/json.ts";
import { sampleRequest } from "../../../test/support/samples.ts";
import { forBackend, type Manner, type Rewritten } from "./body.ts";

const MANNER: Manner = { conversation: "conversation-1", codex: false, nameOf: (field) => field };
const CODEX: Manner = { ...MANNER, codex: true };

/** What every request that needs no edit has. */
const FIT = {
  model: "gpt-5.1",
  instructions: "Be brief.",
  input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] }],
  stream: true,
  store: false,
  include: ["reasoning.encrypted_content"],
  prompt_cache_key: "k",
};

function rewrite(body: string, manner = MANNER): Rewritten & { readonly text: string } {
  const bytes = Buffer.from(body);
  const rewritten = forBackend(bytes, scanObject(bytes), manner);
  return { ...rewritten, text: Buffer.from(rewritten.body).toString() };
}

/** The result of a request that is fit but for `change`. */
function changed(change: JsonObject, manner = MANNER): { body: JsonObject; dropped: readonly string[] } {
  const { text, dropped } = rewrite(JSON.stringify({ ...FIT, ...change }), manner);
  return { body: parseObject(text) ?? {}, dropped };
}

function refusal(change: JsonObject, manner = MANNER): unknown {
  try {
    changed(change, manner);
  } catch (error) {
    if (error instanceof GatewayError) return [error.code, error.param];
  }
  return undefined;
}

describe("a request that is as it should be", () => {
  test("keeps every byte, with its spaces, numbers and escapes", () => {
    const text = ` ${JSON.stringify(FIT, null, 1)}\r\n`.replace(
      "{",
      '{ "big": 12345678901234567890.50E+3, "e": "\\u00e9",',
    );
    expect(rewrite(text)).toMatchObject({ text, dropped: [] });
  });

  test("keeps every byte when Codex has sent it, without instructions and with ids of its own", () => {
    const { body } = sampleRequest("codex");
    const text = JSON.stringify(body);
    expect(rewrite(text, CODEX)).toMatchObject({ text, dropped: [] });
  });

  test("keeps every byte when Codex signs in with ChatGPT itself, and when it compacts", () => {
    const { body } = sampleRequest("codex");
    const metadata = { turn_id: "00000000-0000-7000-8000-000000000002" };
    const input = [
      {
        type: "message",
        id: "msg_1",
        role: "developer",
        content: [],
        internal_chat_message_metadata_passthrough: metadata,
      },
      { type: "message", status: "completed", id: "msg_2", role: "assistant", content: [] },
      {
        type: "custom_tool_call",
        id: "ctc_3",
        status: "completed",
        call_id: "c",
        name: "apply_patch",
        input: "*** Begin",
      },
      { type: "custom_tool_call_output", id: "ctco_4", call_id: "c", output: "done" },
      { type: "compaction", id: "cmp_5", encrypted_content: "c2VhbGVk" },
      { type: "compaction_trigger" },
    ];
    const text = JSON.stringify({ ...body, input, service_tier: "priority", text: { verbosity: "low" } });
    expect(rewrite(text, CODEX)).toMatchObject({ text, dropped: [] });
  });
});

describe("what the backend wants", () => {
  test("is added behind what is there", () => {
    expect(rewrite('{"model":"m","input":[]}').text).toBe(
      '{"model":"m","input":[],"stream":true,"store":false,' +
        '"instructions":"Follow the instructions in the conversation.","prompt_cache_key":"conversation-1",' +
        '"include":["reasoning.encrypted_content"]}',
    );
    expect(parseObject(rewrite("{}").text)).toMatchObject({ stream: true, store: false });
    expect(parseObject(rewrite('{"user":"u"}').text)).not.toHaveProperty("user");
  });

  test("is corrected in place", () => {
    const { text, dropped } = rewrite(JSON.stringify({ ...FIT, stream: false, store: true }));
    expect(text).toBe(JSON.stringify(FIT));
    expect(dropped).toEqual(["store"]);
    expect(changed({ stream: null, store: null })).toEqual({ body: FIT, dropped: [] });
  });

  test.each([null, "", " \n"])("is written over instructions of %j", (instructions) => {
    expect(changed({ instructions }).body["instructions"]).toBe(
      "Follow the instructions in the conversation.",
    );
    expect(changed({ prompt_cache_key: instructions }).body["prompt_cache_key"]).toBe("conversation-1");
  });

  test("is asked for besides what else is included", () => {
    const sealed = "reasoning.encrypted_content";
    expect(changed({ include: [] }).body["include"]).toEqual([sealed]);
    expect(changed({ include: null }).body["include"]).toEqual([sealed]);
    expect(changed({ include: ["file_search_call.results"] }).body["include"]).toEqual([
      "file_search_call.results",
      sealed,
    ]);
  });
});

describe("the input", () => {
  test("becomes a list when it is a text, whose bytes stay", () => {
    const { text } = rewrite(
      JSON.stringify(FIT).replace(/"input":\[.*?\}\]\}\]/, '"input":"H\\u00e9 \\"you\\""'),
    );
    expect(text).toBe(JSON.stringify(FIT).replace('"text":"Hi"', '"text":"H\\u00e9 \\"you\\""'));
  });

  test("has developers in place of systems", () => {
    const input = [
      { role: "system", content: "Rules" },
      { type: "message", role: "system", content: [] },
      { role: "user", content: "system" },
    ];
    expect(changed({ input }).body["input"]).toEqual([
      { role: "developer", content: "Rules" },
      { type: "message", role: "developer", content: [] },
      { role: "user", content: "system" },
    ]);
  });

  test("is refused for references to what another service has stored, by its field", () => {
    const kept = { role: "user", content: "Hi" };
    const references = [{ type: "item_reference", id: "msg_1" }, { id: "rs_2" }, { type: null, id: "fc_3" }];
    for (const reference of references)
      for (const manner of [MANNER, CODEX])
        expect(refusal({ input: [kept, reference] }, manner)).toEqual(["unsupported_field", "input"]);
    expect(refusal({ input: [kept] })).toBeUndefined();
  });

  test("loses ids under which items were stored, wherever they stand, and keeps those that mean something", () => {
    const text =
      '{"input":[{"id":"rs_1","type":"reasoning","summary":[]},{"type":"function_call","id":"fc_2" , "call_id":"c"},' +
      '{"type":"message","content":[],"id":"msg_3"},{"type":"mcp_approval_request","id":"mcpr_4"},{"type":"message","id":7}]';
    const rest = JSON.stringify({ ...FIT, input: undefined }).slice(1);
    expect(rewrite(`${text},${rest}`).text).toBe(
      '{"input":[{"type":"reasoning","summary":[]},{"type":"function_call" , "call_id":"c"},' +
        '{"type":"message","content":[]},{"type":"mcp_approval_request","id":"mcpr_4"},{"type":"message","id":7}],' +
        rest,
    );
  });
});

describe("a hint the backend does not take", () => {
  const HINTS: JsonObject = {
    temperature: 0,
    top_p: 0.5,
    max_output_tokens: 5,
    max_completion_tokens: 5,
    max_tokens: 5,
    presence_penalty: 1,
    frequency_penalty: 1,
    seed: 0,
    metadata: { a: "b" },
    truncation: "auto",
    user: "u",
    safety_identifier: "s",
    stream_options: { include_obfuscation: false },
    prompt_cache_retention: "24h",
    prompt_cache_options: { mode: "explicit" },
    prompt_cache_breakpoint: { mode: "explicit" },
    context_management: [{ type: "compaction" }],
    service_tier: "flex",
  };

  test("goes, and is named", () => {
    expect(changed(HINTS)).toEqual({ body: FIT, dropped: Object.keys(HINTS).toSorted() });
    const first = rewrite(JSON.stringify({ ...HINTS, ...FIT }));
    expect(first.text).toBe(JSON.stringify(FIT));
  });

  test("goes unnamed when it asks for nothing", () => {
    const nothing = Object.fromEntries(Object.keys(HINTS).map((key) => [key, null]));
    expect(changed(nothing)).toEqual({ body: FIT, dropped: [] });
    const usual = {
      temperature: 1,
      top_p: 1,
      presence_penalty: 0,
      truncation: "disabled",
      metadata: {},
      service_tier: "auto",
    };
    expect(changed(usual)).toEqual({ body: FIT, dropped: [] });
    const idle = {
      n: 1,
      logprobs: false,
      top_logprobs: 0,
      background: false,
      modalities: ["text"],
      audio: null,
      previous_response_id: null,
    };
    expect(changed(idle)).toEqual({ body: FIT, dropped: [] });
  });

  test("goes from parts and tools too, and stays a name in a tool's own schema", () => {
    const mark = { mode: "explicit" };
    const part = { type: "input_text", text: "Hi" };
    const tool = { type: "function", name: "f", parameters: { properties: { prompt_cache_breakpoint: {} } } };
    const result = { type: "function_call_output", call_id: "c" };
    const { body, dropped } = changed({
      input: [
        {
          role: "user",
          content: [{ prompt_cache_breakpoint: mark, ...part }, part],
          prompt_cache_breakpoint: mark,
        },
        { ...result, output: [{ ...part, prompt_cache_breakpoint: mark }] },
      ],
      tools: [{ ...tool, prompt_cache_breakpoint: mark }],
    });
    expect(body).toEqual({
      ...FIT,
      input: [
        { role: "user", content: [part, part] },
        { ...result, output: [part] },
      ],
      tools: [tool],
    });
    expect(dropped).toEqual(["input.prompt_cache_breakpoint", "tools.prompt_cache_breakpoint"]);
  });

  test("is replaced where there is a next best: the least effort, and the preview of the web search", () => {
    const { body, dropped } = changed({
      reasoning: { effort: "minimal", summary: "auto" },
      tools: [{ type: "web_search_preview", search_context_size: "low" }, { type: "web_search" }],
      tool_choice: {
        type: "allowed_tools",
        mode: "auto",
        tools: [{ type: "web_search_preview_2025_03_11" }],
      },
    });
    expect(body).toMatchObject({
      reasoning: { effort: "low", summary: "auto" },
      tools: [{ type: "web_search", search_context_size: "low" }, { type: "web_search" }],
      tool_choice: { tools: [{ type: "web_search" }] },
    });
    expect(dropped).toEqual(["reasoning.effort"]);
    const choice = changed({ tool_choice: { type: "web_search_preview" } }).body["tool_choice"];
    expect(choice).toEqual({ type: "web_search" });
  });

  test("keeps the priority tier, which the backend knows", () => {
    expect(changed({ service_tier: "priority" })).toEqual({
      body: { ...FIT, service_tier: "priority" },
      dropped: [],
    });
  });
});

describe("a field whose loss would change the answer", () => {
  test.each<[JsonObject, string]>([
    [{ previous_response_id: "resp_1" }, "previous_response_id"],
    [{ conversation: "conv_1" }, "conversation"],
    [{ prompt: { id: "pmpt_1" } }, "prompt"],
    [{ background: true }, "background"],
    [{ n: 2 }, "n"],
    [{ logprobs: true }, "logprobs"],
    [{ top_logprobs: 3 }, "top_logprobs"],
    [{ include: ["message.output_text.logprobs"] }, "include"],
    [{ audio: { voice: "a" } }, "audio"],
    [{ modalities: ["text", "audio"] }, "modalities"],
    [{ input: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] }, "input"],
  ])("is refused by name: %j", (change, param) => {
    expect(refusal(change)).toEqual(["unsupported_field", param]);
    expect(refusal(change, { ...MANNER, nameOf: (field) => `their ${field}` })).toEqual([
      "unsupported_field",
      `their ${param}`,
    ]);
  });
});
