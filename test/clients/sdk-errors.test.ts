// How the official packages take what goes wrong: which error they throw, and how often they ask again.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { inTurn, json, sse, type BodyEnd } from "../support/answers.ts";
import { closedPort } from "../support/ports.ts";
import { gatewayConfig, account } from "../support/gateway-config.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import { errorItems, textFrames } from "../support/made-streams.ts";
import type { Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PROTOCOLS, providerError } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer } from "../support/upstream.ts";
import { startWorld, type ClientChoice, type World } from "./world.ts";

setDefaultTimeout(15_000);

type Call = (world: World, choice?: ClientChoice, more?: JsonObject) => Promise<unknown>;

const WHOLE: Readonly<Record<Protocol, Call>> = {
  messages: (world, choice, more) =>
    world.anthropic(choice).messages.create({
      model: MODELS.messages,
      max_tokens: 64,
      messages: [{ role: "user", content: "Hello." }],
      ...more,
    }),
  responses: (world, choice, more) =>
    world
      .openai(choice)
      .responses.create({ model: MODELS.responses, input: "Hello.", store: false, ...more }),
  chat: (world, choice, more) =>
    world.openai(choice).chat.completions.create({
      model: MODELS.chat,
      messages: [{ role: "user", content: "Hello." }],
      ...more,
    }),
};

/** Reads a stream to its end; says what it threw, or the type of its last event. */
const STREAMED: Readonly<Record<Protocol, (world: World) => Promise<string>>> = {
  messages: async (world) =>
    lastOf((await WHOLE.messages(world, {}, { stream: true })) as AsyncIterable<unknown>),
  responses: async (world) =>
    lastOf((await WHOLE.responses(world, {}, { stream: true })) as AsyncIterable<unknown>),
  chat: async (world) => lastOf((await WHOLE.chat(world, {}, { stream: true })) as AsyncIterable<unknown>),
};

async function lastOf(stream: AsyncIterable<unknown>): Promise<string> {
  let last: unknown;
  try {
    for await (const event of stream) last = event;
  } catch (error) {
    return `threw ${error instanceof Error ? error.message : String(error)}`;
  }
  return `ended with ${String(pick(last, "type") ?? pick(last, "choices", 0, "finish_reason"))}`;
}

interface Thrown {
  readonly name: string;
  readonly status: unknown;
  readonly message: string;
  readonly code: unknown;
  readonly headers: Headers;
}

async function thrownBy(call: Promise<unknown>): Promise<Thrown> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error("nothing was thrown");
  const headers = pick(error, "headers");
  return {
    name: error.constructor.name,
    status: pick(error, "status"),
    message: error.message,
    code: pick(error, "code"),
    headers: headers instanceof Headers ? headers : new Headers(),
  };
}

function refusing(protocol: Protocol, name: string): Answer {
  const { status, headers, body } = providerError(protocol === "messages" ? "anthropic" : "openai", name);
  return json(status, body, headers);
}

for (const protocol of PROTOCOLS) {
  describe(protocol, () => {
    const call = WHOLE[protocol];

    test("a wrong key is an authentication error after one request, which no provider sees", async () => {
      await using world = await startWorld();
      const thrown = await thrownBy(call(world, { key: "not-a-key-of-this-gateway" }));
      expect([thrown.name, thrown.status]).toEqual(["AuthenticationError", 401]);
      expect(thrown.message).toContain("client key");
      expect(thrown.headers.get("x-request-id")).toMatch(/^req_/);
      expect(world.upstream.requests).toEqual([]);
      await world.settled(1);
    });

    test("a model that nobody offers is a not-found error after one request", async () => {
      await using world = await startWorld({ accounts: { models: ["another-model"] } });
      const thrown = await thrownBy(call(world));
      expect([thrown.name, thrown.status]).toEqual(["NotFoundError", 404]);
      expect(thrown.message).toContain("model_not_found");
      expect(world.upstream.requests).toEqual([]);
      await world.settled(1);
    });

    test("the provider's 400 comes in its own words after one request", async () => {
      await using world = await startWorld({ claudes: 3, gpts: 3 });
      world.upstream.otherwise(refusing(protocol, "400-context-length"));
      const thrown = await thrownBy(call(world));
      expect([thrown.name, thrown.status]).toEqual(["BadRequestError", 400]);
      const words =
        protocol === "messages" ? "prompt is too long: 210512 tokens" : "exceeds the context window";
      expect(thrown.message).toContain(words);
      expect(world.upstream.requests).toHaveLength(1);
      await world.settled(1);
    });

    test("a short limit is waited out by the package as long as the answer says, and then it goes on", async () => {
      await using world = await startWorld();
      const body = { error: { type: "rate_limit_error", message: "Later." } };
      world.upstream.otherwise(inTurn(json(429, body, { "retry-after": "1" }), provider()));
      const startedAt = performance.now();
      await call(world);
      expect(performance.now() - startedAt).toBeGreaterThan(950);
      expect(world.upstream.requests).toHaveLength(2);
      await world.settled(2);
      const [first, second] = world.gateway.exchanges;
      expect([first?.status, second?.status, second?.outcome]).toEqual([429, 200, "ok"]);
    });

    test("a long limit is told at once, with the time, and not asked again", async () => {
      await using world = await startWorld({ claudes: 2, gpts: 2 });
      const long = { error: { type: "rate_limit_error", message: "Much later." } };
      world.upstream.otherwise(json(429, long, { "retry-after": "3600" }));
      const thrown = await thrownBy(call(world));
      expect([thrown.name, thrown.status]).toEqual(["RateLimitError", 429]);
      expect(Number(thrown.headers.get("retry-after"))).toBeGreaterThanOrEqual(3_600);
      expect(thrown.headers.get("x-should-retry")).toBe("false");
      expect(world.upstream.requests).toHaveLength(2);
      await world.settled(1);
    });

    test("failing accounts are each asked once a request: the package's retries add up with ours and do not multiply", async () => {
      await using world = await startWorld({ claudes: 2, gpts: 2 });
      world.upstream.otherwise(refusing(protocol, "500"));
      const thrown = await thrownBy(call(world, { maxRetries: 1 }));
      expect([thrown.name, thrown.status]).toEqual(["InternalServerError", 500]);
      expect(world.upstream.requests).toHaveLength(4);
      await world.settled(2);
      for (const record of world.gateway.exchanges) expect(record.attempts).toHaveLength(2);
    });

    test("refused credentials of all accounts are no authentication error of the client", async () => {
      await using world = await startWorld({ claudes: 2, gpts: 2 });
      world.upstream.otherwise(refusing(protocol, "401"));
      const thrown = await thrownBy(call(world, { maxRetries: 0 }));
      expect([thrown.name, thrown.status]).toEqual(["InternalServerError", 502]);
      expect(`${String(thrown.code)} ${thrown.message}`).toContain("gateway_upstream_refused");
      expect(thrown.message).not.toContain("invalid x-api-key");
      expect(world.upstream.requests).toHaveLength(2);
      await world.settled(1);
    });

    const endings: readonly BodyEnd[] = ["clean", "fin", "rst"];
    for (const end of endings) {
      test(`a stream that breaks off by ${end} after its first words is no success`, async () => {
        await using world = await startWorld();
        const { start, open, delta } = textFrames(protocol);
        const begun = writeSse([...start, ...open, delta("Half an ans")]);
        world.upstream.otherwise(sse(begun, { end, lingerMs: 100 }));
        const outcome = await STREAMED[protocol](world);
        // The package hands this event on as it does all others.
        if (protocol === "responses") expect(outcome).toBe("ended with response.failed");
        else expect(outcome).toContain("threw");
        expect(outcome).not.toContain("is not valid JSON");
        expect(world.upstream.requests).toHaveLength(1);
        await world.settled(1);
        expect(world.gateway.exchanges.map((record) => record.outcome)).toEqual(["cut"]);
      });
    }

    test("an error that the provider sends after the first words comes in its own words", async () => {
      await using world = await startWorld();
      const { start, open, delta } = textFrames(protocol);
      const words = { message: "The backend went away.", type: "overloaded_error", code: "server_error" };
      world.upstream.otherwise(
        sse([...start, ...open, delta("Half an ans"), ...errorItems(protocol, words)]),
      );
      const outcome = await STREAMED[protocol](world);
      if (protocol === "responses") expect(outcome).toBe("ended with response.failed");
      else expect(outcome).toContain("The backend went away.");
      await world.settled(1);
    });
  });
}

test("an upstream that cannot be reached is a server error, asked again by the package", async () => {
  await using world = await startWorld();
  const nowhere = `http://127.0.0.1:${await closedPort()}`;
  await world.gateway.reload(gatewayConfig([account("claude", nowhere)]));
  const thrown = await thrownBy(WHOLE.messages(world, { maxRetries: 1 }));
  expect([thrown.name, thrown.status]).toEqual(["InternalServerError", 502]);
  await world.settled(2);
});
