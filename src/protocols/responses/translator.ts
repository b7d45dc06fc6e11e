// Responses to the hub and back. A whole answer is a short stream: it is read and written as one.

import { foldEvents, sseEncoder, staged } from "../../core/encode-stages.ts";
import type { Translator } from "../../core/ports.ts";
import { guarded, readWhole } from "../../core/stream-guard.ts";
import { ResponseFold } from "./fold.ts";
import { RESPONSES_FIELDS, RESPONSES_WRITES } from "./fields.ts";
import { RESPONSES_PARTS } from "./parts.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { ResponseReader } from "./stream-decode.ts";
import { ResponseWriter } from "./stream-encode.ts";
import { unfoldEvents } from "./unfold.ts";

export const responsesTranslator: Translator = {
  fields: RESPONSES_FIELDS,
  writes: RESPONSES_WRITES,
  parts: RESPONSES_PARTS,
  decodeRequest,
  encodeRequest,
  // Some servers end this protocol's streams with Chat's marker.
  decoder: () => guarded(new ResponseReader(), "[DONE]"),
  encoder: (prompt, context) => sseEncoder(prompt, new ResponseWriter(prompt, context).write),
  decodeAnswer: (answer) => readWhole(new ResponseReader(), unfoldEvents(answer)),
  encodeAnswer(events, prompt, context) {
    const { write } = new ResponseWriter(prompt, context);
    return foldEvents(events, staged(prompt, write), new ResponseFold());
  },
};
