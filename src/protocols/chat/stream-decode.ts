// Chunks of a completion read into hub events. Text, reasoning and calls come on channels of their own and may
// overlap; nothing marks the end of a call but what follows it.

import type { Annotation, BlockHead, Stop, StreamEvent } from "../../core/hub.ts";
import type { Usage } from "../../core/exchange.ts";
import { arrayAt, isObject, numberAt, objectAt, parseObject, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { Sequence } from "../../core/sequence.ts";
import type { EventReader } from "../../core/stream-guard.ts";
import { inventedId } from "../../core/tool-names.ts";
import { wholeUsage } from "../../core/usage.ts";
import { growName } from "./deltas.ts";
import { decodeFinish } from "./finish.ts";
import { chatWire } from "./wire.ts";

interface Call {
  readonly key: string;
  readonly ordinal: number;
  id: string;
  name: string;
  kind: "function" | "custom";
  /** Once begun it has its name, and its input streams. */
  begun: boolean;
  closed: boolean;
  readonly pieces: string[];
}

/** Reasons for which nothing was cut off. */
const ENDED: ReadonlySet<string> = new Set(["done", "tool_call"]);

type Channel = "text" | "refusal" | "reasoning";

export class ChunkReader implements EventReader {
  readonly #sequence = new Sequence();
  readonly #calls = new Map<number, Call>();
  #lastIndex = 0;
  #started = false;
  #id = "";
  #keys = 0;
  /** The text channel that was last written to, while nothing else came. */
  #open: { readonly channel: Channel; readonly key: string } | undefined;
  #usage: Partial<Usage> = {};
  #counted = false;
  #tier: string | undefined;
  #stop: Stop | undefined;

  read(chunk: JsonObject): readonly StreamEvent[] {
    const error = chatWire.error(chunk);
    if (error !== undefined) return [{ type: "error", error }];
    const start = this.#start(chunk);
    this.#count(chunk);
    for (const choice of arrayAt(chunk, "choices") ?? [])
      // More than one answer was not asked for; what a server sends beyond the first is not the answer.
      if (isObject(choice) && (numberAt(choice, "index") ?? 0) === 0) this.#choice(choice);
    return [...start, ...this.#sequence.take()];
  }

  finish(): readonly StreamEvent[] {
    const stop = this.#stop;
    if (stop === undefined) return [];
    if (stop.word === "error") {
      const message = "the upstream broke the answer off";
      const error = { status: 502, type: "server_error", code: undefined, message, param: undefined };
      return [{ type: "error", error }];
    }
    this.#sequence.closeAll();
    const usage = this.#counted ? wholeUsage(this.#usage) : undefined;
    return [...this.#sequence.take(), { type: "end", stop, usage, tier: this.#tier }];
  }

  #start(chunk: JsonObject): StreamEvent[] {
    if (this.#started) return [];
    this.#started = true;
    this.#id = stringAt(chunk, "id") ?? "";
    return [{ type: "start", id: this.#id, model: stringAt(chunk, "model") ?? "" }];
  }

  #count(chunk: JsonObject): void {
    this.#tier = stringAt(chunk, "service_tier") ?? this.#tier;
    const usage = isObject(chunk["usage"]) ? chatWire.usage(chunk) : undefined;
    if (usage === undefined) return;
    this.#counted = true;
    this.#usage = { ...this.#usage, ...usage };
  }

  #choice(choice: JsonObject): void {
    const delta = objectAt(choice, "delta");
    if (delta !== undefined) this.#delta(delta, choice);
    const finish = stringAt(choice, "finish_reason");
    if (finish === undefined) return;
    this.#stop = decodeFinish(finish);
    let last: Call | undefined;
    for (const call of this.#calls.values()) {
      this.#begin(call);
      last = call;
    }
    // Free text does not show whether it is whole; the last one is not when the answer broke off.
    if (last?.kind === "custom" && !ENDED.has(this.#stop.reason)) this.#sequence.close(last.key, false);
    this.#sequence.closeAll();
  }

  #delta(delta: JsonObject, choice: JsonObject): void {
    this.#text("reasoning", stringAt(delta, "reasoning_content") ?? stringAt(delta, "reasoning"));
    this.#text("text", textOf(delta["content"]), tokensOf(choice));
    for (const annotation of arrayAt(delta, "annotations") ?? []) this.#annotate(annotation);
    this.#text("refusal", stringAt(delta, "refusal"));
    for (const call of arrayAt(delta, "tool_calls") ?? []) if (isObject(call)) this.#call(call);
    const old = objectAt(delta, "function_call");
    if (old !== undefined) this.#call({ index: 0, function: old });
  }

  #text(channel: Channel, text: string | undefined, logprobs?: readonly JsonObject[]): void {
    if (text === undefined || text === "") return;
    let open = this.#open;
    if (open?.channel !== channel) {
      this.#settle();
      open = { channel, key: this.#newKey() };
      this.#sequence.open(open.key, { type: channel } satisfies BlockHead);
      this.#open = open;
    }
    this.#sequence.add(
      open.key,
      logprobs === undefined ? { type: "delta", text } : { type: "delta", text, logprobs },
    );
  }

  #annotate(annotation: Json): void {
    const read = this.#open?.channel === "text" ? decodeAnnotation(annotation) : undefined;
    if (this.#open !== undefined && read !== undefined)
      this.#sequence.add(this.#open.key, { type: "annotation", annotation: read });
  }

  /** Before something new opens: closes what is surely complete. A call is when its arguments are an object. */
  #settle(): void {
    if (this.#open !== undefined) this.#sequence.close(this.#open.key);
    this.#open = undefined;
    for (const call of this.#calls.values()) {
      if (call.closed || !call.begun || call.kind === "custom") continue;
      if (parseObject(call.pieces.join("")) === undefined) continue;
      call.closed = true;
      this.#sequence.close(call.key);
    }
  }

  #call(delta: JsonObject): void {
    const call = this.#callOf(delta);
    const body = objectAt(delta, "custom") ?? objectAt(delta, "function");
    if (isObject(delta["custom"]) || delta["type"] === "custom") call.kind = "custom";
    if (!call.begun) call.name = growName(call.name, stringAt(body, "name"));
    const piece = stringAt(body, call.kind === "custom" ? "input" : "arguments") ?? "";
    if (piece === "") return;
    // The first piece of input tells that the name is whole.
    this.#begin(call);
    call.pieces.push(piece);
    this.#sequence.add(call.key, { type: "delta", text: piece });
  }

  /** The call a delta belongs to: by its index, except that a new id is a new call whatever the index says. */
  #callOf(delta: JsonObject): Call {
    const id = stringAt(delta, "id") ?? "";
    const index = numberAt(delta, "index") ?? this.#lastIndex;
    this.#lastIndex = index;
    const held = this.#calls.get(index);
    if (held !== undefined && (id === "" || held.id === "" || held.id === id)) {
      if (id !== "" && !held.begun) held.id = id;
      return held;
    }
    const call: Call = {
      key: this.#newKey(),
      ordinal: this.#calls.size,
      id,
      name: "",
      kind: "function",
      begun: false,
      closed: false,
      pieces: [],
    };
    if (held !== undefined) this.#retire(index, held);
    this.#calls.set(index, call);
    return call;
  }

  /** Makes room at an index that a server uses twice. */
  #retire(index: number, call: Call): void {
    this.#begin(call);
    this.#calls.delete(index);
    this.#calls.set(-1 - this.#calls.size, call);
  }

  #begin(call: Call): void {
    if (call.begun) return;
    this.#settle();
    call.begun = true;
    if (call.id === "") call.id = inventedId(this.#id, call.ordinal);
    const { kind, id, name } = call;
    this.#sequence.open(call.key, { type: "call", kind, id, name });
  }

  #newKey(): string {
    return String(this.#keys++);
  }
}

/** Text, or a list of parts as a few servers send it. */
function textOf(content: Json | undefined): string | undefined {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((part) => stringAt(part, "text") ?? "").join("") : undefined;
}

function tokensOf(choice: JsonObject): readonly JsonObject[] | undefined {
  return arrayAt(choice["logprobs"], "content")?.filter(isObject);
}

function decodeAnnotation(annotation: Json): Annotation | undefined {
  const citation = objectAt(annotation, "url_citation");
  const url = stringAt(citation, "url");
  if (url === undefined) return undefined;
  return {
    type: "url",
    url,
    title: stringAt(citation, "title") ?? "",
    start: numberAt(citation, "start_index") ?? 0,
    end: numberAt(citation, "end_index") ?? 0,
  };
}
