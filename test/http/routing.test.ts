// Which account a model's name leads to, across platforms and protocols.
import { describe, expect, test } from "bun:test";
import { json } from "../support/answers.ts";
import { post } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import { pair, type Pair } from "./pair.ts";

const SAID = "Hello.";

function claude(url: string, more: JsonObject = {}): JsonObject {
  return account("claude", url, { platform: "anthropic", more });
}

function gpt(url: string, more: JsonObject = {}): JsonObject {
  return account("gpt", url, { platform: "openai", more: { apis: ["responses"], ...more } });
}

async function asked(on: Pair, client: Protocol, model: string): Promise<readonly unknown[]> {
  const before = on.upstream.requests.length;
  const body = ask(client, { model, stream: true });
  const reply = await post(on.gateway.url, PATHS[client], body, { key: CLIENT_KEY });
  expect([reply.status, judge(client, reply).text]).toEqual([200, SAID]);
  return on.upstream.requests
    .slice(before)
    .map((request) => [request.credential, pick(request.json(), "model")]);
}

describe("a model", () => {
  test.each(PROTOCOLS)("is served by whoever offers it, for a client of %s", async (client) => {
    await using on = await pair(provider({ text: SAID }), (url) => [claude(url), gpt(url)]);
    expect(await asked(on, client, "claude-opus-5")).toEqual([[credentialOf("claude"), "claude-opus-5"]]);
    expect(await asked(on, client, "gpt-5")).toEqual([[credentialOf("gpt"), "gpt-5"]]);
  });

  test.each(PROTOCOLS)("goes to an account of the client's own protocol first: %s", async (client) => {
    const models = { models: ["m"], priority: 7 };
    await using on = await pair(provider({ text: SAID }), (url) =>
      PROTOCOLS.map((api) =>
        account(api, url, {
          platform: api === "messages" ? "anthropic" : "openai",
          more: { ...models, apis: [api] },
        }),
      ),
    );
    expect(await asked(on, client, "m")).toEqual([[credentialOf(client), "m"]]);
  });

  test("goes to another protocol rather than to a lower priority", async () => {
    await using on = await pair(provider({ text: SAID }), (url) => [
      claude(url, { models: ["m"], priority: 2 }),
      gpt(url, { models: ["m"], priority: 1 }),
    ]);
    expect(await asked(on, "messages", "m")).toEqual([[credentialOf("gpt"), "m"]]);
  });
});

describe("an alias", () => {
  const best = { model_aliases: { best: { models: ["claude-opus-5", "gpt-5"] } } };

  test.each(PROTOCOLS)("stands for its first model, whatever platform that is of: %s", async (client) => {
    await using on = await pair(
      provider({ text: SAID }),
      (url) => [gpt(url, { priority: 1 }), claude(url)],
      best,
    );
    expect(await asked(on, client, "best")).toEqual([[credentialOf("claude"), "claude-opus-5"]]);
  });

  test.each(PROTOCOLS)(
    "goes on to its next model, on another platform, where the first is not to be had: %s",
    async (client) => {
      await using on = await pair(provider({ text: SAID }), (url) => [gpt(url), claude(url)], best);
      const limit = { type: "error", error: { type: "rate_limit_error", message: "slow down" } };
      on.upstream.when({ credential: credentialOf("claude") }, json(429, limit, { "retry-after": "60" }));
      expect(await asked(on, client, "best")).toEqual([
        [credentialOf("claude"), "claude-opus-5"],
        [credentialOf("gpt"), "gpt-5"],
      ]);
      // While the first one rests nobody asks it.
      expect(await asked(on, client, "best")).toEqual([[credentialOf("gpt"), "gpt-5"]]);
    },
  );

  test("the answer names the model that the client asked for where it is translated", async () => {
    await using on = await pair(provider({ text: SAID }), (url) => [claude(url)], best);
    const reply = await post(on.gateway.url, PATHS.chat, ask("chat", { model: "best", stream: false }), {
      key: CLIENT_KEY,
    });
    expect(pick(reply.json(), "model")).toBe("best");
  });
});
