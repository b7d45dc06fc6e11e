// Messages to the hub and back. A whole answer is a short stream: it is read and written as one.

import { foldEvents, sseEncoder, staged } from "../../core/encode-stages.ts";
import type { StreamEvent } from "../../core/hub.ts";
import type { Translator } from "../../core/ports.ts";
import { guarded, readWhole } from "../../core/stream-guard.ts";
import { MessageFold } from "./fold.ts";
import { MESSAGES_FIELDS, MESSAGES_WRITES } from "./fields.ts";
import { MESSAGES_PARTS } from "./parts.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { MessageReader } from "./stream-decode.ts";
import { MessageWriter } from "./stream-encode.ts";
import { unfoldEvents } from "./unfold.ts";

export const messagesTranslator: Translator = {
  fields: MESSAGES_FIELDS,
  writes: MESSAGES_WRITES,
  parts: MESSAGES_PARTS,
  decodeRequest,
  encodeRequest,
  // Some servers end this protocol's streams with a marker that belongs to another.
  decoder: () => guarded(new MessageReader(), "[DONE]"),
  encoder: (prompt, context) => sseEncoder(prompt, new MessageWriter(prompt, context).write),
  decodeAnswer: (answer) => readWhole(new MessageReader(), unfoldEvents(answer)),
  encodeAnswer(events, prompt, context) {
    const { write } = new MessageWriter(prompt, context);
    return foldEvents(withoutCutCall(events), staged(prompt, write), new MessageFold());
  },
};

/** A whole message has no room for half an object; that the answer was cut is told by its stop reason. */
function withoutCutCall(events: readonly StreamEvent[]): readonly StreamEvent[] {
  const close = events.findIndex((event) => event.type === "block_close" && !event.whole);
  const open = events.findLastIndex((event, at) => at < close && event.type === "block_open");
  const head = events[open];
  const cut = head?.type === "block_open" && head.block.type === "call" && head.block.kind === "function";
  return cut ? [...events.slice(0, open), ...events.slice(close + 1)] : events;
}
