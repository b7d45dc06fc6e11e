// The parts that a conversation and its tools consist of, as each protocol's client sends them. A part that a protocol
// does not know has no sample there. `PROBE` stands in what a part carries.
import type { JsonObject } from "../../src/core/json.ts";
import type { PartName } from "../../src/core/parts.ts";
import type { Protocol } from "../support/oracle.ts";

const PROBE = "UFJPQkU=";

/** What tells that a part has arrived. */
export const PROBES: Readonly<Record<string, string>> = {
  "*": PROBE.slice(0, 7),
  "cache mark": "cache_control",
  "phase of the model's text": "commentary",
  "choice of one tool": "tool_choice",
};
const USER = { role: "user", content: "go" };
const DATA = (mime: string): string => `data:${mime};base64,${PROBE}`;
const URL_OF = `https://example.com/${PROBE}`;
const CALL_M = { type: "tool_use", id: "call_1", name: "get", input: { a: PROBE } };
const CALL_C = { id: "call_1", type: "function", function: { name: "get", arguments: `{"a":"${PROBE}"}` } };
const CALL_R = { type: "function_call", call_id: "call_1", name: "get", arguments: `{"a":"${PROBE}"}` };

type Samples = Readonly<Record<PartName, Partial<Record<Protocol, JsonObject>>>>;

const m = (...content: JsonObject[]): JsonObject => ({ messages: [{ role: "user", content }] });
const turns = (...messages: JsonObject[]): JsonObject => ({ messages: [USER, ...messages] });
const r = (...content: JsonObject[]): JsonObject => ({ input: [{ role: "user", content }] });
const items = (...input: JsonObject[]): JsonObject => ({ input: [USER, ...input] });
const c = m;

const plain = (role: string): JsonObject => ({ role, content: PROBE });
const resultM = (more: JsonObject): JsonObject => ({
  role: "user",
  content: [{ type: "tool_result", tool_use_id: "call_1", ...more }],
});

export const SAMPLES: Samples = {
  "system text": {
    messages: { system: PROBE, messages: [USER] },
    responses: { instructions: PROBE, input: "go" },
    chat: { messages: [plain("system"), USER] },
  },
  "system text in the middle": {
    messages: turns(plain("system")),
    responses: items(plain("developer")),
    chat: turns(plain("developer")),
  },
  "user's text": {
    messages: turns(plain("user")),
    responses: items(plain("user")),
    chat: turns(plain("user")),
  },
  "model's text": {
    messages: turns(plain("assistant"), USER),
    responses: items(plain("assistant"), USER),
    chat: turns(plain("assistant"), USER),
  },
  refusal: {
    responses: items({ role: "assistant", content: [{ type: "refusal", refusal: PROBE }] }, USER),
    chat: turns({ role: "assistant", content: null, refusal: PROBE }, USER),
  },
  "begun answer": {
    messages: turns(plain("assistant")),
    responses: items(plain("assistant")),
    chat: turns(plain("assistant")),
  },
  "sources of the model's text": {
    messages: turns(
      {
        role: "assistant",
        content: [
          {
            type: "text",
            text: "t",
            citations: [
              {
                type: "web_search_result_location",
                url: URL_OF,
                title: "x",
                cited_text: "t",
                encrypted_index: "e",
              },
            ],
          },
        ],
      },
      USER,
    ),
    responses: items(
      {
        type: "message",
        role: "assistant",
        content: [
          {
            type: "output_text",
            text: "t",
            annotations: [{ type: "url_citation", url: URL_OF, title: "x", start_index: 0, end_index: 1 }],
          },
        ],
      },
      USER,
    ),
  },
  "found text with its source": {
    messages: m({
      type: "search_result",
      source: URL_OF,
      title: "x",
      content: [{ type: "text", text: "s" }],
    }),
  },
  "examples for a tool": {
    messages: {
      ...turns(),
      tools: [{ name: "get", input_schema: { type: "object" }, input_examples: [{ a: PROBE }] }],
    },
  },
  "tool that is loaded when it is looked for": {
    messages: {
      ...turns(),
      tools: [
        { name: PROBE.slice(0, 7), input_schema: { type: "object" }, defer_loading: true },
        { type: "tool_search_tool_bm25_20251119", name: "tool_search_tool_bm25" },
      ],
    },
  },
  "tool that is loaded in the conversation": {
    responses: items({
      type: "additional_tools",
      role: "developer",
      tools: [{ type: "function", name: PROBE.slice(0, 7), parameters: {} }],
    }),
  },
  "tool that only other tools may call": {
    messages: {
      ...turns(),
      tools: [
        { name: "get", input_schema: { type: "object" }, allowed_callers: ["code_execution_20250825"] },
      ],
    },
  },
  "picture by value": {
    messages: m({ type: "image", source: { type: "base64", media_type: "image/png", data: PROBE } }),
    responses: r({ type: "input_image", detail: "auto", image_url: DATA("image/png") }),
    chat: c({ type: "image_url", image_url: { url: DATA("image/png") } }),
  },
  "picture by URL": {
    messages: m({ type: "image", source: { type: "url", url: URL_OF } }),
    responses: r({ type: "input_image", detail: "auto", image_url: URL_OF }),
    chat: c({ type: "image_url", image_url: { url: URL_OF } }),
  },
  "PDF by value": {
    messages: m({ type: "document", source: { type: "base64", media_type: "application/pdf", data: PROBE } }),
    responses: r({ type: "input_file", filename: "a.pdf", file_data: DATA("application/pdf") }),
    chat: c({ type: "file", file: { filename: "a.pdf", file_data: DATA("application/pdf") } }),
  },
  "document by URL": {
    messages: m({ type: "document", source: { type: "url", url: URL_OF } }),
    responses: r({ type: "input_file", file_url: URL_OF }),
  },
  "document as text": {
    messages: m({ type: "document", source: { type: "text", media_type: "text/plain", data: PROBE } }),
  },
  "stored file": {
    messages: m({ type: "document", source: { type: "file", file_id: PROBE } }),
    responses: r({ type: "input_file", file_id: PROBE }),
    chat: c({ type: "file", file: { file_id: PROBE } }),
  },
  sound: {
    chat: c({ type: "input_audio", input_audio: { data: PROBE, format: "wav" } }),
  },
  "function call": {
    messages: turns({ role: "assistant", content: [CALL_M] }, resultM({ content: "r" })),
    responses: items(CALL_R, { type: "function_call_output", call_id: "call_1", output: "r" }),
    chat: turns(
      { role: "assistant", tool_calls: [CALL_C] },
      { role: "tool", tool_call_id: "call_1", content: "r" },
    ),
  },
  "custom tool's call": {
    responses: items(
      { type: "custom_tool_call", call_id: "call_1", name: "get", input: PROBE },
      { type: "custom_tool_call_output", call_id: "call_1", output: "r" },
    ),
    chat: turns(
      {
        role: "assistant",
        tool_calls: [{ id: "call_1", type: "custom", custom: { name: "get", input: PROBE } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "r" },
    ),
  },
  result: {
    messages: turns({ role: "assistant", content: [CALL_M] }, resultM({ content: PROBE })),
    responses: items(CALL_R, { type: "function_call_output", call_id: "call_1", output: PROBE }),
    chat: turns(
      { role: "assistant", tool_calls: [CALL_C] },
      { role: "tool", tool_call_id: "call_1", content: PROBE },
    ),
  },
  "picture in a result": {
    messages: turns(
      { role: "assistant", content: [CALL_M] },
      resultM({
        content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: PROBE } }],
      }),
    ),
    responses: items(CALL_R, {
      type: "function_call_output",
      call_id: "call_1",
      output: [{ type: "input_image", detail: "auto", image_url: DATA("image/png") }],
    }),
  },
  "failed result": {
    messages: turns({ role: "assistant", content: [CALL_M] }, resultM({ content: PROBE, is_error: true })),
  },
  "step of the provider's own": {
    messages: turns(
      {
        role: "assistant",
        content: [
          { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: PROBE } },
          { type: "text", text: "found" },
        ],
      },
      USER,
    ),
    responses: items(
      { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: PROBE } },
      { role: "assistant", content: "found" },
      USER,
    ),
  },
  "cache mark": {
    messages: m({ type: "text", text: "go", cache_control: { type: "ephemeral" } }),
  },
  "phase of the model's text": {
    responses: items({ role: "assistant", phase: "commentary", content: "hm" }, USER),
  },
  compaction: {
    responses: items({ type: "compaction", encrypted_content: PROBE }),
  },
  "pointer to a stored item": {
    responses: items({ type: "item_reference", id: PROBE }),
  },
  "function tool": {
    messages: { ...turns(), tools: [{ name: PROBE.slice(0, 7), input_schema: { type: "object" } }] },
    responses: {
      input: "go",
      tools: [{ type: "function", name: PROBE.slice(0, 7), parameters: { type: "object" } }],
    },
    chat: {
      ...turns(),
      tools: [{ type: "function", function: { name: PROBE.slice(0, 7), parameters: { type: "object" } } }],
    },
  },
  "custom tool": {
    responses: { input: "go", tools: [{ type: "custom", name: PROBE.slice(0, 7) }] },
    chat: { ...turns(), tools: [{ type: "custom", custom: { name: PROBE.slice(0, 7) } }] },
  },
  "namespace of tools": {
    responses: {
      input: "go",
      tools: [
        {
          type: "namespace",
          name: "ns",
          tools: [{ type: "function", name: PROBE.slice(0, 7), parameters: {} }],
        },
      ],
    },
  },
  "tool that the client runs, of a type of its own": {
    messages: { ...turns(), tools: [{ type: "bash_20250124", name: "bash" }] },
    responses: { input: "go", tools: [{ type: "local_shell" }] },
  },
  "web search": {
    messages: { ...turns(), tools: [{ type: "web_search_20250305", name: "web_search" }] },
    responses: { input: "go", tools: [{ type: "web_search" }] },
    chat: { ...turns(), web_search_options: {} },
  },
  "other tool that the provider runs": {
    messages: { ...turns(), tools: [{ type: "code_execution_20250825", name: "code_execution" }] },
    responses: { input: "go", tools: [{ type: "code_interpreter", container: { type: "auto" } }] },
  },
  "choice of one tool": {
    messages: {
      ...turns(),
      tools: [{ name: "get", input_schema: { type: "object" } }],
      tool_choice: { type: "tool", name: "get" },
    },
    responses: {
      input: "go",
      tools: [{ type: "function", name: "get", parameters: {} }],
      tool_choice: { type: "function", name: "get" },
    },
    chat: {
      ...turns(),
      tools: [{ type: "function", function: { name: "get" } }],
      tool_choice: { type: "function", function: { name: "get" } },
    },
  },
};
