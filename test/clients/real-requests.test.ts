// Requests as Claude Code, Codex, opencode and the packages really send them: what of them reaches the provider, what
// comes back, and the answers that these programs act upon.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { json, sse, type HeaderList } from "../support/answers.ts";
import { post, send, type Reply } from "../support/client.ts";
import { CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import type { Header } from "../support/http-message.ts";
import { pick } from "../support/json-pick.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { protocolOf, provider } from "../support/provider.ts";
import { REQUEST_NAMES, sampleRequest, sampleStream, type SampleRequest } from "../support/samples.ts";
import { askedBy } from "./same-request.ts";
import { startWorld, type World } from "./world.ts";

setDefaultTimeout(15_000);

/** A member order, spacing and numbers that no JSON library would write again. */
function bodyText(sample: SampleRequest): string {
  return ` ${JSON.stringify(sample.body, null, 1)}\r\n`.replace("{", '{ "seed_of_nobody": 1.50E+3,');
}

function speaks(sample: SampleRequest): Protocol {
  return protocolOf(sample.path.split("?")[0] ?? "") ?? "chat";
}

function ask(world: World, sample: SampleRequest, more: readonly Header[] = []): Promise<Reply> {
  const headers = [...sample.headers, ["content-type", "application/json"] as const, ...more];
  return post(world.gateway.url, sample.path, bodyText(sample), { key: CLIENT_KEY, headers });
}

for (const name of REQUEST_NAMES) {
  test(`${name}: path, query, headers and every byte of the body reach the provider, and its bytes come back`, async () => {
    await using world = await startWorld();
    const sample = sampleRequest(name);
    const protocol = speaks(sample);
    const streamed = pick(sample.body, "stream") === true;
    const stream = sampleStream(protocol, "tools");
    world.upstream.otherwise(streamed ? sse(stream, { chunking: 97 }) : provider());
    const reply = await ask(world, sample);
    expect(judge(protocol, reply)).toMatchObject({ complete: true, problems: [] });
    if (streamed) expect(reply.body.equals(stream)).toBe(true);

    const [asked] = world.upstream.requests;
    const given = sample.headers.map(([header, value]) => [header.toLowerCase(), value] as const);
    const own = [
      ["content-length", String(Buffer.byteLength(bodyText(sample)))],
      ["content-type", "application/json"],
    ] as const;
    const hop = new Set(["accept-encoding", "connection"]);
    const expected = Object.fromEntries([...given.filter(([header]) => !hop.has(header)), ...own]);
    const { headers, ...rest } = askedBy(asked);
    expect({ accept: "*/*", ...headers }).toEqual({ accept: "*/*", ...expected });
    const account = protocol === "messages" ? "claude" : "gpt";
    expect(rest).toEqual({
      method: "POST",
      target: sample.path,
      body: bodyText(sample),
      credential: credentialOf(account),
    });
    expect([asked?.header("accept-encoding"), asked?.header("host")]).toEqual([
      "identity",
      new URL(world.upstream.url).host,
    ]);
    await world.settled(1);
  });

  test(`${name}: its turns stay with one account, whichever it is`, async () => {
    await using world = await startWorld({ claudes: 3, gpts: 3 });
    world.upstream.otherwise(provider());
    const sample = sampleRequest(name);
    for (const turn of [1, 2, 3, 4]) {
      expect((await ask(world, sample)).status).toBe(200);
      const others = { ...sample, headers: [], body: { ...sample.body, ...otherTalk(speaks(sample), turn) } };
      expect((await ask(world, others)).status).toBe(200);
    }
    const own = world.upstream.requests.filter((request) => !request.body.includes("Another talk"));
    expect([own.length, new Set(own.map((request) => request.credential)).size]).toEqual([4, 1]);
    await world.settled(8);
  });
}

function otherTalk(protocol: Protocol, turn: number): Record<string, unknown> {
  const turns = [{ role: "user", content: `Another talk, ${turn}` }];
  const nameless = { metadata: undefined, prompt_cache_key: undefined, client_metadata: undefined };
  return { ...nameless, [protocol === "responses" ? "input" : "messages"]: turns };
}

describe("a body that comes", () => {
  const encodings = {
    zstd: zstdCompressSync,
    gzip: gzipSync,
    br: brotliCompressSync,
    deflate: deflateSync,
  } as const;
  for (const [encoding, compress] of Object.entries(encodings)) {
    test(`${encoding}-encoded reaches the provider as plain JSON with the same bytes`, async () => {
      await using world = await startWorld();
      world.upstream.otherwise(provider());
      const sample = sampleRequest("codex");
      const headers = [...sample.headers, ["content-encoding", encoding] as const];
      const body = compress(Buffer.from(bodyText(sample)));
      const reply = await post(world.gateway.url, sample.path, body, { key: CLIENT_KEY, headers });
      expect(judge("responses", reply)).toMatchObject({ complete: true, problems: [] });
      const [asked] = world.upstream.requests;
      expect([asked?.body.toString(), asked?.header("content-encoding")]).toEqual([
        bodyText(sample),
        undefined,
      ]);
      await world.settled(1);
    });
  }
});

describe("Claude Code", () => {
  test("asks HEAD / at each start, without a key", async () => {
    await using world = await startWorld();
    const reply = await send(world.gateway.url, { method: "HEAD", path: "/" }).reply;
    expect([reply.status, reply.end, reply.body.length]).toEqual([200, "complete", 0]);
  });

  test("sends the title and the first turn at once, both of one session", async () => {
    await using world = await startWorld({ claudes: 2 });
    world.upstream.otherwise(provider());
    const samples = [sampleRequest("claude-code-title"), sampleRequest("claude-code")];
    const replies = await Promise.all(samples.map((sample) => ask(world, sample)));
    expect(replies.map((reply) => judge("messages", reply).complete)).toEqual([true, true]);
    await world.settled(2);
    const sessions = world.gateway.exchanges.map((record) => record.session);
    expect(new Set(sessions).size).toBe(1);
  });

  test("is told at once that its key is wrong, in words of its protocol", async () => {
    await using world = await startWorld();
    const { headers, body, path } = sampleRequest("claude-code");
    const reply = await post(world.gateway.url, path, body, { key: "wrong-key", headers });
    expect([reply.status, reply.header("x-should-retry"), judge("messages", reply).error?.type]).toEqual([
      401,
      "false",
      "authentication_error",
    ]);
  });

  test("gets the provider's request id and hint to retry, and nothing of the account's limits and cookies", async () => {
    await using world = await startWorld();
    const told: HeaderList = [
      ["request-id", "req_sample_of_provider"],
      ["x-should-retry", "true"],
      ["anthropic-ratelimit-unified-status", "allowed"],
      ["anthropic-ratelimit-unified-5h-utilization", "0.5"],
      ["anthropic-ratelimit-requests-remaining", "49"],
      ["anthropic-organization-id", "an-organization"],
      ["set-cookie", "session=secret"],
      ["server", "provider"],
      ["via", "1.1 provider"],
    ];
    world.upstream.otherwise(provider({ headers: told }));
    for (const stream of [true, false]) {
      const sample = sampleRequest("claude-code");
      const reply = await ask(world, { ...sample, body: { ...sample.body, stream } });
      expect([reply.status, reply.header("request-id")]).toEqual([200, "req_sample_of_provider"]);
      expect(reply.header("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
      const names = reply.headers.map(([header]) => header.toLowerCase());
      expect(names.filter((header) => /ratelimit|organization|cookie|^server$|^via$/.test(header))).toEqual(
        [],
      );
    }
    await world.settled(2);
  });
});

describe("Codex", () => {
  const QUOTA = json(
    429,
    {
      error: {
        type: "usage_limit_reached",
        message: "The usage limit has been reached",
        resets_in_seconds: 7_200,
      },
    },
    {},
  );

  test("is told that the plan is used up and until when; another client is told not to retry", async () => {
    await using world = await startWorld();
    world.upstream.otherwise(QUOTA);
    const codex = await ask(world, sampleRequest("codex"));
    const resetsInMs = Number(pick(codex.json(), "error", "resets_at")) * 1_000 - Date.now();
    expect([codex.status, pick(codex.json(), "error", "type")]).toEqual([429, "usage_limit_reached"]);
    // Not the two hours that the provider named: a used-up plan is tried again now and then.
    expect(resetsInMs).toBeGreaterThan(600_000);
    expect(Math.abs(resetsInMs - Number(codex.header("retry-after")) * 1_000)).toBeLessThan(2_500);
    const other = await ask(world, sampleRequest("openai-sdk-responses"));
    expect([other.status, other.header("x-should-retry"), pick(other.json(), "error", "code")]).toEqual([
      429,
      "false",
      "gateway_pool_cooling",
    ]);
    await world.settled(2);
  });

  test("never hears of overload while another account is free", async () => {
    await using world = await startWorld({ gpts: 2 });
    world.upstream.otherwise(provider());
    const overloaded = {
      type: "response.failed",
      response: {
        id: "r",
        status: "failed",
        error: { code: "server_is_overloaded", message: "Selected model is at capacity." },
      },
    };
    world.upstream.when({ nth: 1 }, sse([{ event: "response.failed", data: overloaded }]));
    const reply = await ask(world, sampleRequest("codex"));
    expect(judge("responses", reply)).toMatchObject({ complete: true, error: undefined, problems: [] });
    expect(world.upstream.requests).toHaveLength(2);
    await world.settled(1);
  });

  test("gets its turn state back, and gives it to the same account again", async () => {
    await using world = await startWorld({ gpts: 2 });
    world.upstream.otherwise(provider({ headers: { "x-codex-turn-state": "opaque-state" } }));
    const first = await ask(world, sampleRequest("codex"));
    const state = first.header("x-codex-turn-state") ?? "";
    expect(state).toBe("opaque-state");
    await ask(world, sampleRequest("codex"), [["x-codex-turn-state", state]]);
    const [before, after] = world.upstream.requests;
    expect([after?.header("x-codex-turn-state"), after?.credential]).toEqual([state, before?.credential]);
    await world.settled(2);
  });

  test("may leave the version out of the path", async () => {
    await using world = await startWorld();
    world.upstream.otherwise(provider());
    const sample = sampleRequest("codex");
    expect((await ask(world, { ...sample, path: "/responses" })).status).toBe(200);
    expect(world.upstream.requests.map((request) => request.target)).toEqual(["/v1/responses"]);
    await world.settled(1);
  });
});
