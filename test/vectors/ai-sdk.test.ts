// The AI SDK's own parsers read translated streams: a third opinion, independent of the official clients.
import { describe, expect, test } from "bun:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import type { JsonObject } from "../../src/core/json.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { chat } from "../matrix/dialect-chat.ts";
import type { Dialect, Said } from "../matrix/dialect.ts";
import { messages } from "../matrix/dialect-messages.ts";
import { responses } from "../matrix/dialect-responses.ts";
import { pick, pickNumber, pickText } from "../support/json-pick.ts";
import type { Protocol } from "../support/oracle.ts";
import * as run from "./translate.ts";

const DIALECTS: Readonly<Record<Protocol, Dialect>> = { messages, responses, chat };
const PROTOCOLS = ["messages", "responses", "chat"] as const;
const ROADS = PROTOCOLS.flatMap((upstream) =>
  PROTOCOLS.filter((client) => client !== upstream).map((client) => ({ client, upstream })),
);
type Road = (typeof ROADS)[number];

const WISH: Readonly<Record<Protocol, JsonObject>> = {
  messages: { thinking: { type: "adaptive", display: "summarized" } },
  responses: { include: ["reasoning.encrypted_content"] },
  chat: { stream_options: { include_usage: true } },
};

/** What the SDK makes of a stream: its parts, put together. */
interface Read {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly (readonly [id: string, name: string, input: unknown])[];
  readonly finish: string | undefined;
  readonly input: number | undefined;
  readonly cached: number | undefined;
  readonly output: number | undefined;
  readonly failed: boolean;
}

type Fetch = NonNullable<NonNullable<Parameters<typeof createOpenAI>[0]>["fetch"]>;

function modelOf(client: Protocol, text: string): ReturnType<ReturnType<typeof createAnthropic>> {
  const answer = async (): Promise<Response> =>
    new Response(text, { headers: { "content-type": "text/event-stream" } });
  const settings = { apiKey: "k", baseURL: "http://localhost/v1", fetch: answer as unknown as Fetch };
  if (client === "messages") return createAnthropic(settings)("claude-opus-5");
  const openai = createOpenAI(settings);
  return client === "chat" ? openai.chat("gpt-5") : openai.responses("gpt-5");
}

const TOOL = {
  type: "function" as const,
  name: "get_weather",
  description: "",
  inputSchema: { type: "object" as const, properties: {} },
};

async function read(client: Protocol, text: string): Promise<Read> {
  const { stream } = await modelOf(client, text).doStream({
    prompt: [{ role: "user", content: [{ type: "text", text: "x" }] }],
    tools: [TOOL],
  });
  const parts: unknown[] = [];
  for await (const part of stream) parts.push(part);
  const of = (type: string): readonly unknown[] => parts.filter((part) => pick(part, "type") === type);
  const joined = (type: string): string =>
    of(type)
      .map((part) => pickText(part, "delta") ?? "")
      .join("");
  const finish = of("finish").at(-1);
  return {
    text: joined("text-delta"),
    reasoning: joined("reasoning-delta"),
    calls: of("tool-call").map((part) => [
      pickText(part, "toolCallId") ?? "",
      pickText(part, "toolName") ?? "",
      JSON.parse(pickText(part, "input") ?? "null"),
    ]),
    finish: pickText(finish, "finishReason", "unified") ?? pickText(finish, "finishReason"),
    input: pickNumber(finish, "usage", "inputTokens", "total") ?? pickNumber(finish, "usage", "inputTokens"),
    cached:
      pickNumber(finish, "usage", "inputTokens", "cacheRead") ??
      pickNumber(finish, "usage", "cachedInputTokens"),
    output:
      pickNumber(finish, "usage", "outputTokens", "total") ?? pickNumber(finish, "usage", "outputTokens"),
    failed: of("error").length > 0,
  };
}

function streamed({ client, upstream }: Road, said: Said, share = 1): string {
  const whole = CODECS[upstream].wire.unfold(DIALECTS[upstream].answer(said) as JsonObject);
  const bytes = new TextEncoder().encode(whole);
  const events = run.decodeStream(upstream, [bytes.subarray(0, Math.floor(bytes.length * share))]);
  return run.encodeStream(client, events, run.ask(client, { stream: true, ...WISH[client] }));
}

const CALLS = [
  { id: "call_1", input: { city: "Rom é" } },
  { id: "call_2", input: { city: "Oslo" } },
];

describe.each(ROADS)("the AI SDK as a $client client over $upstream", (road) => {
  test("reads text, its end and its usage", async () => {
    const found = await read(road.client, streamed(road, { text: "Grüße 漢 🙂.", stop: "done" }));
    expect(found).toMatchObject({
      text: "Grüße 漢 🙂.",
      finish: "stop",
      input: 125,
      cached: 100,
      output: 60,
      failed: false,
    });
  });

  test("reads a thought and parallel calls", async () => {
    const said: Said = {
      thought: { text: "Hm.", seal: "SEAL" },
      text: "Let me see.",
      calls: CALLS,
      stop: "tools",
    };
    const found = await read(road.client, streamed(road, said));
    expect(found.calls).toEqual(CALLS.map(({ id, input }) => [id, "get_weather", input]));
    expect([found.text, found.finish, found.failed]).toEqual(["Let me see.", "tool-calls", false]);
    // It reads no reasoning in Chat.
    expect(found.reasoning).toBe(road.client === "chat" ? "" : "Hm.");
  });

  test("is told of the limit", async () => {
    const found = await read(road.client, streamed(road, { text: "Once", stop: "length" }));
    expect([found.text, found.finish]).toEqual(["Once", "length"]);
  });

  test("takes a stream that broke off for an error", async () => {
    const text = streamed(road, { text: "Once upon a time there was.", stop: "done" }, 0.6);
    // It throws when the error comes first.
    const found = await read(road.client, text).catch(() => undefined);
    expect(found?.failed ?? true).toBe(true);
    expect(found?.finish).not.toBe("stop");
  });
});
