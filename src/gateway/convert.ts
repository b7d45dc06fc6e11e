// From an upstream's protocol to the client's: nothing at all when they are the same, else through the hub.

import { GatewayError } from "../core/errors.ts";
import type { Prompt, StreamEvent } from "../core/hub.ts";
import type { JsonObject } from "../core/json.ts";
import type { Codec, EncodeContext, Folder, Translator, Wire } from "../core/ports.ts";
import type { SseFrame } from "../core/sse.ts";

/** How one upstream answer becomes one client answer. */
export interface Conversion {
  /** A stream's frames, one by one; undefined when bytes pass unchanged. @throws GatewayError on a broken stream */
  readonly stream: (() => StreamConversion) | undefined;
  /** A whole answer; undefined when bytes pass unchanged. */
  readonly whole: ((answer: JsonObject) => JsonObject) | undefined;
  /** A whole answer for a client that wants a stream. */
  unfold(answer: JsonObject): string;
  /** A stream for a client that wants a whole answer. */
  folder(): Folder;
}

export interface StreamConversion {
  push(frame: SseFrame): string;
  end(): string;
}

/** The same protocol on both sides. */
export function passing(wire: Wire): Conversion {
  return {
    stream: undefined,
    whole: undefined,
    unfold: (answer) => wire.unfold(answer),
    folder: () => wire.folder(),
  };
}

export interface TranslationContext extends EncodeContext {
  readonly prompt: Prompt;
}

/** From `upstream`'s protocol to `client`'s. @throws GatewayError when one of them cannot be translated */
export function translating(upstream: Codec, client: Codec, context: TranslationContext): Conversion {
  const from = translatorOf(upstream);
  const to = translatorOf(client);
  const whole = (answer: JsonObject): JsonObject =>
    to.encodeAnswer(checked(from.decodeAnswer(answer)), context.prompt, context);
  return {
    stream: () => {
      const decoder = from.decoder();
      const encoder = to.encoder(context.prompt, context);
      const text = (events: readonly StreamEvent[]): string =>
        checked(events)
          .map((event) => encoder.push(event))
          .join("");
      return { push: (frame) => text(decoder.push(frame)), end: () => text(decoder.end()) };
    },
    whole,
    unfold: (answer) => {
      const encoder = to.encoder(context.prompt, context);
      return checked(from.decodeAnswer(answer))
        .map((event) => encoder.push(event))
        .join("");
    },
    folder: () => {
      const folder = upstream.wire.folder();
      return {
        push: (frame) => folder.push(frame),
        answer: () => {
          const answer = folder.answer();
          return answer && whole(answer);
        },
      };
    },
  };
}

export function translatorOf(codec: Codec): Translator {
  if (codec.translator !== undefined) return codec.translator;
  throw new GatewayError("internal", `${codec.wire.protocol} cannot be translated`);
}

/** Decoders say by an event that a stream makes no sense; the relay tells it as it tells every failure. */
function checked(events: readonly StreamEvent[]): readonly StreamEvent[] {
  if (events.some((event) => event.type === "error")) {
    throw new GatewayError("upstream_failed", "the upstream's answer could not be read to its end");
  }
  return events;
}
