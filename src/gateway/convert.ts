// From an upstream's protocol to the client's: nothing at all when they are the same, else through the hub.

import type { Envelopes } from "../core/envelope.ts";
import { type Failure, GatewayError } from "../core/errors.ts";
import type { Prompt, StreamEvent } from "../core/hub.ts";
import type { JsonObject } from "../core/json.ts";
import type {
  Codec,
  EncodeContext,
  Folder,
  StreamDecoder,
  StreamEncoder,
  Translator,
  Wire,
} from "../core/ports.ts";
import { enclosing } from "../core/reasoning.ts";
import type { SseFrame } from "../core/sse.ts";
import { faultOfError } from "../core/wire-error.ts";

/** How one upstream answer becomes one client answer. */
export interface Conversion {
  /** A stream's frames, one by one; undefined when bytes pass unchanged. */
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
  /** The event that tells the client of a failure, in the place where the stream stands. */
  fail(failure: Failure): string;
  /** Why the upstream's stream makes no sense, once it does not; the client has been told. */
  readonly failure: Failure | undefined;
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
  readonly envelopes: Envelopes;
  /** The account that answers, as envelopes name it. */
  readonly issuer: string;
}

/** From `upstream`'s protocol to `client`'s. @throws GatewayError when one of them cannot be translated */
export function translating(upstream: Codec, client: Codec, context: TranslationContext): Conversion {
  const from = translatorOf(upstream);
  const to = translatorOf(client);
  const { prompt, envelopes, issuer } = context;
  const decode = (answer: JsonObject): StreamEvent[] =>
    from.decodeAnswer(answer).map(enclosing(envelopes, issuer, prompt));
  const whole = (answer: JsonObject): JsonObject => to.encodeAnswer(decode(answer), prompt, context);
  const encoder = (): StreamEncoder => {
    const encoded = to.encoder(prompt, context);
    const enclosed = enclosing(envelopes, issuer, prompt);
    return { push: (event) => encoded.push(enclosed(event)) };
  };
  return {
    stream: () => new Translation(from.decoder(), encoder(), client.wire),
    whole,
    unfold: (answer) => {
      const encoded = encoder();
      const text = (event: StreamEvent): string => {
        if (event.type === "error") throw new GatewayError("upstream_failed", event.error.message);
        return encoded.push(event);
      };
      return from.decodeAnswer(answer).map(text).join("");
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

class Translation implements StreamConversion {
  failure: Failure | undefined;
  readonly #decoder: StreamDecoder;
  readonly #encoder: StreamEncoder;
  readonly #wire: Wire;

  constructor(decoder: StreamDecoder, encoder: StreamEncoder, wire: Wire) {
    this.#decoder = decoder;
    this.#encoder = encoder;
    this.#wire = wire;
  }

  push(frame: SseFrame): string {
    return this.#text(this.#decoder.push(frame));
  }

  end(): string {
    return this.#text(this.#decoder.end());
  }

  fail(failure: Failure): string {
    return this.#encoder.push({ type: "error", error: failure });
  }

  #text(events: readonly StreamEvent[]): string {
    let text = "";
    for (const event of events) {
      if (this.failure !== undefined) break;
      text += this.#encoder.push(event);
      if (event.type !== "error") continue;
      const { error } = event;
      this.failure = error instanceof GatewayError ? error : faultOfError(error, this.#wire.family);
    }
    return text;
  }
}

export function translatorOf(codec: Codec): Translator {
  if (codec.translator !== undefined) return codec.translator;
  throw new GatewayError("internal", `${codec.wire.protocol} cannot be translated`);
}
