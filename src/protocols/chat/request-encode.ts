// A request of the hub written as Chat Completions.

import type { Prompt } from "../../core/hub.ts";
import type { JsonObject } from "../../core/json.ts";
import type { EncodeTarget } from "../../core/ports.ts";
import { writeFormat } from "../../core/output-format.ts";
import { sharedMembers } from "../../core/request-fields.ts";
import { ToolNames } from "../../core/tool-names.ts";
import { encodeMessages } from "./messages-encode.ts";
import { encodeTools } from "./tools.ts";

/** More are cut by the gateway alone, as all of them are in any case. */
const MAX_STOPS = 4;

/** @throws GatewayError `unsupported_field` or `invalid_request` */
export function encodeRequest(prompt: Prompt, target: EncodeTarget): JsonObject {
  const names = new ToolNames(prompt.tools);
  // `metadata` is refused here unless the answer is stored, and tool fields unless there are tools.
  const { metadata: _, parallel_tool_calls: __, ...shared } = sharedMembers(prompt);
  const { stop, logprobs, reasoning } = prompt;
  return {
    model: target.model,
    messages: encodeMessages(prompt, names),
    ...encodeTools(prompt, names),
    max_completion_tokens: prompt.maxOutput,
    ...shared,
    stop: stop.length > 0 ? stop.slice(0, MAX_STOPS) : undefined,
    response_format: prompt.format && writeFormat(prompt.format, (json_schema) => ({ json_schema })),
    // The highest effort exists in Responses only.
    reasoning_effort: reasoning.effort === "max" ? "xhigh" : reasoning.effort,
    verbosity: prompt.verbosity,
    ...(logprobs === undefined ? {} : { logprobs: true, top_logprobs: logprobs }),
    ...(target.stream ? { stream: true, stream_options: { include_usage: true } } : { stream: false }),
  };
}
