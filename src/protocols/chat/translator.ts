// Chat Completions to the hub and back. A whole answer is a short stream: it is read and written as one.

import { foldEvents, staged } from "../../core/encode-stages.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Translator } from "../../core/ports.ts";
import { encodeSse } from "../../core/sse.ts";
import { guarded, readWhole } from "../../core/stream-guard.ts";
import { CompletionFold } from "./fold.ts";
import { CHAT_FIELDS, CHAT_WRITES } from "./fields.ts";
import { CHAT_PARTS } from "./parts.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { ChunkReader } from "./stream-decode.ts";
import { ChunkWriter } from "./stream-encode.ts";
import { unfoldEvents } from "./unfold.ts";
import { DONE } from "./wire.ts";

const asSse = (chunk: JsonObject): string => encodeSse(JSON.stringify(chunk));

export const chatTranslator: Translator = {
  fields: CHAT_FIELDS,
  writes: CHAT_WRITES,
  parts: CHAT_PARTS,
  decodeRequest,
  encodeRequest,
  decoder: () => guarded(new ChunkReader(), DONE),
  encoder(prompt, context) {
    const writer = new ChunkWriter(prompt, context);
    const write = staged(prompt, writer.write);
    return {
      push(event) {
        const text = write(event).map(asSse).join("");
        return writer.ended ? text + encodeSse(DONE) : text;
      },
    };
  },
  decodeAnswer: (answer) => readWhole(new ChunkReader(), unfoldEvents(answer)),
  encodeAnswer(events, prompt, context) {
    const { write } = new ChunkWriter({ ...prompt, tellUsage: true }, context);
    return foldEvents(events, staged(prompt, write), new CompletionFold());
  },
};
