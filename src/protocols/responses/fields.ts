// The fields of a Responses request; docs/protocols.md is made of this.

import { SHARED_FIELDS, SHARED_WRITES, type Fields, type Writes } from "../../core/fields.ts";

const STATE = "what it points at is known to the service alone";

export const RESPONSES_FIELDS: Fields = {
  ...SHARED_FIELDS,
  stream_options: { aside: "padding of events, which translated streams do without" },
  instructions: { holds: "conversation" },
  input: { holds: "conversation" },
  tools: { holds: "tools" },
  tool_choice: { holds: "tools" },
  max_output_tokens: { wish: "maxOutput" },
  top_logprobs: { wish: "logprobs" },
  "reasoning.effort": { wish: "effort" },
  "reasoning.summary": { wish: "summary" },
  "text.format": { wish: "format" },
  "text.verbosity": { wish: "verbosity" },
  include: {
    aside:
      "`reasoning.encrypted_content` asks for sealed reasoning, `message.output_text.logprobs` for `top_logprobs`",
  },
  store: { aside: "nothing is stored; the answer says so" },
  client_metadata: { aside: "a client's own notes for its service" },
  previous_response_id: { refused: STATE },
  conversation: { refused: STATE },
  prompt: { refused: STATE },
  background: { refused: "background", isIdle: (value) => value === false },
  stop: { refused: "a stop string" },
  max_tool_calls: { hint: "no counterpart" },
  truncation: { hint: "no counterpart" },
  context_management: { hint: "no counterpart" },
  access_programs: { hint: "no counterpart" },
};

export const RESPONSES_WRITES: Writes = {
  ...SHARED_WRITES,
  maxOutput: { at: ["max_output_tokens"], note: "16 at least" },
  stop: { at: [], note: "the gateway cuts" },
  logprobs: { at: ["top_logprobs"], note: "with `include`" },
  effort: { at: ["reasoning.effort"] },
  summary: { at: ["reasoning.summary"] },
  format: { at: ["text.format"] },
  verbosity: { at: ["text.verbosity"] },
  metadata: { at: ["metadata"] },
};
