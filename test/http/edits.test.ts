// The body on its way up: its bytes, and the few edits that the configuration asks for.
import { describe, expect, test } from "bun:test";
import { accountOf, type Case } from "../faults/row.ts";
import { json } from "../support/answers.ts";
import { post } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { pair } from "./pair.ts";

/** What a reader and writer of JSON would change. */
const ODD =
  `"big":123456789012345678901234567890,"exact":1.10E+2 ,"escapes":"\\u0041\\/\\ud83d\\ude00",` +
  `"lone":"\\ud800","__proto__":{"a":1},"constructor":null,"twice":1,"twice":2,"thinking":{"budget":-0.0}`;

function bodies(protocol: (typeof PROTOCOLS)[number], model: string): string {
  const turns =
    protocol === "responses" ? `"input":"Grüße"` : `"messages":[{"role":"user","content":"Grüße"}]`;
  return `{ "model" : "${model}" ,\r\n\t${turns}, ${ODD}\n}`;
}

describe("a request's bytes", () => {
  test.each(PROTOCOLS)("%s: go up untouched where nothing is configured", async (protocol) => {
    const each: Case = { client: protocol, upstream: protocol, stream: false };
    await using on = await pair(provider(), (url) => [accountOf(each, "first", url)]);
    const body = bodies(protocol, MODELS[protocol]);
    const reply = await post(on.gateway.url, PATHS[protocol], body, { key: CLIENT_KEY });
    expect([reply.status, on.upstream.requests[0]?.body.toString()]).toEqual([200, body]);
  });

  test.each(PROTOCOLS)("%s: change where an edit is configured and nowhere else", async (protocol) => {
    const each: Case = { client: protocol, upstream: protocol, stream: false };
    const more = { model_map: { mine: 'their "own" model' } };
    const extra = { thinking: { budget: 7, type: "on" }, big: 1, added: [1, { a: null }], twice: 3 };
    await using on = await pair(provider(), (url) => [accountOf(each, "first", url, more)], {
      model_extra_params: { mine: extra },
    });
    await post(on.gateway.url, PATHS[protocol], bodies(protocol, "mine"), { key: CLIENT_KEY });
    const wanted = bodies(protocol, "mine")
      .replace('"mine"', JSON.stringify('their "own" model'))
      .replace('{"budget":-0.0}', '{"budget":-0.0,"type":"on"}')
      .replace(/\n\}$/, '\n,"added":[1,{"a":null}]}');
    expect(on.upstream.requests[0]?.body.toString()).toBe(wanted);
  });
});

describe("model_aliases", () => {
  const ORDERED = { best: { models: ["gpt-first", "gpt-second"] }, fast: "gpt-second" };
  const accounts = (url: string): JsonObject[] => [
    account("near", url, { platform: "openai", more: { priority: 1, models: ["gpt-second"] } }),
    account("far", url, { platform: "openai", more: { priority: 90, models: ["gpt-first"] } }),
  ];

  test("stand for a model", async () => {
    await using on = await pair(provider(), accounts, { model_aliases: ORDERED });
    await post(on.gateway.url, PATHS.chat, ask("chat", { stream: false, model: "fast" }), {
      key: CLIENT_KEY,
    });
    const [request] = on.upstream.requests;
    expect([request?.credential, pick(request?.json(), "model")]).toEqual([
      credentialOf("near"),
      "gpt-second",
    ]);
  });

  test("name several models, tried in their order whatever the accounts' priority", async () => {
    await using on = await pair(provider(), accounts, { model_aliases: ORDERED });
    on.upstream.when({ credential: credentialOf("far"), nth: 2 }, json(503, { error: { message: "no" } }));
    for (const stream of [false, true]) {
      const reply = await post(on.gateway.url, PATHS.responses, ask("responses", { stream, model: "best" }), {
        key: CLIENT_KEY,
      });
      expect(reply.status).toBe(200);
    }
    expect(on.upstream.requests.map((each) => [each.credential, pick(each.json(), "model")])).toEqual([
      [credentialOf("far"), "gpt-first"],
      [credentialOf("far"), "gpt-first"],
      [credentialOf("near"), "gpt-second"],
    ]);
  });

  test("are checked by a key's models under the name that is asked for", async () => {
    await using on = await pair(provider(), accounts, { model_aliases: ORDERED });
    const reply = await post(on.gateway.url, PATHS.chat, ask("chat", { stream: false, model: "worst" }), {
      key: CLIENT_KEY,
    });
    expect(reply.status).toBe(404);
  });
});

/** What the upstream got. */
async function sentWith(config: JsonObject, path: keyof typeof PATHS, body: JsonObject): Promise<unknown> {
  const accounts = (url: string): JsonObject[] => [
    account("a", url),
    account("b", url, { platform: "openai", more: { model_map: { mapped: "gpt-5.1" } } }),
  ];
  await using on = await pair(provider(), accounts, config);
  const reply = await post(on.gateway.url, PATHS[path], body, { key: CLIENT_KEY });
  expect(reply.status).toBe(200);
  return on.upstream.requests[0]?.json();
}

describe("model_extra_params", () => {
  const config = {
    model_aliases: { alias: "gpt-5.1" },
    model_extra_params: {
      "gpt-5.1": { by: "model" },
      "gpt-other": { reasoning: { effort: "low", summary: "auto" } },
      mapped: { by: "name" },
      alias: { by: "alias" },
      "*": { by: "star", star: true },
    },
  };
  test.each([
    ["gpt-5.1", { by: "model" }],
    ["mapped", { by: "model" }],
    ["alias", { by: "model" }],
    ["gpt-unknown", { by: "star", star: true }],
  ])("are those of %p by the most exact name, and never merged with the star's", async (model, wanted) => {
    const sent = await sentWith(config, "chat", ask("chat", { stream: false, model }));
    expect({ by: pick(sent, "by"), star: pick(sent, "star") }).toEqual({ star: undefined, ...wanted });
  });

  test("fill in what the client left out, also inside objects", async () => {
    const extra = { reasoning: { effort: "high" }, by: "client" };
    const sent = await sentWith(
      config,
      "responses",
      ask("responses", { stream: false, model: "gpt-other", extra }),
    );
    expect(pick(sent, "reasoning")).toEqual({ effort: "high", summary: "auto" });
    expect(pick(sent, "by")).toBe("client");
  });
});

describe("openai_default_instructions", () => {
  const config = { openai_default_instructions: { "gpt-5.1": "Be exact.", "*": "Be brief." } };
  const user = { role: "user", content: "Hello" };

  test("are given to a Responses request that brings none", async () => {
    for (const [model, words] of [
      ["gpt-5.1", "Be exact."],
      ["gpt-unknown", "Be brief."],
    ] as const) {
      const sent = await sentWith(config, "responses", ask("responses", { stream: false, model }));
      expect(pick(sent, "instructions")).toBe(words);
    }
  });

  test.each([
    ["its own", { instructions: "Mine." }],
    ["empty ones", { instructions: "" }],
    ["a developer's item", { input: [{ role: "developer", content: "Mine." }, user] }],
  ])("are not given to one that brings %s", async (_what, extra) => {
    const body = ask("responses", { stream: false, extra });
    expect(await sentWith(config, "responses", body)).toEqual(body);
  });

  test("lead a Chat conversation that has no system message", async () => {
    const sent = await sentWith(config, "chat", ask("chat", { stream: false, extra: { messages: [user] } }));
    expect(pick(sent, "messages")).toEqual([{ role: "system", content: "Be exact." }, user]);
    const own = [user, { role: "system", content: "Mine." }];
    const kept = await sentWith(config, "chat", ask("chat", { stream: false, extra: { messages: own } }));
    expect(pick(kept, "messages")).toEqual(own);
  });

  test("are nothing to Anthropic", async () => {
    const body = ask("messages", { stream: false });
    expect(await sentWith(config, "messages", body)).toEqual(body);
  });
});
