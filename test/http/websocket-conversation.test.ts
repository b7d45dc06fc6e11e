// Clients of a socket send only what is new and name the answer before it; whatever account is asked next is told
// the whole conversation.
import { describe, expect, test } from "bun:test";
import { expectRecorded } from "../scenarios/settled.ts";
import { inTurn, json, sse } from "../support/answers.ts";
import { account } from "../support/gateway-config.ts";
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import { errorItems, textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { MODELS } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { pair, type Pair } from "./pair.ts";
import { create, idOf, openSocket, said, typesOf } from "./socket-client.ts";

const QUESTION = said("user", "Which capital?");
const CALL = { type: "function_call", id: "fc_1", call_id: "call_1", name: "look", arguments: "{}" };
const RESULT = { type: "function_call_output", call_id: "call_1", output: "Paris" };
const SEALED = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "sealed" };
const { encrypted_content: _, ...UNSEALED } = SEALED;

function one(answer: Answer, more: JsonObject = {}): Promise<Pair> {
  return pair(answer, (url) => [account("first", url, { platform: "openai" })], more);
}

/** A whole answer with these items. */
function calling(id: string, output: readonly JsonObject[]): Answer {
  const response = { id, object: "response", status: "completed", model: MODELS.responses };
  return sse([
    { event: "response.created", data: { type: "response.created", response: { ...response, output: [] } } },
    ...output.map((item, index) => ({
      event: "response.output_item.done",
      data: { type: "response.output_item.done", output_index: index, item },
    })),
    {
      event: "response.completed",
      data: { type: "response.completed", response: { ...response, output: [] } },
    },
  ]);
}

function inputs({ upstream }: Pair): unknown[] {
  return upstream.requests.map((request) => pick(request.json(), "input"));
}

describe("a request that goes on from the answer before it", () => {
  test("is sent whole: what was asked, what was answered, and what is new", async () => {
    await using both = await one(inTurn(calling("resp_1", [SEALED, CALL]), provider({ text: "Paris." })));
    using socket = await openSocket(both.gateway.url);
    socket.send(create([QUESTION]));
    const first = idOf(await socket.answer());
    socket.send(create([RESULT], { previous_response_id: first }));
    const second = idOf(await socket.answer());
    socket.send(create("And its river?", { previous_response_id: second }));
    await socket.answer();
    const until = [QUESTION, SEALED, CALL, RESULT];
    const [asked, again, last] = inputs(both);
    expect([asked, again]).toEqual([[QUESTION], until]);
    expect(pickList(last).slice(0, 4)).toEqual(until);
    expect(pickList(last).map((item) => [pickText(item, "role"), pick(item, "content", 0, "text")])).toEqual([
      ["user", "Which capital?"],
      ...[SEALED, CALL, RESULT].map(() => [undefined, undefined]),
      ["assistant", "Paris."],
      ["user", undefined],
    ]);
    expect(pick(last, 5, "content")).toBe("And its river?");
    for (const request of both.upstream.requests)
      expect(pick(request.json(), "previous_response_id")).toBe(undefined);
    await expectRecorded(both.gateway, 3);
  });

  test("keeps the client's bytes, such as numbers no parser holds", async () => {
    await using both = await one(inTurn(calling("resp_1", []), provider()));
    using socket = await openSocket(both.gateway.url);
    const item = `{"type": "message", "role": "user", "content": "\\u00e9", "n": 12345678901234567890}`;
    socket.send(`{"type":"response.create","model":"${MODELS.responses}","input":[ ${item} ]}`);
    await socket.answer();
    socket.send(create([RESULT], { previous_response_id: "resp_1" }));
    await socket.answer();
    expect(both.upstream.requests[1]?.body.toString()).toContain(
      `"input":[ ${item} ,${JSON.stringify(RESULT)}]`,
    );
  });

  test.each([
    ["anthropic", MODELS.messages, "/v1/messages"],
    ["openai", MODELS.chat, "/v1/chat/completions"],
  ] as const)("is translated for an account of %s", async (platform, model, path) => {
    const apis = platform === "openai" ? ["chat"] : ["messages"];
    await using both = await pair(provider({ text: "Paris." }), (url) => [
      account("first", url, { platform, more: { apis } }),
    ]);
    using socket = await openSocket(both.gateway.url);
    socket.send(create("Which capital?", { model }));
    const first = idOf(await socket.answer());
    socket.send(create("And its river?", { model, previous_response_id: first }));
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    const messages = pickList(both.upstream.requests[1]?.json(), "messages");
    expect(both.upstream.requests[1]?.path).toBe(path);
    expect(messages.map((message) => pickText(message, "role"))).toEqual(["user", "assistant", "user"]);
    expect(JSON.stringify(messages[1])).toContain("Paris.");
  });

  test("may go to another account when the first one cannot go on", async () => {
    const limited = json(429, { error: { type: "rate_limit_error", message: "slow down" } });
    await using both = await pair(inTurn(calling("resp_1", [CALL]), limited, provider()), (url) =>
      ["first", "second"].map((name) => account(name, url, { platform: "openai" })),
    );
    using socket = await openSocket(both.gateway.url);
    socket.send(create([QUESTION]));
    await socket.answer();
    socket.send(create([RESULT], { previous_response_id: "resp_1" }));
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    const [first, , third] = both.upstream.requests;
    expect(third?.credential).not.toBe(first?.credential);
    // It has no item of that name.
    const { id: _, ...call } = CALL;
    expect(inputs(both)[2]).toEqual([QUESTION, call, RESULT]);
  });

  test("leaves out reasoning that only its upstream can read, and the ids that would ask for it", async () => {
    await using both = await one(inTurn(calling("resp_1", [UNSEALED, CALL]), provider()));
    using socket = await openSocket(both.gateway.url);
    socket.send(create([QUESTION]));
    await socket.answer();
    socket.send(create([RESULT], { previous_response_id: "resp_1" }));
    await socket.answer();
    const { id: _, ...call } = CALL;
    expect(inputs(both)[1]).toEqual([QUESTION, call, RESULT]);
  });

  test("may be sent again after it failed", async () => {
    const failing = sse(errorItems("responses", { code: "context_length_exceeded" }));
    await using both = await one(inTurn(calling("resp_1", [CALL]), failing, provider()));
    using socket = await openSocket(both.gateway.url);
    socket.send(create([QUESTION]));
    await socket.answer();
    socket.send(create([RESULT], { previous_response_id: "resp_1" }));
    expect(pick((await socket.answer()).at(-1), "error", "code")).toBe("context_length_exceeded");
    socket.send(create([RESULT], { previous_response_id: "resp_1" }));
    expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
    expect(inputs(both)[2]).toEqual([QUESTION, CALL, RESULT]);
  });
});

describe("a request that only shows what will come", () => {
  test("is answered at once without an account, and the next one goes on from it", async () => {
    await using both = await one(provider());
    using socket = await openSocket(both.gateway.url);
    socket.send(create([said("user", "Base.")], { generate: false }));
    const shown = await socket.answer();
    expect(typesOf(shown)).toEqual(["response.created", "response.in_progress", "response.completed"]);
    expect(idOf(shown)).toMatch(/^resp_/);
    expect(both.upstream.requests.length).toBe(0);
    socket.send(create([QUESTION], { previous_response_id: idOf(shown) }));
    await socket.answer();
    expect(inputs(both)).toEqual([[said("user", "Base."), QUESTION]]);
    expect(pick(both.upstream.requests[0]?.json(), "generate")).toBe(undefined);
    await expectRecorded(both.gateway, 1);
  });
});

describe("an answer that is not known on the socket", () => {
  test("is said not to be found, in the words at which clients send everything", async () => {
    await using both = await one(provider());
    using other = await openSocket(both.gateway.url);
    other.send(create([QUESTION]));
    const foreign = idOf(await other.answer());
    using socket = await openSocket(both.gateway.url);
    socket.send(create([RESULT], { previous_response_id: foreign }));
    const [error] = await socket.answer();
    expect([pick(error, "status"), pick(error, "error", "code"), pick(error, "error", "param")]).toEqual([
      400,
      "previous_response_not_found",
      "previous_response_id",
    ]);
    expect(both.upstream.requests.length).toBe(1);
  });

  test("is left to the account that stored it, by its id", async () => {
    await using both = await one(sse(textStream("responses", ["Stored."], { id: "resp_stored" })));
    using first = await openSocket(both.gateway.url);
    first.send(create([QUESTION], { store: true }));
    await first.answer();
    using second = await openSocket(both.gateway.url);
    second.send(create([RESULT], { store: true, previous_response_id: "resp_stored" }));
    expect(typesOf(await second.answer()).at(-1)).toBe("response.completed");
    const last = both.upstream.requests[1]?.json();
    expect([pick(last, "previous_response_id"), pick(last, "input")]).toEqual(["resp_stored", [RESULT]]);
  });
});

test("a conversation that is too long to be kept ends its socket when its answer is there", async () => {
  await using both = await one(provider({ text: "x".repeat(3_000) }), { max_body_size: "4KB" });
  using socket = await openSocket(both.gateway.url);
  socket.send(create([said("user", "y".repeat(2_000))]));
  expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");
  expect((await socket.closing()).code).toBe(1001);
  await expectRecorded(both.gateway, 1);
});
