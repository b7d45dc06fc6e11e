// The fields of a Chat Completions request; docs/protocols.md is made of this.

import { SHARED_FIELDS, SHARED_WRITES, type Fields, type Writes } from "../../core/fields.ts";

export const CHAT_FIELDS: Fields = {
  ...SHARED_FIELDS,
  stream_options: { aside: "the gateway tells usage, or does not" },
  messages: { holds: "conversation" },
  tools: { holds: "tools" },
  tool_choice: { holds: "tools" },
  functions: { holds: "tools" },
  function_call: { holds: "tools" },
  web_search_options: { holds: "tools" },
  max_completion_tokens: { wish: "maxOutput" },
  max_tokens: { wish: "maxOutput" },
  stop: { wish: "stop" },
  logprobs: { wish: "logprobs", note: "with `top_logprobs`" },
  top_logprobs: { wish: "logprobs" },
  reasoning_effort: { wish: "effort" },
  response_format: { wish: "format" },
  verbosity: { wish: "verbosity" },
  audio: { refused: "audio output" },
  modalities: {
    refused: "audio output",
    isIdle: (value) => !Array.isArray(value) || !value.includes("audio"),
  },
  store: { hint: "answers are kept by the service itself only" },
  seed: { hint: "no counterpart" },
  frequency_penalty: { hint: "no counterpart" },
  presence_penalty: { hint: "no counterpart" },
  logit_bias: { hint: "no counterpart" },
  prediction: { hint: "no counterpart" },
};

export const CHAT_WRITES: Writes = {
  ...SHARED_WRITES,
  maxOutput: { at: ["max_completion_tokens"] },
  stop: { at: ["stop"], note: "the gateway cuts as well" },
  logprobs: { at: ["top_logprobs"], note: "with `logprobs`" },
  effort: { at: ["reasoning_effort"], note: "`max` as `xhigh`" },
  summary: "hint",
  format: { at: ["response_format"] },
  verbosity: { at: ["verbosity"] },
  metadata: "hint",
};
