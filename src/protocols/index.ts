// The table of protocols: one folder each, none of which knows another.

import type { Protocol } from "../core/account.ts";
import type { Codec } from "../core/ports.ts";
import { chatTranslator } from "./chat/translator.ts";
import { chatWire } from "./chat/wire.ts";
import { messagesTranslator } from "./messages/translator.ts";
import { messagesWire } from "./messages/wire.ts";
import { responsesTranslator } from "./responses/translator.ts";
import { responsesWire } from "./responses/wire.ts";

export const CODECS: Readonly<Record<Protocol, Codec>> = {
  messages: { wire: messagesWire, translator: messagesTranslator },
  responses: { wire: responsesWire, translator: responsesTranslator },
  chat: { wire: chatWire, translator: chatTranslator },
};
