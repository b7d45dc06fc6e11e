// Reasoning in a message. This protocol has a text for it at most; what another has sealed stands beside it, block by
// block, in the list that clients of many vendors' servers know and send back.

import { isShowable, MARK, readSeal } from "../../core/envelope.ts";
import type { ReasoningItem, Seal } from "../../core/hub.ts";
import { arrayAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

/** `{type: "reasoning.text", index, text, signature}[]` */
export const DETAILS = "reasoning_details";
/** No seal is of this protocol. */
const NONE = { protocol: "chat", kind: "encrypted" } as const;

/** The blocks of a message that goes out, as they come. */
export class ReasoningDetails {
  readonly #entries: JsonObject[] = [];
  #text = "";

  open(): void {
    this.#text = "";
  }

  grow(text: string): void {
    this.#text += text;
  }

  seal(seal: Seal): void {
    if (!isShowable(seal, "chat")) return;
    const index = this.#entries.length;
    this.#entries.push({ type: "reasoning.text", index, text: this.#text, signature: seal.data });
  }

  /** All of them at once: clients put lists together in more than one way. Undefined when there are none. */
  delta(): JsonObject | undefined {
    return this.#entries.length > 0 ? { [DETAILS]: this.#entries } : undefined;
  }
}

/** The reasoning of a message that came back. */
export function decodeReasoning(message: JsonObject): ReasoningItem[] {
  const sealed = (arrayAt(message, DETAILS) ?? []).flatMap((entry): ReasoningItem[] => {
    const signature = stringAt(entry, "signature");
    if (signature?.startsWith(MARK) !== true) return [];
    const text = stringAt(entry, "text") ?? "";
    return [{ type: "reasoning", parts: text === "" ? [] : [text], seals: [readSeal(signature, NONE)] }];
  });
  if (sealed.length > 0) return sealed;
  const text = stringAt(message, "reasoning_content") ?? stringAt(message, "reasoning") ?? "";
  return text === "" ? [] : [{ type: "reasoning", parts: [text], seals: [] }];
}
