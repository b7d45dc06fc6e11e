// What is passed on as it is: counts of tokens, compactions, embeddings and every other path of the services.
import { describe, expect, test } from "bun:test";
import { held, json, sse } from "../support/answers.ts";
import { post, sendRaw, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import { provider } from "../support/provider.ts";
import { until } from "../scenarios/many.ts";
import type { Answer } from "../support/upstream.ts";
import { pair, type Pair } from "./pair.ts";

const COUNT = "/v1/messages/count_tokens";
const COUNTED = json(200, { input_tokens: 7 });
const MESSAGE = { model: "claude-opus-5", messages: [{ role: "user", content: "Hi" }] };
const LIMIT = json(
  429,
  { type: "error", error: { type: "rate_limit_error", message: "slow down" } },
  { "retry-after": "60" },
);

const claude = (url: string, name = "claude", more: JsonObject = {}): JsonObject =>
  account(name, url, { platform: "anthropic", more });
const gpt = (url: string, name = "gpt", more: JsonObject = {}): JsonObject =>
  account(name, url, { platform: "openai", more });

function ask(
  on: Pair,
  path: string,
  body: object,
  headers: readonly (readonly [string, string])[] = [],
): Promise<Reply> {
  return post(on.gateway.url, path, body, { key: CLIENT_KEY, headers });
}

async function two(answer: Answer): Promise<Pair> {
  return pair(answer, (url) => [
    claude(url, "first", { priority: 1 }),
    claude(url, "second", { priority: 2 }),
  ]);
}

describe("a count of tokens", () => {
  test("is the upstream's own, for the client's own bytes and betas", async () => {
    await using on = await pair(COUNTED, (url) => [claude(url)]);
    const headers = [
      ["anthropic-version", "2023-06-01"],
      ["anthropic-beta", "token-counting-2024-11-01"],
    ] as const;
    const reply = await ask(on, `${COUNT}?beta=true`, MESSAGE, headers);
    expect([reply.status, reply.json()]).toEqual([200, { input_tokens: 7 }]);
    const [asked] = on.upstream.requests;
    expect([asked?.target, asked?.body.toString()]).toEqual([`${COUNT}?beta=true`, JSON.stringify(MESSAGE)]);
    expect(asked?.header("anthropic-beta")).toBe("token-counting-2024-11-01");
  });

  test("takes no slot and waits for none", async () => {
    const generation = held(provider());
    await using on = await pair(provider(), (url) => [claude(url, "claude", { concurrency: 1 })]);
    on.upstream.when({ path: "/v1/messages" }, generation.answer);
    const talk = ask(on, "/v1/messages", { ...MESSAGE, max_tokens: 9 });
    await until(() => on.upstream.active === 1);
    expect((await ask(on, COUNT, MESSAGE)).json()).toEqual({ input_tokens: 7 });
    expect(on.gateway.active()).toBe(1);
    generation.release();
    expect((await talk).status).toBe(200);
  });

  test("asks another account where one refuses, and holds nothing against anybody", async () => {
    await using on = await two(COUNTED);
    for (const answer of [LIMIT, json(500, {}), json(401, {}), json(403, {})]) {
      on.upstream.clear();
      on.upstream.otherwise(COUNTED);
      on.upstream.when({ credential: credentialOf("first") }, answer);
      expect((await ask(on, COUNT, { ...MESSAGE, system: String(Math.random()) })).status).toBe(200);
      expect(on.upstream.requests.map((request) => request.credential)).toEqual([
        credentialOf("first"),
        credentialOf("second"),
      ]);
      expect(on.gateway.snapshot().map(({ state }) => state)).toEqual(["ready", "ready"]);
    }
  });

  test("that nobody answers is an error in the client's protocol, and no account is the worse for it", async () => {
    await using on = await two(LIMIT);
    const reply = await ask(on, COUNT, MESSAGE);
    expect([reply.status, pick(reply.json(), "error", "type")]).toEqual([429, "rate_limit_error"]);
    expect(on.gateway.snapshot().map(({ state }) => state)).toEqual(["ready", "ready"]);
    on.upstream.clear();
    on.upstream.otherwise(json(404, { detail: "Not Found" }));
    expect((await ask(on, COUNT, MESSAGE)).status).toBe(404);
  });

  test("of a model that only another platform has is not found, and never made up", async () => {
    await using on = await pair(provider(), (url) => [gpt(url)]);
    const reply = await ask(on, COUNT, { ...MESSAGE, model: "gpt-5" });
    expect([reply.status, pick(reply.json(), "error", "type")]).toEqual([404, "not_found_error"]);
    expect(on.upstream.requests).toHaveLength(0);
  });

  test("is asked once for all who ask the same at the same time", async () => {
    const count = held(COUNTED);
    await using on = await pair(count.answer, (url) => [claude(url)]);
    const all = Array.from({ length: 17 }, () => ask(on, COUNT, MESSAGE));
    await until(() => on.upstream.active === 1);
    count.release();
    const replies = await Promise.all(all);
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 17 }, () => 200));
    expect(on.upstream.requests.length).toBeLessThan(4);
    await ask(on, COUNT, { ...MESSAGE, system: "another" });
    expect(on.upstream.requests.at(-1)?.body.toString()).toContain("another");
  });

  test("needs a key, a body and a model", async () => {
    await using on = await pair(COUNTED, (url) => [claude(url)]);
    // Nobody waits for the body of somebody who may not ask.
    const head = `POST ${COUNT} HTTP/1.1\r\nhost: x\r\nx-api-key: wrong-key-of-nobody\r\ncontent-length: 1000000\r\n\r\n`;
    const stopped = await sendRaw(on.gateway.url, [head]).reply;
    expect(stopped.status).toBe(401);
    expect((await post(on.gateway.url, COUNT, MESSAGE, { key: "wrong-key-of-nobody" })).status).toBe(401);
    expect((await ask(on, COUNT, {})).status).toBe(400);
  });
});

describe("a compaction", () => {
  test("goes where the conversation lives, as it is, and takes a slot", async () => {
    const answer = { object: "response.compaction", output: [] };
    await using on = await pair(provider(), (url) => ["a", "b"].map((name) => gpt(url, name)));
    on.upstream.when({ path: "/v1/responses/compact" }, json(200, answer));
    const session = [["session-id", "talk"]] as const;
    const input = [{ role: "user", content: "Hi" }];
    await ask(on, "/v1/responses", { model: "gpt-5", input, store: false }, session);
    const body = { model: "gpt-5", input, instructions: "i" };
    const reply = await ask(on, "/v1/responses/compact", body, session);
    expect([reply.status, reply.json()]).toEqual([200, answer]);
    const [first, second] = on.upstream.requests;
    expect([second?.credential, second?.path, second?.body.toString()]).toEqual([
      first?.credential,
      "/v1/responses/compact",
      JSON.stringify(body),
    ]);
  });

  test("is no business of an account that speaks another protocol", async () => {
    await using on = await pair(provider(), (url) => [gpt(url, "gpt", { apis: ["chat"] })]);
    expect((await ask(on, "/v1/responses/compact", { model: "gpt-5", input: [] })).status).toBe(404);
  });
});

describe("any other path", () => {
  const EMBED = { model: "text-embedding-3-small", input: ["a", "b"] };
  const VECTORS = {
    object: "list",
    data: [{ embedding: [0.5, 1e-7] }],
    usage: { prompt_tokens: 2, total_tokens: 2 },
  };
  const models = { models: ["text-*", "claude-*"] };

  test("passes as it is, both ways, and leaves a record under its name", async () => {
    await using on = await pair(json(200, VECTORS), (url) => [
      claude(url),
      gpt(url, "gpt", { ...models, model_map: { small: EMBED.model } }),
    ]);
    const reply = await ask(on, "/v1/embeddings", EMBED);
    expect([reply.status, reply.text()]).toEqual([200, JSON.stringify(VECTORS)]);
    expect(on.upstream.requests[0]?.body.toString()).toBe(JSON.stringify(EMBED));
    expect(on.upstream.requests[0]?.credential).toBe(credentialOf("gpt"));
    expect(on.gateway.exchanges.map(({ protocol, outcome }) => [protocol, outcome])).toEqual([
      ["/v1/embeddings", "ok"],
    ]);
    await ask(on, "/v1/embeddings", { ...EMBED, model: "small" });
    expect(pick(on.upstream.requests[1]?.json(), "model")).toBe(EMBED.model);
  });

  test.each([
    ["a limit", LIMIT],
    ["a failure", json(500, {})],
    ["a refusal", json(401, {})],
  ])("goes to another account after %s; by odd paths nobody can take an account out", async (_, answer) => {
    await using on = await pair(json(200, VECTORS), (url) =>
      ["first", "second"].map((name, place) => gpt(url, name, { ...models, priority: place + 1 })),
    );
    on.upstream.when({ credential: credentialOf("first") }, answer);
    for (let times = 0; times < 6; times += 1)
      expect((await ask(on, "/v1/embeddings", EMBED)).status).toBe(200);
    on.upstream.clear();
    on.upstream.otherwise(provider());
    expect((await ask(on, "/v1/chat/completions", { model: "text-x", messages: [] })).status).toBe(200);
    expect(on.upstream.requests.map((request) => request.credential)).toEqual([credentialOf("first")]);
  });

  test("is not asked of a second account when the first may have done it", async () => {
    await using on = await pair(json(500, {}), (url) =>
      ["first", "second"].map((name) => gpt(url, name, models)),
    );
    expect((await ask(on, "/v1/fine_tuning/jobs", EMBED)).status).toBe(502);
    expect(on.upstream.requests).toHaveLength(1);
  });

  test("goes to the other platform when the client says so", async () => {
    await using on = await pair(json(200, { ok: true }), (url) => [claude(url), gpt(url)]);
    const version = [["anthropic-version", "2023-06-01"]] as const;
    await ask(on, "/v1/complete", { model: "claude-opus-5" }, version);
    expect(on.upstream.requests[0]?.credential).toBe(credentialOf("claude"));
  });

  test("may stream: its bytes pass as they come, and one that breaks off is not told as whole", async () => {
    const events = 'event: image.partial\ndata: {"b":1}\n\nevent: image.done\ndata: {}\n\n';
    await using on = await pair(sse(events), (url) => [gpt(url, "gpt", { models: ["gpt-image"] })]);
    const body = { model: "gpt-image", prompt: "p", stream: true };
    const reply = await ask(on, "/v1/images/generations", body);
    expect([reply.status, reply.text(), reply.end]).toEqual([200, events, "complete"]);
    on.upstream.clear();
    on.upstream.otherwise(sse(events, { end: "rst" }));
    expect((await ask(on, "/v1/images/generations", body)).end).not.toBe("complete");
  });

  test("that no account's service has is not found, and holds nothing against anybody", async () => {
    await using on = await pair(json(404, { detail: "Not Found" }), (url) => [gpt(url, "gpt", models)]);
    const reply = await ask(on, "/v1/rerank", EMBED);
    expect([reply.status, pick(reply.json(), "error", "code")]).toEqual([404, "gateway_endpoint_not_found"]);
    expect(on.gateway.snapshot().map(({ state }) => state)).toEqual(["ready"]);
    on.upstream.clear();
    on.upstream.otherwise(provider());
    expect((await ask(on, "/v1/chat/completions", { model: "text-x", messages: [] })).status).toBe(200);
  });

  test("is not read or written, and nothing but POST is passed on", async () => {
    await using on = await pair(provider(), (url) => [gpt(url)]);
    const reply = await fetch(`${on.gateway.url}/v1/files`, {
      headers: { authorization: `Bearer ${CLIENT_KEY}` },
    });
    expect(reply.status).toBe(404);
    expect((await ask(on, "/v2/embeddings", EMBED)).status).toBe(404);
    expect(on.upstream.requests).toHaveLength(0);
  });
});

describe("a protocol that an account's server does not have", () => {
  const body = { model: "gpt-5", input: "Hi", store: false };

  test.each([
    ["404", json(404, { detail: "Not Found" })],
    ["405", json(405, { detail: "Method Not Allowed" })],
    [
      "404 as OpenAI words it",
      json(404, {
        error: {
          message: "Invalid URL (POST /v1/responses)",
          type: "invalid_request_error",
          param: null,
          code: null,
        },
      }),
    ],
  ])(
    "is learnt from its %s: the request goes on in another, and so do those after it",
    async (_, missing) => {
      await using on = await pair(provider(), (url) => [gpt(url)]);
      on.upstream.when({ path: "/v1/responses" }, missing);
      expect((await ask(on, "/v1/responses", body)).status).toBe(200);
      expect((await ask(on, "/v1/responses", body)).status).toBe(200);
      const paths = on.upstream.requests.map(({ path }) => path);
      expect(paths).toEqual(["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]);
      expect(on.gateway.snapshot().map(({ state }) => state)).toEqual(["ready"]);
      expect(on.gateway.lines.filter(({ event }) => event === "api-missing")).toHaveLength(1);
    },
  );

  test("is not learnt from a model that is not there", async () => {
    await using on = await pair(provider(), (url) => [gpt(url)]);
    const error = {
      message: "The model `gpt-5` does not exist",
      type: "invalid_request_error",
      param: null,
      code: "model_not_found",
    };
    on.upstream.when({ path: "/v1/responses", nth: 1 }, json(404, { error }));
    expect((await ask(on, "/v1/responses", body)).status).toBe(404);
    expect((await ask(on, "/v1/responses", { ...body, model: "gpt-4" })).status).toBe(200);
    expect(on.upstream.requests.at(-1)?.path).toBe("/v1/responses");
  });

  test("is the account's failure where it is the only one", async () => {
    await using on = await pair(json(404, { detail: "Not Found" }), (url) => [
      gpt(url, "gpt", { apis: ["responses"] }),
    ]);
    expect((await ask(on, "/v1/responses", body)).status).toBe(502);
  });
});
