// `openai` with Chat Completions against the gateway: over an account that speaks it, and over one that only speaks
// Responses, where every answer is translated.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { zodResponseFormat } from "openai/helpers/zod";
import type OpenAI from "openai";
import { z } from "zod";
import { sse } from "../support/answers.ts";
import { pick, pickList, pickNumber, pickText } from "../support/json-pick.ts";
import { textFrames } from "../support/made-streams.ts";
import { judgeAnswer, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, sampleAnswer, STREAM_NAMES, type StreamName } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { expectSameRequest } from "./same-request.ts";
import { AFTER_TOOLS, recorded, startWorld, toolCaller, type World } from "./world.ts";

setDefaultTimeout(15_000);

const MODEL = MODELS.chat;
const ASK: OpenAI.ChatCompletionCreateParamsNonStreaming = {
  model: MODEL,
  messages: [
    { role: "system", content: "You are terse." },
    { role: "user", content: "Which capital? é 漢 🙂" },
  ],
};
const STREAMED = { ...ASK, stream: true } as const;

interface Told {
  readonly text: string;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly tokens: readonly (number | undefined)[];
  readonly stop: string | undefined;
}

/** What the recorded answer says, whatever protocol it was recorded in. */
function recordedIn(protocol: Protocol, name: StreamName): Told {
  const { text, toolCalls, usage } = judgeAnswer(protocol, JSON.stringify(sampleAnswer(protocol, name)));
  const calls = toolCalls.map((call) => ({ id: call.id, name: call.name, arguments: call.arguments }));
  const tokens = [
    pickNumber(usage, "prompt_tokens") ?? pickNumber(usage, "input_tokens"),
    pickNumber(usage, "completion_tokens") ?? pickNumber(usage, "output_tokens"),
    pickNumber(usage, "total_tokens"),
  ];
  const stop = { text: "stop", tools: "tool_calls", length: "length" }[name];
  return { text, calls, tokens, stop };
}

function told(completion: OpenAI.ChatCompletion): Told {
  const [choice] = completion.choices;
  const calls = (choice?.message.tool_calls ?? []).map((call) => ({
    id: call.id,
    name: pickText(call, "function", "name") ?? "",
    arguments: pickText(call, "function", "arguments") ?? "",
  }));
  const { prompt_tokens, completion_tokens, total_tokens } = completion.usage ?? {};
  return {
    text: choice?.message.content ?? "",
    calls,
    tokens: [prompt_tokens, completion_tokens, total_tokens],
    stop: choice?.finish_reason,
  };
}

async function gather(
  world: World,
  body: OpenAI.ChatCompletionCreateParamsStreaming,
): Promise<OpenAI.ChatCompletionChunk[]> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await world.openai().chat.completions.create(body)) chunks.push(chunk);
  return chunks;
}

const TOOLS = ["get_weather", "get_time"];

/** The loop of the package: it runs the functions and asks again until the model speaks. */
async function runTools(world: World, stream: boolean): Promise<string | null> {
  const ran: string[] = [];
  const tools = TOOLS.map((name) => ({
    type: "function" as const,
    function: {
      name,
      description: name,
      parameters: { type: "object", properties: {} },
      function: (args: string) => {
        ran.push(`${name} ${args}`);
        return `${name} done`;
      },
    },
  }));
  const { completions } = world.openai().chat;
  const text = stream
    ? await completions.runTools({ ...ASK, tools, stream }).finalContent()
    : await completions.runTools({ ...ASK, tools }).finalContent();
  expect(ran.map((each) => each.split(" ")[0])).toEqual(["get_weather", "get_weather", "get_time"]);
  expect(ran[1]).toContain("São Paulo");
  return text;
}

for (const spoken of ["chat", "responses"] as const) {
  describe(
    spoken === "chat" ? "over an account that speaks chat" : "over an account that only speaks responses",
    () => {
      const start = (): Promise<World> => startWorld({ apis: [spoken] });

      for (const name of STREAM_NAMES) {
        test(`the recorded answer "${name}" comes whole and as a stream, with its usage, and the helper puts it together again`, async () => {
          await using world = await start();
          world.upstream.otherwise(recorded(name));
          const expected = recordedIn(spoken, name);
          const whole = await world.openai().chat.completions.create(ASK);
          expect(told(whole)).toEqual(expected);
          expect([whole.object, whole.model]).toEqual(["chat.completion", MODEL]);
          const options = { stream_options: { include_usage: true } };
          const helper = world.openai().chat.completions.stream({ ...STREAMED, ...options });
          expect(told(await helper.finalChatCompletion())).toEqual(expected);
          await world.settled(2);
        });
      }

      test("usage comes in a last chunk without choices, only when asked for", async () => {
        await using world = await start();
        world.upstream.otherwise(provider());
        const without = await gather(world, STREAMED);
        expect(without.filter((chunk) => chunk.usage !== undefined && chunk.usage !== null)).toEqual([]);
        expect(without.at(-1)?.choices[0]?.finish_reason).toBe("stop");
        const having = await gather(world, { ...STREAMED, stream_options: { include_usage: true } });
        const counts = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
        expect(having.at(-1)).toMatchObject({ choices: [], usage: counts });
        expect(having.slice(0, -1).filter((chunk) => chunk.usage)).toEqual([]);
        expect(new Set(having.map((chunk) => chunk.id)).size).toBe(1);
        await world.settled(2);
        expect(world.gateway.exchanges.map((record) => record.usage?.output)).toEqual(
          spoken === "chat" ? [undefined, 5] : [5, 5],
        );
      });

      for (const stream of [true, false]) {
        test(`a tool loop with parallel calls goes round ${stream ? "with streams" : "with whole answers"}`, async () => {
          await using world = await start();
          world.upstream.otherwise(toolCaller);
          expect(await runTools(world, stream)).toBe(AFTER_TOOLS);
          expect(world.upstream.requests).toHaveLength(2);
          const results = resultsIn(spoken, world.upstream.requests[1]?.json());
          expect(results).toEqual([
            ["call_sample_1", "get_weather done"],
            ["call_sample_2", "get_weather done"],
            ["call_sample_3", "get_time done"],
          ]);
          await world.settled(2);
        });
      }

      test("structured output is asked for and parsed", async () => {
        await using world = await start();
        world.upstream.otherwise(provider({ text: '{"capital":"Paris","people":2100000}' }));
        const format = zodResponseFormat(z.object({ capital: z.string(), people: z.number() }), "city");
        const parsed = await world.openai().chat.completions.parse({ ...ASK, response_format: format });
        expect(parsed.choices[0]?.message.parsed).toEqual({ capital: "Paris", people: 2_100_000 });
        const asked = world.upstream.requests[0]?.json();
        const schema =
          spoken === "chat" ? pick(asked, "response_format", "json_schema") : pick(asked, "text", "format");
        expect(schema).toMatchObject({ name: "city", strict: true, schema: { type: "object" } });
        await world.settled(1);
      });

      test("aborting in the middle of a stream hangs up on the provider at once", async () => {
        await using world = await start();
        const { start: prelude, open, delta } = textFrames(spoken);
        const begun = writeSse([...prelude, ...open, delta("begun")]);
        world.upstream.otherwise(sse(begun, { end: "hang" }));
        const stream = await world.openai().chat.completions.create(STREAMED);
        for await (const chunk of stream) if (chunk.choices[0]?.delta.content === "begun") break;
        await world.upstream.idle(500);
        expect(world.upstream.requests.map((request) => request.state)).toEqual(["abandoned"]);
        await world.settled(1);
        expect(world.gateway.exchanges.map((record) => record.outcome)).toEqual(["gone"]);
      });
    },
  );
}

/** Call ids with their results, in the words of the protocol that was spoken upstream. */
function resultsIn(protocol: Protocol, body: unknown): (readonly [unknown, unknown])[] {
  if (protocol === "chat")
    return pickList(body, "messages")
      .filter((message) => pick(message, "role") === "tool")
      .map((message) => [pick(message, "tool_call_id"), pick(message, "content")] as const);
  return pickList(body, "input")
    .filter((item) => pick(item, "type") === "function_call_output")
    .map((item) => [pick(item, "call_id"), pick(item, "output")] as const);
}

test("requests reach the provider as the client sends them: headers, query and every byte of the body", async () => {
  await using world = await startWorld();
  world.upstream.otherwise(provider());
  const plain = await expectSameRequest(world, (direct) =>
    world.openai({ direct }).chat.completions.create(ASK),
  );
  expect(plain.headers["x-stainless-lang"]).toBe("js");
  await expectSameRequest(world, async (direct) => {
    for await (const _ of await world.openai({ direct }).chat.completions.create(STREAMED));
  });
  await expectSameRequest(world, (direct) =>
    world.openai({ direct }).chat.completions.create(ASK, {
      idempotencyKey: "made-by-the-client",
      query: { "api-version": "2026-01-01" },
      headers: { "OpenAI-Beta": "something=v1" },
    }),
  );
  await world.settled(3);
});
