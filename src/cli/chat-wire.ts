// What `chat` says and hears in each protocol: text only, always streamed.

import type { Protocol } from "../core/account.ts";
import {
  arrayAt,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  parseObject,
  stringAt,
} from "../core/json.ts";

export interface Turn {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** What one event of a stream says. */
export interface Heard {
  readonly text?: string | undefined;
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  /** The protocol's own mark that the answer is whole. */
  readonly isEnd?: boolean;
  /** Why the answer ends before it is done, such as `max_tokens`. */
  readonly stopped?: string | undefined;
  /** The upstream's or the gateway's own words. */
  readonly error?: string | undefined;
}

export interface Wire {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly ask: (model: string, turns: readonly Turn[]) => JsonObject;
  readonly hear: (data: string) => Heard;
}

const MAX_TOKENS = 8_192;
const NOTHING: Heard = {};
const WORDLESS = "the upstream gave no reason";

function errorOf(event: JsonObject | undefined): string {
  return stringAt(objectAt(event, "error"), "message") ?? stringAt(event, "message") ?? WORDLESS;
}

function contents(turns: readonly Turn[]): { readonly role: string; readonly content: string }[] {
  return turns.map(({ role, text }) => ({ role, content: text }));
}

const messages: Wire = {
  path: "/v1/messages",
  headers: { "anthropic-version": "2023-06-01" },
  ask: (model, turns) => ({ model, max_tokens: MAX_TOKENS, stream: true, messages: contents(turns) }),
  hear(data) {
    const event = parseObject(data);
    switch (stringAt(event, "type")) {
      case "message_start":
        return { inputTokens: promptTokens(objectAt(objectAt(event, "message"), "usage")) };
      case "content_block_delta":
        return { text: stringAt(objectAt(event, "delta"), "text") };
      case "message_delta": {
        const reason = stringAt(objectAt(event, "delta"), "stop_reason");
        const isUsual = reason === undefined || reason === "end_turn" || reason === "stop_sequence";
        const outputTokens = numberAt(objectAt(event, "usage"), "output_tokens");
        return { outputTokens, stopped: isUsual ? undefined : reason };
      }
      case "message_stop":
        return { isEnd: true };
      case "error":
        return { error: errorOf(event) };
      default:
        return NOTHING;
    }
  },
};

/** With what came from a cache and went into it: Messages counts these apart. */
function promptTokens(usage: JsonObject | undefined): number | undefined {
  const parts = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
  const told = parts.map((part) => numberAt(usage, part)).filter((each) => each !== undefined);
  return told.length === 0 ? undefined : told.reduce((sum, each) => sum + each, 0);
}

const responses: Wire = {
  path: "/v1/responses",
  ask: (model, turns) => ({ model, stream: true, store: false, input: contents(turns) }),
  hear(data) {
    const event = parseObject(data);
    const response = objectAt(event, "response");
    const usage = objectAt(response, "usage");
    const tokens = {
      inputTokens: numberAt(usage, "input_tokens"),
      outputTokens: numberAt(usage, "output_tokens"),
    };
    switch (stringAt(event, "type")) {
      case "response.output_text.delta":
        return { text: stringAt(event, "delta") };
      case "response.completed":
        return { ...tokens, isEnd: true };
      case "response.incomplete": {
        const stopped = stringAt(objectAt(response, "incomplete_details"), "reason") ?? "incomplete";
        return { ...tokens, isEnd: true, stopped };
      }
      case "response.failed":
        return { error: errorOf(response) };
      case "error":
        return { error: errorOf(event) };
      default:
        return NOTHING;
    }
  },
};

const chat: Wire = {
  path: "/v1/chat/completions",
  ask: (model, turns) => ({
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: contents(turns),
  }),
  hear(data) {
    if (data.trim() === "[DONE]") return { isEnd: true };
    const chunk = parseObject(data);
    if (chunk?.["error"] !== undefined) return { error: errorOf(chunk) };
    const [choice] = arrayAt(chunk, "choices") ?? [];
    const reason = isObject(choice) ? stringAt(choice, "finish_reason") : undefined;
    const usage = objectAt(chunk, "usage");
    return {
      text: isObject(choice) ? stringAt(objectAt(choice, "delta"), "content") : undefined,
      inputTokens: numberAt(usage, "prompt_tokens"),
      outputTokens: numberAt(usage, "completion_tokens"),
      stopped: reason === "stop" ? undefined : reason,
      // Some servers send no `[DONE]`.
      isEnd: reason !== undefined,
    };
  },
};

export const WIRES: Readonly<Record<Protocol, Wire>> = { messages, responses, chat };
export const PROTOCOL_NAMES: readonly Protocol[] = ["messages", "responses", "chat"];

/** Claude models are asked in their own protocol, all others by Responses. */
export function protocolFor(model: string): Protocol {
  return model.startsWith("claude") ? "messages" : "responses";
}
