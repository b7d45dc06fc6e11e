// `openai` with Responses against the gateway, with the answers it would have had from the provider.
import { expect, setDefaultTimeout, test } from "bun:test";
import { zodTextFormat } from "openai/helpers/zod";
import type OpenAI from "openai";
import { z } from "zod";
import { json, sse } from "../support/answers.ts";
import { pick, pickList } from "../support/json-pick.ts";
import { textFrames } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { MODELS, sampleAnswer, STREAM_NAMES } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { expectSameRequest } from "./same-request.ts";
import { AFTER_TOOLS, recorded, startWorld, toolCaller } from "./world.ts";

setDefaultTimeout(15_000);

const ASK: OpenAI.Responses.ResponseCreateParamsNonStreaming = {
  model: MODELS.responses,
  instructions: "You are terse.",
  input: "Which capital? é 漢 🙂",
  store: false,
};
const STREAMED = { ...ASK, stream: true } as const;

for (const name of STREAM_NAMES) {
  test(`the recorded answer "${name}" comes whole and as a stream, with its usage, and the helper puts it together again`, async () => {
    await using world = await startWorld();
    world.upstream.otherwise(recorded(name));
    const expected = sampleAnswer("responses", name);
    const client = world.openai();
    expect(await client.responses.create(ASK)).toMatchObject(expected);
    const helped = await client.responses.stream(STREAMED).finalResponse();
    const { output, status, usage } = expected;
    expect(helped).toMatchObject({ output, status, usage });
    const numbers: number[] = [];
    const types: string[] = [];
    for await (const event of await client.responses.create(STREAMED)) {
      types.push(event.type);
      numbers.push(event.sequence_number);
    }
    expect([types[0], types.at(-1)]).toEqual(["response.created", `response.${String(status)}`]);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    await world.settled(3);
    expect(world.gateway.exchanges.map((record) => record.usage?.output)).toEqual(
      Array(3).fill(pick(expected, "usage", "output_tokens")),
    );
  });
}

test("requests reach the provider as the client sends them: headers, query and every byte of the body", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(provider());
  await expectSameRequest(world, (direct) => world.openai({ direct }).responses.create(ASK));
  await expectSameRequest(world, (direct) =>
    world.openai({ direct }).responses.stream(STREAMED).finalResponse(),
  );
  await expectSameRequest(world, (direct) =>
    world
      .openai({ direct })
      .responses.create(
        { ...ASK, include: ["reasoning.encrypted_content"], prompt_cache_key: "k", service_tier: "flex" },
        { headers: { "session-id": "mine", "OpenAI-Beta": "something=v1" } },
      ),
  );
  await world.settled(3);
});

for (const stream of [true, false]) {
  test(`a tool loop with parallel calls goes round ${stream ? "with streams" : "with whole answers"}`, async () => {
    await using world = await startWorld();
    world.upstream.otherwise(toolCaller);
    const { responses } = world.openai();
    const tools = ["get_weather", "get_time"].map((name) => ({
      type: "function" as const,
      name,
      strict: false,
      parameters: { type: "object", properties: {} },
    }));
    const turn = (input: OpenAI.Responses.ResponseInput): Promise<OpenAI.Responses.Response> =>
      stream
        ? responses.stream({ ...STREAMED, tools, input }).finalResponse()
        : responses.create({ ...ASK, tools, input });
    const question = { role: "user", content: "The weather in two cities, and the time?" } as const;
    const first = await turn([question]);
    const calls = first.output.filter((item) => item.type === "function_call");
    expect(calls.map((call) => [call.call_id, JSON.parse(call.arguments)])).toEqual([
      ["call_sample_1", { city: "Paris", unit: "celsius" }],
      ["call_sample_2", { city: "São Paulo", unit: "celsius" }],
      ["call_sample_3", {}],
    ]);
    const results = calls.map(({ call_id, name }) => ({
      type: "function_call_output" as const,
      call_id,
      output: `${name} done`,
    }));
    const last = await turn([question, ...(first.output as OpenAI.Responses.ResponseInput), ...results]);
    expect(last.output_text).toBe(AFTER_TOOLS);
    const again = pickList(world.upstream.requests[1]?.json(), "input");
    expect(again.slice(-3)).toEqual(results);
    expect(again.find((item) => pick(item, "type") === "reasoning")).toEqual(
      first.output.find((item) => item.type === "reasoning"),
    );
    await world.settled(2);
  });
}

test("structured output is parsed", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(provider({ text: '{"capital":"Paris","people":2100000}' }));
  const format = zodTextFormat(z.object({ capital: z.string(), people: z.number() }), "city");
  const parsed = await world.openai().responses.parse({ ...ASK, text: { format } });
  expect(parsed.output_parsed).toEqual({ capital: "Paris", people: 2_100_000 });
  await world.settled(1);
});

test("a response that is continued goes to the account that made it, whichever would be due", async () => {
  await using world = await startWorld({ gpts: 3 });
  world.upstream.otherwise((request, connection) => {
    const id = `resp_${request.credential?.at(-1)}_${request.number}`;
    const whole = { ...sampleAnswer("responses", "text"), id };
    return json(200, whole)(request, connection);
  });
  const { responses } = world.openai();
  const firsts = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((index) =>
      responses.create({ ...ASK, input: `Conversation ${index}`, store: true }),
    ),
  );
  for (const { id } of firsts.toReversed()) {
    const next = await responses.create({ ...ASK, input: "And?", previous_response_id: id, store: true });
    expect(next.id.slice(0, 7)).toBe(id.slice(0, 7));
  }
  expect(new Set(firsts.map(({ id }) => id.slice(0, 7))).size).toBe(3);
  await world.settled(12);
});

test("aborting in the middle of a stream hangs up on the provider at once", async () => {
  await using world = await startWorld();
  const { start, open, delta } = textFrames("responses");
  world.upstream.otherwise(sse(writeSse([...start, ...open, delta("begun")]), { end: "hang" }));
  const stream = await world.openai().responses.create(STREAMED);
  for await (const event of stream) if (event.type === "response.output_text.delta") break;
  await world.upstream.idle(500);
  expect(world.upstream.requests.map((request) => request.state)).toEqual(["abandoned"]);
  await world.settled(1);
  expect(world.gateway.exchanges.map((record) => record.outcome)).toEqual(["gone"]);
});
