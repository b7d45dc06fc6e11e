// A protocol made up for tests: a tenth one, as one codec and nothing else. Its answers are lists of steps,
// `{"say":"…"}`, `{"call":[id,name,arguments]}`, `{"over":"…"}`, streamed one by one or whole as `{"steps":[…]}`.
import type { Protocol } from "../../src/core/account.ts";
import { foldEvents, sseEncoder, staged } from "../../src/core/encode-stages.ts";
import type { Fields, Writes } from "../../src/core/fields.ts";
import { type Fold, folderOf } from "../../src/core/fold.ts";
import type { Prompt, StreamEvent } from "../../src/core/hub.ts";
import { arrayAt, isObject, stringAt, type JsonObject } from "../../src/core/json.ts";
import type { Parts } from "../../src/core/parts.ts";
import type { Codec, Translator, Wire } from "../../src/core/ports.ts";
import { guarded, readWhole } from "../../src/core/stream-guard.ts";
import { encodeSse } from "../../src/core/sse.ts";
import { plainErrorBody, readError } from "../../src/core/wire-error.ts";

/** No account can be told to speak it, and nothing else knows its name. */
export const TOY = "toy" as Protocol;

const FIELDS: Fields = { model: { aside: "" }, stream: { aside: "" }, text: { holds: "conversation" } };
const WRITES = new Proxy({} as Writes, { get: (): "hint" => "hint" });

const PARTS = new Proxy({} as Parts, { get: () => "left out" });

class ToyFold implements Fold {
  readonly #steps: JsonObject[] = [];
  #over = false;

  add(step: JsonObject): void {
    this.#steps.push(step);
    this.#over ||= step["over"] !== undefined;
  }

  answer(): JsonObject | undefined {
    return this.#over ? { steps: this.#steps } : undefined;
  }
}

class ToyReader {
  #stop: StreamEvent | undefined;

  read(step: JsonObject): readonly StreamEvent[] {
    const error = readError(step);
    if (error !== undefined) return [{ type: "error", error }];
    const text = stringAt(step, "say");
    const close: StreamEvent = { type: "block_close", whole: true };
    if (text !== undefined)
      return [{ type: "block_open", block: { type: "text" } }, { type: "delta", text }, close];
    const [id, name, input] = (arrayAt(step, "call") ?? []).map(String);
    if (id !== undefined && name !== undefined && input !== undefined)
      return [
        { type: "block_open", block: { type: "call", kind: "function", id, name } },
        { type: "delta", text: input },
        close,
      ];
    this.#stop = { type: "end", stop: { reason: "done" }, usage: undefined };
    return [];
  }

  finish(): readonly StreamEvent[] {
    return this.#stop === undefined ? [] : [this.#stop];
  }
}

/** Steps are told when they are whole. */
function toyWriter(): (event: StreamEvent) => readonly JsonObject[] {
  let text = "";
  let call: readonly string[] | undefined;
  return (event) => {
    switch (event.type) {
      case "block_open":
        text = "";
        call = event.block.type === "call" ? [event.block.id, event.block.name] : undefined;
        return [];
      case "delta":
        text += event.text;
        return [];
      case "block_close":
        return [call === undefined ? { say: text } : { call: [...call, text] }];
      case "end":
        return [{ over: event.stop.reason }];
      case "error":
        return [{ error: { message: event.error.message, type: "server_error" } }];
      default:
        return [];
    }
  };
}

const steps = (answer: JsonObject): readonly JsonObject[] =>
  (arrayAt(answer, "steps") ?? []).filter(isObject);
const line = (step: JsonObject): string => encodeSse(JSON.stringify(step));

const wire: Wire = {
  protocol: TOY,
  family: "openai",
  keepAlive: ": toy\n\n",
  kind: (frame) => {
    if (frame.data?.includes('"error"') === true) return "error";
    return frame.data?.includes('"over"') === true ? "end" : "content";
  },
  usage: () => undefined,
  mayCount: () => false,
  responseId: () => undefined,
  isAnswer: (data) => arrayAt(data, "steps") !== undefined,
  error: readError,
  errorBody: plainErrorBody,
  errorEvent: (fault) => line(plainErrorBody(fault)),
  unfold: (answer) => steps(answer).map(line).join(""),
  folder: () => folderOf(new ToyFold()),
  leaveOut: (body) => ({ body, dropped: [] }),
  seals: () => [],
};

const translator: Translator = {
  fields: FIELDS,
  writes: WRITES,
  parts: PARTS,
  decodeRequest: (body) => ({ ...EMPTY, items: [said(String(body["text"]))], request: body }),
  encodeRequest: ({ items }, { model, stream }) => ({ model, stream, text: items.map(textIn).join("\n") }),
  decoder: () => guarded(new ToyReader()),
  encoder: (prompt) => sseEncoder(prompt, toyWriter()),
  decodeAnswer: (answer) => readWhole(new ToyReader(), steps(answer)),
  encodeAnswer: (events, prompt) => foldEvents(events, staged(prompt, toyWriter()), new ToyFold()),
};

function said(text: string): Prompt["items"][number] {
  return { type: "message", role: "user", blocks: [{ type: "text", text }] };
}

function textIn(item: Prompt["items"][number]): string {
  const blocks = item.type === "message" ? item.blocks : [];
  return blocks.map((block) => (block.type === "text" ? block.text : "")).join("");
}

const NOBODY: Prompt["identity"] = {
  user: undefined,
  safetyId: undefined,
  metadata: undefined,
  tier: undefined,
  cacheKey: undefined,
  cacheRetention: undefined,
  cacheOptions: undefined,
};

const EMPTY: Prompt = {
  protocol: TOY,
  items: [],
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
  identity: NOBODY,
  tellUsage: true,
  dropped: [],
  request: {},
};

export const toyCodec: Codec = { wire, translator };
