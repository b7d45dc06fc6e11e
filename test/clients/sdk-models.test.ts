// The list of models as the official packages read it: one body for both.
import { expect, setDefaultTimeout, test } from "bun:test";
import { hangBeforeHeaders, json } from "../support/answers.ts";
import { CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import { get } from "../support/client.ts";
import { pick } from "../support/json-pick.ts";
import { startWorld, type World } from "./world.ts";

setDefaultTimeout(15_000);

const CLAUDES = ["claude-opus-5", "claude-sonnet-5"];
const GPTS = ["gpt-5.1", "gpt-5.1-mini"];

function listing(ids: readonly string[]): unknown {
  return { object: "list", data: ids.map((id) => ({ id, object: "model" })) };
}

async function withLists(): Promise<World> {
  const world = await startWorld({ config: { model_aliases: { fast: "gpt-5.1-mini" } } });
  const { upstream } = world;
  upstream.when({ path: "/v1/models", credential: credentialOf("claude") }, json(200, listing(CLAUDES)));
  upstream.when({ path: "/v1/models", credential: credentialOf("gpt") }, json(200, listing(GPTS)));
  return world;
}

async function gather<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of pages) all.push(each);
  return all;
}

test("both packages list what the accounts have, with the aliases, and page through it to its end", async () => {
  await using world = await withLists();
  const expected = [...CLAUDES, "fast", ...GPTS];
  const openai = await gather(world.openai().models.list());
  expect(openai.map(({ id, object }) => [id, object])).toEqual(expected.map((id) => [id, "model"]));
  const anthropic = await gather(world.anthropic().models.list({ limit: 2 }));
  expect(anthropic.map(({ id, type }) => [id, type])).toEqual(expected.map((id) => [id, "model"]));
  for (const model of anthropic)
    expect([model.display_name, Date.parse(model.created_at) > 0]).toEqual([model.id, true]);
  expect(world.upstream.requests).toHaveLength(2);
  expect([world.gateway.active(), world.gateway.exchanges]).toEqual([0, []]);
});

test("both packages look a model up, and are told of one that does not exist", async () => {
  await using world = await withLists();
  expect(await world.openai().models.retrieve("gpt-5.1")).toMatchObject({ id: "gpt-5.1", object: "model" });
  expect(await world.anthropic().models.retrieve("claude-opus-5")).toMatchObject({
    id: "claude-opus-5",
    type: "model",
  });
  const lookups = [
    (): Promise<unknown> => world.openai().models.retrieve("none"),
    (): Promise<unknown> => world.anthropic().models.retrieve("none"),
  ];
  for (const lookup of lookups) {
    const thrown: unknown = await lookup().then(String, (error: unknown) => error);
    expect([Object(thrown).constructor.name, pick(thrown, "status")]).toEqual(["NotFoundError", 404]);
  }
});

test("a wrong key is an authentication error after one request", async () => {
  await using world = await withLists();
  for (const client of [world.openai({ key: "wrong-key" }), world.anthropic({ key: "wrong-key" })]) {
    const thrown: unknown = await gather<unknown>(client.models.list()).then(
      String,
      (error: unknown) => error,
    );
    expect([Object(thrown).constructor.name, pick(thrown, "status")]).toEqual(["AuthenticationError", 401]);
  }
  expect(world.upstream.requests).toEqual([]);
});

test("an account that does not tell its models in time leaves those of the others, within the patience of Claude Code", async () => {
  await using world = await withLists();
  world.upstream.when({ path: "/v1/models", credential: credentialOf("gpt") }, hangBeforeHeaders());
  const headers = [["anthropic-version", "2023-06-01"]] as const;
  const reply = await get(world.gateway.url, "/v1/models?limit=1000", {
    key: CLIENT_KEY,
    headers,
    timeoutMs: 3_000,
  });
  expect(pick(reply.json(), "data")).toMatchObject(
    [...CLAUDES, "fast"].map((id) => ({ id, display_name: id })),
  );
  expect(world.gateway.snapshot().map(({ state }) => state)).toEqual(["ready", "ready"]);
});
