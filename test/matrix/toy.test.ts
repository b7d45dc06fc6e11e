// A further protocol is one codec and one line in the table: every pair with it works without another change.
import { describe, expect, test } from "bun:test";
import { createEnvelopes } from "../../src/core/envelope.ts";
import { parseObject, type JsonObject } from "../../src/core/json.ts";
import type { Codec } from "../../src/core/ports.ts";
import { SseReader } from "../../src/core/sse.ts";
import { translatedBody } from "../../src/gateway/body.ts";
import { translating, translatorOf, type Conversion } from "../../src/gateway/convert.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { TOY, toyCodec } from "./toy.ts";

const TABLE: readonly Codec[] = [...Object.values(CODECS), toyCodec];
const PAIRS = TABLE.flatMap((client) => TABLE.map((upstream) => ({ client, upstream })))
  .filter(({ client, upstream }) => client !== upstream && [client, upstream].includes(toyCodec))
  .map((pair) => ({ ...pair, from: pair.upstream.wire.protocol, to: pair.client.wire.protocol }));
const STEPS: readonly JsonObject[] = [
  { say: "Grüße 漢" },
  { call: ["call_1", "get", '{"a":1}'] },
  { over: "tool_call" },
];

function asked({ wire }: Codec): JsonObject {
  if (wire.protocol === TOY) return { model: "m", text: "Hi" };
  if (wire.protocol === "responses") return { model: "m", input: "Hi" };
  return { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
}

function conversion(upstream: Codec, client: Codec): Conversion {
  const prompt = translatorOf(client).decodeRequest(asked(client));
  const envelopes = createEnvelopes(() => [new Uint8Array(32)]);
  const context = { model: "m", createdAt: 1, requestId: "req_1", envelopes, issuer: "i" };
  return translating(upstream, client, { ...context, prompt });
}

/** The steps as an answer of this protocol. */
function answerIn(codec: Codec): JsonObject {
  return codec === toyCodec
    ? { steps: STEPS }
    : (conversion(toyCodec, codec).whole?.({ steps: STEPS }) ?? {});
}

function streamed(upstream: Codec, client: Codec, text: string): string {
  const stream = conversion(upstream, client).stream?.();
  const frames = new SseReader().push(new TextEncoder().encode(text));
  return frames.map((frame) => stream?.push(frame) ?? "").join("") + (stream?.end() ?? "");
}

function folded({ wire }: Codec, text: string): JsonObject | undefined {
  const folder = wire.folder();
  for (const frame of new SseReader().push(new TextEncoder().encode(text))) folder.push(frame);
  return folder.answer();
}

test("the protocol is in three pairs as a client's and in three as an upstream's", () => {
  expect(PAIRS.map(({ from, to }) => `${from} ${to}`)).toHaveLength(2 * Object.keys(CODECS).length);
});

describe.each(PAIRS)("$to over $from", ({ client, upstream }) => {
  test("a request arrives", () => {
    const prompt = translatorOf(client).decodeRequest(asked(client));
    const { body } = translatedBody(prompt, client, upstream, { model: "m", stream: true });
    const sent = parseObject(new TextDecoder().decode(body));
    expect(JSON.stringify(sent)).toContain('"Hi"');
    expect(sent?.["model"]).toBe("m");
  });

  test("an answer of text and a call arrives, whole and streamed alike", () => {
    const answer = answerIn(upstream);
    const whole = conversion(upstream, client).whole?.(answer);
    const stream = streamed(upstream, client, upstream.wire.unfold(answer));
    expect(folded(client, stream)).toEqual(JSON.parse(JSON.stringify(whole)));
    const back = conversion(client, toyCodec).whole?.(whole ?? {});
    expect(client === toyCodec ? whole : back).toEqual({ steps: STEPS });
  });

  test("an error is told, and a cut never is a success", () => {
    const text = upstream.wire.unfold(answerIn(upstream));
    const fault = {
      status: 500,
      type: "server_error",
      code: null,
      message: "broke",
      param: null,
      retryAfterMs: undefined,
      retry: undefined,
    };
    const begun = text.slice(0, text.indexOf("\n\n") + 2);
    const failed = streamed(upstream, client, begun + upstream.wire.errorEvent(fault, "req_1"));
    expect(failed).toContain("broke");
    expect(folded(client, failed)).toBeUndefined();
    for (let end = 0; end < text.length - 40; end += 7)
      expect(folded(client, streamed(upstream, client, text.slice(0, end)))).toBeUndefined();
  });
});
