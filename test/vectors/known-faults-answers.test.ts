// What gateways of this kind get wrong in answers, each for every pair of protocols that it can happen in.
import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/core/json.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { chat } from "../matrix/dialect-chat.ts";
import type { Call, Dialect, Said } from "../matrix/dialect.ts";
import { messages } from "../matrix/dialect-messages.ts";
import { responses } from "../matrix/dialect-responses.ts";
import { isObject, pick, pickNumber, pickText } from "../support/json-pick.ts";
import { errorItems } from "../support/made-streams.ts";
import { judgeStream, type Protocol, type Verdict } from "../support/oracle.ts";
import { writeSse } from "../support/sse-text.ts";
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
const CALLS: readonly Call[] = [
  { id: "call_1", input: { city: "Rome" } },
  { id: "call_2", input: { city: "Oslo" } },
];
const THOUGHT = { text: "Hm.", seal: "SEAL" };

function upstreamText(upstream: Protocol, said: Said): string {
  return CODECS[upstream].wire.unfold(DIALECTS[upstream].answer(said) as JsonObject);
}

function clientText({ client, upstream }: Road, text: string | Uint8Array, pieces?: number): string {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const size = pieces ?? bytes.length;
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return run.encodeStream(
    client,
    run.decodeStream(upstream, chunks),
    run.ask(client, { stream: true, ...WISH[client] }),
  );
}

function told(road: Road, said: Said): Verdict {
  return judgeStream(road.client, Buffer.from(clientText(road, upstreamText(road.upstream, said))));
}

const toResponses = ROADS.filter(({ client }) => client === "responses");
const toChat = ROADS.filter(({ client }) => client === "chat");

describe.each(toChat)("a chat client over $upstream", (road) => {
  test("has parallel calls under indexes of their own", () => {
    const { events } = told(road, { calls: CALLS, stop: "tools" });
    const calls = events.flatMap(({ data }) => {
      const call = pick(
        JSON.parse(data.startsWith("{") ? data : "{}"),
        "choices",
        0,
        "delta",
        "tool_calls",
        0,
      );
      return pickText(call, "id") === undefined ? [] : [[pickNumber(call, "index"), pickText(call, "id")]];
    });
    expect(calls).toEqual([
      [0, "call_1"],
      [1, "call_2"],
    ]);
  });
});

describe.each(toResponses)("a responses client over $upstream", (road) => {
  const said: readonly (readonly [string, Said, readonly string[]])[] = [
    ["a call alone", { calls: CALLS.slice(0, 1), stop: "tools" }, ["function_call"]],
    ["a thought, then text", { thought: THOUGHT, text: "Hi.", stop: "done" }, ["reasoning", "message"]],
    [
      "a thought, text and calls",
      { thought: THOUGHT, text: "Hi.", calls: CALLS, stop: "tools" },
      ["reasoning", "message", "function_call", "function_call"],
    ],
  ];

  test.each(said)(
    "%s: each item opened once, closed once, under one id and one index",
    (_, answer, types) => {
      const verdict = told(road, answer);
      expect(verdict.problems).toEqual([]);
      const events = verdict.events.map(({ data }) => JSON.parse(data));
      const indexes = (type: string): unknown[] =>
        events.filter((event) => event.type === type).map((event) => event.output_index);
      const dense = types.map((_type, at) => at);
      expect(indexes("response.output_item.added")).toEqual(dense);
      expect(indexes("response.output_item.done")).toEqual(dense);
      const ids = new Map<number, Set<string>>();
      for (const event of events) {
        const id = event.item_id ?? event.item?.id;
        if (id !== undefined) ids.set(event.output_index, (ids.get(event.output_index) ?? new Set()).add(id));
      }
      expect([...ids.values()].map((each) => each.size)).toEqual(types.map(() => 1));
      expect(new Set([...ids.values()].flatMap((each) => [...each])).size).toBe(types.length);
      expect(events.at(-1).response.output.map((item: { type: string }) => item.type)).toEqual(types);
      expect([events[0].type, events.at(-1).type]).toEqual(["response.created", "response.completed"]);
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_event, at) => at));
    },
  );

  test("counts that the upstream left out are whole numbers all the same", () => {
    const bare = { ...DIALECTS[road.upstream].answer({ text: "Hi.", stop: "done" }) } as Record<
      string,
      unknown
    >;
    bare["usage"] =
      road.upstream === "messages"
        ? { input_tokens: 3, output_tokens: 2 }
        : { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
    const text = clientText(road, CODECS[road.upstream].wire.unfold(bare as JsonObject));
    expect(judgeStream("responses", Buffer.from(text)).usage).toEqual({
      input_tokens: 3,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: 2,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 5,
    });
  });
});

describe.each(ROADS)("a $client client over $upstream", (road) => {
  const whole = upstreamText(road.upstream, { text: "Once upon a time.", stop: "done" });
  const dialect = DIALECTS[road.client];

  test("an error in the middle is an error, and nothing that looks like an end", () => {
    const begun = whole
      .split("\n\n")
      .slice(0, road.upstream === "chat" ? 2 : 4)
      .join("\n\n");
    const error = writeSse(errorItems(road.upstream, { message: "it broke" })).toString();
    const verdict = judgeStream(road.client, Buffer.from(clientText(road, `${begun}\n\n${error}`)));
    expect([verdict.complete, verdict.markers, verdict.problems]).toEqual([false, [], []]);
    expect(verdict.error?.message).toContain("it broke");
  });

  test("a stream that ends without its end is an error, and nothing that looks like an end", () => {
    const ends = [...whole.matchAll(/\n\n/g)].map(({ index }) => index + 2);
    // Chat may leave its marker out once everything has been said.
    for (const end of ends.slice(0, road.upstream === "chat" ? -3 : -1)) {
      const verdict = judgeStream(road.client, Buffer.from(clientText(road, whole.slice(0, end))));
      expect([verdict.complete, verdict.markers]).toEqual([false, []]);
      expect(verdict.error?.message).toBeString();
    }
  });

  test("a turn that calls tools ends as one, whatever the upstream's word for it", () => {
    const verdict = told(road, { calls: CALLS, stop: road.upstream === "responses" ? "done" : "tools" });
    expect([verdict.complete, String(verdict.stop)]).toEqual([true, dialect.stops.tools]);
    const plain = told({ ...road }, { calls: CALLS, stop: "done" });
    expect(String(plain.stop)).toBe(dialect.stops.tools);
  });

  test("the limit is told as the limit, and a call that it cut is not told as whole", () => {
    expect(String(told(road, { text: "Once", stop: "length" }).stop)).toBe(dialect.stops.length);
    const calls = upstreamText(road.upstream, { calls: CALLS.slice(0, 1), stop: "length" });
    const verdict = judgeStream(road.client, Buffer.from(clientText(road, cutArguments(calls))));
    expect(String(verdict.stop)).toBe(dialect.stops.length);
    expect(verdict.problems).toEqual([]);
  });

  test("what no cache served, what one did and what was written are counted once each", () => {
    expect(dialect.usage(told(road, { text: "Hi.", stop: "done" }).usage)).toBe("20+100+5 60/32");
  });

  test("lines of any length in pieces of any size are the same answer", () => {
    const long = upstreamText(road.upstream, { text: "é漢🙂\r\n".repeat(20_000), stop: "done" });
    const at = clientText(road, long);
    expect(judgeStream(road.client, Buffer.from(at)).text).toHaveLength(20_000 * 6);
    for (const size of [4096, 65_537]) expect(clientText(road, long, size)).toBe(at);
  });
});

/** The arguments' last characters have not come. */
function cutArguments(text: string): string {
  return text.replaceAll(/data: (.*)/g, (line, data: string) => {
    const cut = JSON.stringify(JSON.parse(data.startsWith("{") ? data : "null"), (key, value: unknown) => {
      const isInput =
        key === "arguments" || key === "partial_json" || (key === "delta" && typeof value === "string");
      if (isInput && typeof value === "string" && value.includes("city")) return value.replace(/me"}$/, "");
      return isObject(value) && value["status"] === "completed" && "arguments" in value
        ? { ...value, status: "incomplete" }
        : value;
    });
    return cut === "null" ? line : `data: ${cut}`;
  });
}
