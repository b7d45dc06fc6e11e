// `@anthropic-ai/sdk` against the gateway, with the answers it would have had from the provider.
import { expect, setDefaultTimeout, test } from "bun:test";
import type Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { json, sse } from "../support/answers.ts";
import { pick, pickList } from "../support/json-pick.ts";
import { textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { MODELS, sampleAnswer, STREAM_NAMES } from "../support/samples.ts";
import { expectSameRequest } from "./same-request.ts";
import { AFTER_TOOLS, recorded, startWorld, toolCaller } from "./world.ts";

setDefaultTimeout(15_000);

const MODEL = MODELS.messages;
const ASK: Anthropic.MessageCreateParamsNonStreaming = {
  model: MODEL,
  max_tokens: 256,
  system: "You are terse.",
  messages: [{ role: "user", content: "Which capital? é 漢 🙂" }],
};

for (const name of STREAM_NAMES) {
  test(`the recorded answer "${name}" comes whole and as a stream, with its usage, and the helper puts it together again`, async () => {
    await using world = await startWorld();
    world.upstream.otherwise(recorded(name));
    const expected = sampleAnswer("messages", name);
    const client = world.anthropic();
    const whole = await client.messages.create(ASK);
    expect(whole).toMatchObject(expected);
    const helped = await client.messages.stream(ASK).finalMessage();
    expect(helped).toMatchObject({
      content: pickList(expected, "content"),
      stop_reason: pick(expected, "stop_reason"),
      usage: pick(expected, "usage"),
    });
    const types: string[] = [];
    for await (const event of await client.messages.create({ ...ASK, stream: true })) types.push(event.type);
    expect([types[0], types.at(-1)]).toEqual(["message_start", "message_stop"]);
    await world.settled(3);
    expect(world.gateway.exchanges.map((record) => record.usage?.output)).toEqual(
      Array(3).fill(pick(expected, "usage", "output_tokens")),
    );
  });
}

test("requests reach the provider as the client sends them: headers, betas, query and every byte of the body", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(provider());
  const plain = await expectSameRequest(world, (direct) => world.anthropic({ direct }).messages.create(ASK));
  expect(plain.headers["anthropic-version"]).toMatch(/^20\d\d-\d\d-\d\d$/);
  await expectSameRequest(world, (direct) => world.anthropic({ direct }).messages.stream(ASK).finalMessage());
  const betas = ["context-management-2025-06-27", "interleaved-thinking-2025-05-14"];
  const beta = await expectSameRequest(world, (direct) =>
    world
      .anthropic({ direct })
      .beta.messages.create({ ...ASK, betas }, { headers: { "x-app": "mine" }, query: { beta: "true" } }),
  );
  expect([beta.target, beta.headers["anthropic-beta"]]).toEqual(["/v1/messages?beta=true", betas.join(",")]);
  await world.settled(3);
});

const weather = betaZodTool({
  name: "get_weather",
  description: "The weather of a city.",
  inputSchema: z.object({ city: z.string(), unit: z.string() }),
  run: ({ city, unit }) => `${city}: 21 ${unit}`,
});
const time = betaZodTool({
  name: "get_time",
  description: "The time.",
  inputSchema: z.object({}),
  run: () => "12:00",
});

for (const stream of [true, false]) {
  // By default the package lets the server hold the conversation, and sends only what is new.
  for (const whole of [true, false]) {
    const how = `${stream ? "with streams" : "with whole answers"}, ${whole ? "with the whole history" : "in a thread"}`;
    test(`a tool loop with parallel calls goes round ${how}`, async () => {
      await using world = await startWorld();
      world.upstream.otherwise(toolCaller);
      const runner = world.anthropic().beta.messages.toolRunner({
        ...ASK,
        messages: [{ role: "user", content: "The weather in two cities, and the time?" }],
        tools: [weather, time],
        stream,
        ...(whole && { thread: false }),
      });
      const last = await runner.runUntilDone();
      expect(pick(last, "content", 0, "text")).toBe(AFTER_TOOLS);
      const turns = pickList(world.upstream.requests[1]?.json(), "messages");
      expect(turns).toHaveLength(whole ? 3 : 1);
      const results = pickList(turns.at(-1), "content");
      expect(results.map((result) => [pick(result, "tool_use_id"), pick(result, "content")])).toEqual([
        ["toolu_sample_1", "Paris: 21 celsius"],
        ["toolu_sample_2", "São Paulo: 21 celsius"],
        ["toolu_sample_3", "12:00"],
      ]);
      await world.settled(2);
    });
  }
}

test("structured output is parsed", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(provider({ text: '{"capital":"Paris","people":2100000}' }));
  const format = zodOutputFormat(z.object({ capital: z.string(), people: z.number() }));
  const message = await world.anthropic().messages.parse({ ...ASK, output_config: { format } });
  expect(message.parsed_output).toEqual({ capital: "Paris", people: 2_100_000 });
  const asked = world.upstream.requests[0]?.json();
  expect(pick(asked, "output_config", "format", "type")).toBe("json_schema");
  await world.settled(1);
});

test("aborting in the middle of a stream, or before its first byte, hangs up on the provider at once", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(sse(textStream("messages", ["begun"]).subarray(0, 560), { end: "hang" }));
  const stream = world.anthropic().messages.stream(ASK);
  await new Promise<void>((resolve) => stream.on("text", () => resolve()));
  const outcome = stream.finalMessage().catch(String);
  stream.abort();
  expect(await outcome).toContain("aborted");
  await world.upstream.idle(500);

  world.upstream.clear();
  world.upstream.otherwise((_request, connection) => connection.hang());
  const abort = new AbortController();
  const pending = world.anthropic().messages.create(ASK, { signal: abort.signal }).catch(String);
  while (world.upstream.active === 0) await Bun.sleep(1);
  abort.abort();
  expect(await pending).toContain("aborted");
  await world.upstream.idle(500);
  expect(world.upstream.requests.map((request) => request.state)).toEqual(["abandoned"]);
  await world.settled(2);
  expect(world.gateway.exchanges.map((record) => record.outcome)).toEqual(["gone", "gone"]);
});

const CONTINUED: Anthropic.Beta.MessageCreateParamsNonStreaming = {
  ...ASK,
  thread: { type: "continue", previous_message_id: "msg_of_an_earlier_turn" },
};
const LOST = {
  type: "error",
  error: { type: "not_found_error", message: "No thread.", details: { error_code: "thread_not_found" } },
};

test("a thread that the provider has lost is told in the provider's words, and costs nobody the model", async () => {
  await using world = await startWorld();
  world.upstream.otherwise((request, connection) => {
    const isLost = request.body.includes("previous_message_id");
    return (isLost ? json(404, LOST) : provider())(request, connection);
  });
  const lost = await world
    .anthropic()
    .beta.messages.create(CONTINUED)
    .catch((error: unknown) => error);
  expect(lost).toMatchObject({ status: 404, errorCode: "thread_not_found" });
  expect(pick(await world.anthropic().messages.create(ASK), "stop_reason")).toBe("end_turn");
  await world.settled(2);
});

// A continued thread does not repeat the opening by which the conversation is known.
test("a thread is continued at the account that holds it", async () => {
  await using world = await startWorld({ claudes: 2 });
  world.upstream.otherwise(toolCaller);
  const question = { role: "user", content: "The weather in two cities, and the time?" } as const;
  const runner = world
    .anthropic()
    .beta.messages.toolRunner({ ...ASK, messages: [question], tools: [weather, time] });
  await runner.runUntilDone();
  expect(world.upstream.requests).toHaveLength(2);
  expect(new Set(world.upstream.requests.map((request) => request.credential)).size).toBe(1);
});
