// Calls as the client's own tools: upstreams see flat names, and some know only functions.

import { InputUnwrapper } from "./custom-input.ts";
import type { CallHead, StreamEvent } from "./hub.ts";
import { arrayAt, isObject, objectAt, parseObject, stringAt } from "./json.ts";
import type { ToolNames } from "./tool-names.ts";

/** A function that models call without its being declared; it stands for several calls at once. */
const PARALLEL: ReadonlySet<string> = new Set(["parallel", "multi_tool_use.parallel"]);

export class CallRestorer {
  readonly #names: ToolNames;
  #unwrapper: InputUnwrapper | undefined;
  /** An undeclared parallel call, collected. */
  #parallel: { readonly head: CallHead; text: string } | undefined;

  constructor(names: ToolNames) {
    this.#names = names;
  }

  step(event: StreamEvent): readonly StreamEvent[] {
    if (this.#parallel !== undefined) return this.#collect(this.#parallel, event);
    switch (event.type) {
      case "block_open":
        return event.block.type === "call" ? this.#open(event.block) : [event];
      case "delta":
        return this.#unwrapper === undefined ? [event] : asDelta(this.#unwrapper.push(event.text));
      case "block_close": {
        const rest = this.#unwrapper?.end() ?? "";
        this.#unwrapper = undefined;
        return [...asDelta(rest), event];
      }
      default:
        return [event];
    }
  }

  #open(head: CallHead): StreamEvent[] {
    const tool = this.#names.tool(head.name);
    if (tool === undefined && PARALLEL.has(head.name)) {
      this.#parallel = { head, text: "" };
      return [];
    }
    const wrapped = tool?.kind === "custom" && head.kind === "function";
    if (wrapped) this.#unwrapper = new InputUnwrapper();
    const kind = wrapped ? "custom" : head.kind;
    const { name, namespace } = tool ?? head;
    return [{ type: "block_open", block: { type: "call", kind, id: head.id, name, namespace } }];
  }

  #collect(parallel: { readonly head: CallHead; text: string }, event: StreamEvent): StreamEvent[] {
    if (event.type === "delta") {
      parallel.text += event.text;
      return [];
    }
    this.#parallel = undefined;
    if (event.type !== "block_close") return [event];
    const calls = event.whole ? expanded(parallel.head, parallel.text) : undefined;
    if (calls === undefined)
      return [{ type: "block_open", block: parallel.head }, ...asDelta(parallel.text), event];
    return calls.flatMap(({ head, text }) => [
      ...this.#open(head),
      ...this.step({ type: "delta", text }),
      ...this.step({ type: "block_close", whole: true }),
    ]);
  }
}

function asDelta(text: string): StreamEvent[] {
  return text === "" ? [] : [{ type: "delta", text }];
}

/** The calls within `{tool_uses:[{recipient_name,parameters}]}`; undefined when it is not that. */
function expanded(head: CallHead, text: string): { head: CallHead; text: string }[] | undefined {
  const uses = arrayAt(parseObject(text), "tool_uses") ?? [];
  if (uses.length === 0 || !uses.every(isObject)) return undefined;
  return uses.map((use, index) => ({
    head: {
      type: "call",
      kind: "function",
      id: `${head.id}_${index}`,
      name: (stringAt(use, "recipient_name") ?? "").replace(/^functions\./, ""),
    },
    text: JSON.stringify(objectAt(use, "parameters") ?? {}),
  }));
}
