// The official clients read translated streams: a second opinion on the grammar.

import { describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import fc from "fast-check";
import OpenAI from "openai";
import { CODECS } from "../../src/protocols/index.ts";
import type { Protocol } from "../../src/core/account.ts";
import { arrayAt, objectAt, stringAt, type JsonObject } from "../../src/core/json.ts";
import { judgeStream } from "../support/oracle.ts";
import { sampleAnswer, sampleStream, STREAM_NAMES } from "../support/samples.ts";
import { completion, message, response } from "./samples.ts";
import * as run from "./translate.ts";

/** Settings of a client whose every request is answered with these bytes. */
function answering(text: string) {
  const fetch = async (): Promise<Response> =>
    new Response(text, { headers: { "content-type": "text/event-stream" } });
  return { apiKey: "k", baseURL: "http://localhost", fetch, maxRetries: 0 };
}

const clientReading = (text: string): OpenAI => new OpenAI(answering(text));

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

describe("messages.stream", () => {
  const request = {
    model: "m",
    max_tokens: 4096,
    messages,
    thinking: { type: "adaptive" },
    stream: true,
  } as const;
  const read = (text: string): Promise<Anthropic.Message> =>
    new Anthropic(answering(text)).messages.stream(request).finalMessage();

  test.each([
    ["chat", completion],
    ["responses", response],
    ["messages", message],
  ] as const)("reads what an answer of %s said", async (from, answers) => {
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        const text = translated(from, "messages", answer, request);
        expect(judgeStream("messages", new TextEncoder().encode(text)).problems).toEqual([]);
        const whole = run.translateAnswer(from, "messages", answer, request);
        const { content, stop_reason, usage, id } = run.asSent(await read(text));
        expect<unknown>({ content, stop_reason, usage, id }).toMatchObject({
          content: whole["content"],
          stop_reason: whole["stop_reason"],
          usage: whole["usage"],
          id: "msg_up1",
        });
      }),
      { numRuns: 60 },
    );
  });

  test("raises on an upstream that broke off", async () => {
    const bytes = new TextEncoder().encode(
      'data: {"id":"chatcmpl-up1","choices":[{"index":0,"delta":{"content":"Par"}}]}\n\n',
    );
    const text = run.encodeStream("messages", run.decodeStream("chat", [bytes]), request);
    await expect(read(text)).rejects.toThrow("gateway_upstream_cut");
  });
});

describe("streams as providers send them", () => {
  const pairs = [
    ["messages", "chat"],
    ["messages", "responses"],
    ["chat", "messages"],
    ["responses", "messages"],
  ] as const;
  for (const [from, to] of pairs)
    test.each(STREAM_NAMES)(`%s from ${from} is the same story for a client of ${to}`, (name) => {
      const thinking = to === "messages" ? { thinking: { type: "adaptive" } } : {};
      const request = run.ask(to, { stream: true, stream_options: { include_usage: true }, ...thinking });
      const events = run.decodeStream(from, [sampleStream(from, name)]);
      const given = judgeStream(to, new TextEncoder().encode(run.encodeStream(to, events, request)));
      const taken = judgeStream(from, sampleStream(from, name));
      expect([given.complete, given.problems, given.error]).toEqual([true, [], undefined]);
      expect([given.text, given.reasoning]).toEqual([taken.text, taken.reasoning]);
      const calls = ({ toolCalls }: typeof given): unknown =>
        toolCalls.map((call) => [call.name, JSON.parse(call.arguments || "{}")]);
      expect(calls(given)).toEqual(calls(taken));
      const whole = run.translateAnswer(from, to, sampleAnswer(from, name) as JsonObject, request);
      expect(run.asSent(given.usage)).toMatchObject(run.asSent(whole["usage"]) as JsonObject);
    });
});
