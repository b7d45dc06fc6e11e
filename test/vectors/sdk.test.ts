// The official client reads translated streams: a second opinion on the grammar.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import OpenAI from "openai";
import { CODECS } from "../../src/protocols/index.ts";
import type { Protocol } from "../../src/core/account.ts";
import { arrayAt, objectAt, stringAt, type JsonObject } from "../../src/core/json.ts";
import { completion, response } from "./samples.ts";
import * as run from "./translate.ts";

/** A client whose every request is answered with these bytes. */
function clientReading(text: string): OpenAI {
  const fetch = async (): Promise<Response> =>
    new Response(text, { headers: { "content-type": "text/event-stream" } });
  return new OpenAI({ apiKey: "k", baseURL: "http://localhost", fetch, maxRetries: 0 });
}

function translated(from: Protocol, to: Protocol, answer: JsonObject, request: JsonObject): string {
  const bytes = new TextEncoder().encode(CODECS[from].wire.unfold(answer));
  return run.encodeStream(to, run.decodeStream(from, [bytes]), request);
}

const messages = [{ role: "user" as const, content: "x" }];

describe("chat.completions.stream", () => {
  test("reads what the response said", async () => {
    await fc.assert(
      fc.asyncProperty(response, async (answer) => {
        const request = {
          model: "m",
          messages,
          stream: true,
          stream_options: { include_usage: true },
        } as const;
        const client = clientReading(translated("responses", "chat", answer, request));
        const read = await client.chat.completions.stream(request).finalChatCompletion();
        const whole = run.translateAnswer("responses", "chat", answer, { model: "m", messages });
        expect<unknown>(run.asSent({ choices: read.choices })).toMatchObject(expected(whole));
        expect<unknown>(run.asSent(read.usage ?? null)).toEqual(run.asSent(whole["usage"] ?? null));
      }),
      { numRuns: 60 },
    );
  });

  test("raises on an upstream that broke off", async () => {
    const bytes = new TextEncoder().encode(CODECS.responses.wire.unfold(await sampleResponse()));
    const events = run.decodeStream("responses", [bytes.subarray(0, bytes.length - 400)]);
    const request = { model: "m", messages, stream: true } as const;
    const client = clientReading(run.encodeStream("chat", events, request));
    const stream = client.chat.completions.stream(request);
    await expect(stream.finalChatCompletion()).rejects.toThrow("ended before the answer did");
  });
});

async function sampleResponse(): Promise<JsonObject> {
  return fc.sample(response, { numRuns: 1, seed: 7 })[0] ?? {};
}

/** The SDK adds `parsed`, and has "" for no content. */
function expected(whole: JsonObject): JsonObject {
  const [choice] = arrayAt(whole, "choices") ?? [];
  const message = objectAt(choice, "message");
  const calls = arrayAt(message, "tool_calls");
  return {
    choices: [
      {
        finish_reason: stringAt(choice, "finish_reason"),
        message: { content: stringAt(message, "content") ?? "", ...(calls && { tool_calls: calls }) },
      },
    ],
  };
}

describe("responses.stream", () => {
  const request = { model: "m", input: "x", stream: true } as const;

  test("reads what the completion said", async () => {
    await fc.assert(
      fc.asyncProperty(completion, async (answer) => {
        const client = clientReading(translated("chat", "responses", answer, request));
        const read = await client.responses.stream(request).finalResponse();
        const whole = run.translateAnswer("chat", "responses", answer, request);
        expect(run.asSent(read)).toMatchObject({
          id: "resp_up1",
          status: whole["status"],
          usage: whole["usage"],
        } as JsonObject);
        expect(run.asSent(read.output)).toMatchObject(whole["output"] as JsonObject[]);
      }),
      { numRuns: 60 },
    );
  });

  test("sees the failure of an upstream that broke off, under the id it knows", async () => {
    const bytes = new TextEncoder().encode(
      'data: {"id":"chatcmpl-up1","choices":[{"index":0,"delta":{"content":"Par"}}]}\n\n',
    );
    const client = clientReading(run.encodeStream("responses", run.decodeStream("chat", [bytes]), request));
    const read = await client.responses.stream(request).finalResponse();
    expect(read.status).toBe("failed");
    expect(read.error?.message).toContain("gateway_upstream_cut");
  });

  test("takes the gateway's own error event in a stream it has begun to pass on", async () => {
    const created = {
      type: "response.created",
      sequence_number: 0,
      response: { id: "resp_9", object: "response", status: "in_progress", output: [] },
    };
    const fault = {
      status: 502,
      type: "server_error",
      code: "gateway_upstream_cut",
      message: "cut",
      param: null,
      retryAfterMs: undefined,
      retry: undefined,
    };
    const event = CODECS.responses.wire.errorEvent(fault, "req1", "resp_9");
    const client = clientReading(
      `data: ${JSON.stringify(created)}\n\n${CODECS.responses.wire.keepAlive}${event}`,
    );
    const read = await client.responses.stream(request).finalResponse();
    expect(read.error).toEqual({ code: "server_error", message: "gateway_upstream_cut: cut" });
  });
});
