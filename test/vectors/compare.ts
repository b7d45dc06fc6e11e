// Brings translated streams into a form that can be compared with what a vector says.

import type { SseEvent } from "./translate.ts";

type Members = Readonly<Record<string, unknown>>;

function members(data: unknown): Members {
  return typeof data === "object" && data !== null ? { ...data } : {};
}

/** Without pings and keep-alives, and with neighbouring deltas of one part joined. */
export function comparable(events: readonly SseEvent[]): SseEvent[] {
  const joined: SseEvent[] = [];
  for (const event of events) {
    if (event.event === "ping" || event.event === "keepalive") continue;
    const last = joined.at(-1);
    const data = last && (grownItem(last, event) ?? grownBlock(last, event));
    if (data === undefined) joined.push(event);
    else joined[joined.length - 1] = { ...event, data };
  }
  return joined;
}

/** Two neighbouring deltas of a response's item as one. */
function grownItem(last: SseEvent, event: SseEvent): Members | undefined {
  const [before, now] = [members(last.data), members(event.data)];
  if (!String(now["type"]).endsWith(".delta")) return undefined;
  if (before["type"] !== now["type"] || before["item_id"] !== now["item_id"]) return undefined;
  return { ...now, delta: `${before["delta"]}${now["delta"]}` };
}

/** Two neighbouring deltas of a message's block as one. */
function grownBlock(last: SseEvent, event: SseEvent): Members | undefined {
  const [before, now] = [members(last.data), members(event.data)];
  if (now["type"] !== "content_block_delta" || before["type"] !== now["type"]) return undefined;
  const [was, is] = [members(before["delta"]), members(now["delta"])];
  const name = BLOCK_TEXTS[String(is["type"])];
  if (name === undefined || was["type"] !== is["type"]) return undefined;
  return { ...now, delta: { ...is, [name]: `${was[name]}${is[name]}` } };
}

const BLOCK_TEXTS: Readonly<Record<string, string>> = {
  text_delta: "text",
  thinking_delta: "thinking",
  input_json_delta: "partial_json",
};

interface Chunk {
  readonly id?: string;
  readonly usage?: unknown;
  readonly choices: readonly {
    readonly finish_reason: string | null;
    readonly delta: {
      readonly role?: string;
      readonly tool_calls?: readonly { readonly index: number; readonly id?: string }[];
    };
  }[];
}

function isChunk(data: unknown): data is Chunk {
  return Array.isArray(members(data)["choices"]);
}

/** The invariants of a Chat stream that do not hold. */
export function checkChatStream(events: readonly SseEvent[], names: readonly string[]): string[] {
  const chunks = events.map((event) => event.data).filter(isChunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  const calls = choices.flatMap((choice) => choice.delta.tool_calls ?? []);
  const firsts = calls.filter((call, at) => calls.findIndex((each) => each.index === call.index) === at);
  const last = chunks.at(-1);
  const holds: Readonly<Record<string, boolean>> = {
    ids_equal: new Set(chunks.map((chunk) => chunk.id)).size === 1,
    role_first: choices[0]?.delta.role === "assistant",
    finish_once: choices.filter((choice) => choice.finish_reason !== null).length === 1,
    usage_chunk_last_before_done:
      last?.choices.length === 0 && members(last.usage)["total_tokens"] !== undefined,
    no_usage_chunk: chunks.every((chunk) => chunk.choices.length > 0 && (chunk.usage ?? null) === null),
    tool_index_dense: firsts.every((call, at) => call.index === at),
    tool_identity_once: calls.filter((call) => call.id !== undefined).length === firsts.length,
    done_last: events.at(-1)?.data === "[DONE]",
  };
  return names.filter((name) => holds[name] !== true);
}
