// Reasoning that only the account that sealed it can read: in every request of a conversation, on the own protocol and
// through others, each account is sent what it has sealed itself and nothing else, wherever the conversation had to go.
import { expect, setDefaultTimeout, test } from "bun:test";
import { json, sse } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";

import type { Protocol } from "../support/oracle.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { PATHS } from "../support/samples.ts";
import { startUpstream, type Answer, type Upstream, type UpstreamRequest } from "../support/upstream.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { SseReader } from "../../src/core/sse.ts";
import { parseObject, type JsonObject } from "../../src/core/json.ts";
import { ask, echo } from "../vectors/translate.ts";

setDefaultTimeout(30_000);

type Sealing = "messages" | "responses";
const MODEL = { messages: "claude-opus-5", responses: "gpt-5" } as const;
const WISH: Readonly<Record<Protocol, JsonObject>> = {
  messages: { thinking: { type: "adaptive" } },
  responses: { reasoning: { effort: "high" }, include: ["reasoning.encrypted_content"], store: false },
  chat: { reasoning_effort: "high" },
};
const SEAL = /SEAL-[a-z0-9-]*?-\d+-/g;
const TOOLS: Readonly<Record<Protocol, JsonObject>> = {
  messages: { name: "get", input_schema: { type: "object" } },
  responses: { type: "function", name: "get", parameters: { type: "object", properties: {} } },
  chat: { type: "function", function: { name: "get", parameters: { type: "object", properties: {} } } },
};

function answerOf(protocol: Sealing, seal: string, number: number): JsonObject {
  if (protocol === "messages")
    return {
      id: `msg_${number}`,
      type: "message",
      role: "assistant",
      model: "m",
      content: [
        { type: "thinking", thinking: `thought ${number}`, signature: seal },
        { type: "tool_use", id: `toolu_${number}`, name: "get", input: {} },
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: { input_tokens: 1, output_tokens: 2 },
    };
  const summary = [{ type: "summary_text", text: `thought ${number}` }];
  return {
    id: `resp_${number}`,
    object: "response",
    status: "completed",
    model: "m",
    output: [
      { id: `rs_${number}`, type: "reasoning", summary, encrypted_content: seal },
      {
        id: `fc_${number}`,
        type: "function_call",
        call_id: `call_${number}`,
        name: "get",
        arguments: "{}",
        status: "completed",
      },
    ],
    usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
  };
}

const REFUSALS: Readonly<Record<Sealing, JsonObject>> = {
  messages: {
    type: "error",
    error: {
      type: "invalid_request_error",
      message: "messages.1.content.0: Invalid `signature` in `thinking` block",
    },
  },
  responses: {
    error: {
      message: "The encrypted content could not be verified.",
      type: "invalid_request_error",
      param: null,
      code: "invalid_encrypted_content",
    },
  },
};

/** Seals what it answers in its account's name, and takes nothing that another has sealed. */
function sealing(protocol: Sealing): Answer {
  return (request, connection) => {
    const own = `SEAL-${request.credential}-`;
    const body = request.body.toString();
    if (sealsIn(body).some((seal) => !seal.startsWith(own)))
      return json(400, REFUSALS[protocol])(request, connection);
    const answer = answerOf(protocol, `${own}${request.number}-`, request.number);
    return parseObject(body)?.["stream"] === true
      ? sse(CODECS[protocol].wire.unfold(answer))(request, connection)
      : json(200, answer)(request, connection);
  };
}

function sealsIn(text: string): readonly string[] {
  return [...text.matchAll(SEAL)].map(([seal]) => seal);
}

function accountsFor(protocol: Sealing, url: string): ReturnType<typeof account>[] {
  const platform = protocol === "messages" ? "anthropic" : "openai";
  return ["a", "b"].map((name, place) =>
    account(name, url, { platform, more: { priority: place + 1, apis: [protocol] } }),
  );
}

interface Talk {
  readonly url: string;
  readonly client: Protocol;
  readonly stream: boolean;
  request: JsonObject;
}

function talkOf(url: string, client: Protocol, upstream: Sealing, stream: boolean): Talk {
  const input = client === "responses" ? { input: [{ role: "user", content: "go" }] } : {};
  const members = { ...input, ...WISH[client], tools: [TOOLS[client]], stream };
  return { url, client, stream, request: { ...ask(client, members), model: MODEL[upstream] } };
}

async function turn(talk: Talk): Promise<Reply> {
  const reply = await post(talk.url, PATHS[talk.client], talk.request, {
    key: CLIENT_KEY,
    headers: [["session-id", "talk"]],
  });
  expect([reply.status, reply.text()]).toEqual([200, expect.anything()]);
  talk.request = echo(talk.client, talk.request, wholeOf(talk, reply), "11");
  return reply;
}

function wholeOf({ client, stream }: Talk, reply: Reply): JsonObject {
  if (!stream) return parseObject(reply.text()) ?? {};
  const folder = CODECS[client].wire.folder();
  for (const frame of new SseReader().push(reply.body)) folder.push(frame);
  return folder.answer() ?? {};
}

/** A limit for the next request at this account, and for as long as a test takes. */
function limit(upstream: Upstream, name: string): void {
  const told = { error: { type: "rate_limit_error", message: "slow down", code: "rate_limit_exceeded" } };
  upstream.when(
    { credential: credentialOf(name), nth: 1 },
    json(429, { type: "error", ...told }, { "retry-after": "600" }),
  );
}

function lastAt(upstream: Upstream): { readonly account: string; readonly seals: readonly string[] } {
  const last = upstream.requests.at(-1) as UpstreamRequest;
  return { account: last.credential ?? "", seals: sealsIn(last.body.toString()) };
}

const ROADS: readonly (readonly [Protocol, Sealing])[] = [
  ["messages", "messages"],
  ["responses", "responses"],
  ["messages", "responses"],
  ["responses", "messages"],
  ["chat", "messages"],
  ["chat", "responses"],
];

for (const [client, protocol] of ROADS)
  for (const stream of [false, true])
    test(`${client} over ${protocol}, ${stream ? "streamed" : "whole"}: a conversation that has to move leaves its seals behind, says so, and keeps those of its new account`, async () => {
      await using upstream = await startUpstream();
      upstream.otherwise(sealing(protocol));
      await using gateway = await startGateway(gatewayConfig(accountsFor(protocol, upstream.url)));
      const talk = talkOf(gateway.url, client, protocol, stream);
      await turn(talk);
      await turn(talk);
      const settled = await turn(talk);
      expect(settled.header("x-sub2api-fidelity") ?? "").not.toContain("dropped");
      expect(lastAt(upstream)).toMatchObject({ account: credentialOf("a"), seals: { length: 2 } });
      limit(upstream, "a");
      const moved = await turn(talk);
      expect(lastAt(upstream)).toEqual({ account: credentialOf("b"), seals: [] });
      expect(moved.header("x-sub2api-fidelity")).toContain("dropped=");
      await turn(talk);
      await turn(talk);
      const { account: now, seals } = lastAt(upstream);
      expect(now).toBe(credentialOf("b"));
      expect(seals.map((seal) => seal.startsWith(`SEAL-${now}-`))).toEqual([true, true]);
      // Nobody was refused: what had to stay behind was known beforehand.
      expect(upstream.requests).toHaveLength(7);
    });

for (const [client, protocol] of ROADS.slice(0, 2))
  test(`${client}: seals that nobody knows of are left out once the upstream has refused them, and from then on`, async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sealing(protocol));
    await using gateway = await startGateway(gatewayConfig(accountsFor(protocol, upstream.url)));
    const talk = talkOf(gateway.url, client, protocol, false);
    talk.request = echo(client, talk.request, answerOf(protocol, "SEAL-another-9-", 9), "11");
    const reply = await turn(talk);
    expect(reply.header("x-sub2api-fidelity")).toContain("dropped=");
    expect(upstream.requests.map((request) => request.credential)).toEqual([
      credentialOf("a"),
      credentialOf("a"),
    ]);
    await turn(talk);
    expect(upstream.requests).toHaveLength(3);
    expect(lastAt(upstream).seals).toEqual([expect.stringContaining(`SEAL-${credentialOf("a")}`)]);
  });

test("that a conversation has moved is known after a restart", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(sealing("messages"));
  const config = gatewayConfig(accountsFor("messages", upstream.url));
  const records = memoryRecords();
  let talk: Talk;
  {
    await using gateway = await startGateway(config, { records });
    talk = talkOf(gateway.url, "messages", "messages", false);
    await turn(talk);
    limit(upstream, "a");
    await turn(talk);
  }
  await using again = await startGateway(config, { records });
  await turn({ ...talk, url: again.url });
  expect(lastAt(upstream)).toEqual({ account: credentialOf("b"), seals: [] });
  expect(upstream.requests).toHaveLength(4);
});

test("a conversation with a compaction waits for the account that made it, and goes nowhere else", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(sealing("responses"));
  await using gateway = await startGateway(gatewayConfig(accountsFor("responses", upstream.url)));
  const talk = talkOf(gateway.url, "responses", "responses", false);
  await turn(talk);
  limit(upstream, "a");
  const input = [
    { type: "compaction", encrypted_content: "C" },
    { role: "user", content: "go on" },
  ];
  const body = { ...talk.request, input };
  const options = { key: CLIENT_KEY, headers: [["session-id", "talk"]] as const };
  await post(gateway.url, PATHS.responses, body, options);
  const held = await post(gateway.url, PATHS.responses, body, options);
  expect(held.status).toBe(429);
  expect(upstream.requests.map((request) => request.credential)).not.toContain(credentialOf("b"));
});
