// The smallest request of the hub and parts of larger ones, for tests.

import { GatewayError } from "../../core/errors.ts";
import type { FunctionTool, Item, Prompt } from "../../core/hub.ts";
import { parseObject, type JsonObject } from "../../core/json.ts";
import { encodeRequest } from "./request-encode.ts";

/** As a Chat client would have asked. */
export function samplePrompt(members: Partial<Prompt> = {}): Prompt {
  return {
    protocol: "chat",
    items: [{ type: "message", role: "user", blocks: [{ type: "text", text: "x" }] }],
    tools: [],
    choice: undefined,
    parallelCalls: undefined,
    maxOutput: undefined,
    stop: [],
    temperature: undefined,
    topP: undefined,
    topK: undefined,
    logprobs: undefined,
    reasoning: { effort: undefined, budget: undefined, summary: undefined, sealed: false },
    format: undefined,
    verbosity: undefined,
    identity: {
      user: undefined,
      safetyId: undefined,
      metadata: undefined,
      tier: undefined,
      cacheKey: undefined,
      cacheRetention: undefined,
      cacheOptions: undefined,
    },
    tellUsage: true,
    dropped: [],
    request: {},
    ...members,
  };
}

export function encode(members: Partial<Prompt> = {}, model = "m"): JsonObject {
  const sent = encodeRequest(samplePrompt(members), { model, stream: true });
  return parseObject(JSON.stringify(sent)) ?? {};
}

export function refusal(members: Partial<Prompt>, model?: string): unknown {
  try {
    return encode(members, model);
  } catch (error) {
    return error instanceof GatewayError ? [error.code, error.param] : error;
  }
}

export const tool: FunctionTool = {
  kind: "function",
  name: "f",
  parameters: { type: "object", properties: {}, additionalProperties: false },
  strict: undefined,
};
const text = (said: string) => [{ type: "text" as const, text: said }];
export const user = (said: string): Item => ({ type: "message", role: "user", blocks: text(said) });
export const model = (said: string): Item => ({ type: "message", role: "assistant", blocks: text(said) });
export const developer = (said: string): Item => ({
  type: "instruction",
  role: "developer",
  top: false,
  blocks: text(said),
});
export const call = (id: string): Item => ({ type: "call", kind: "function", id, name: "f", input: "{}" });
export const result = (callId: string, failed = false): Item => ({
  type: "result",
  callId,
  blocks: text(`r${callId}`),
  failed,
});
export const thought = (data: string): Item => ({
  type: "reasoning",
  parts: [`t${data}`],
  seals: [{ protocol: "messages", kind: "signature", data }],
});
