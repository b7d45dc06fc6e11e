// Clients of both OpenAI protocols served by ChatGPT accounts: what the backend is sent, what the clients get, and who
// takes over when an account has nothing left.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chatgptStream,
  FAILURES,
  failingStream,
  startChatgpt,
  type Chatgpt,
  type ChatgptSettings,
} from "../support/chatgpt.ts";
import { get, post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, credentialOf, gatewayConfig, SECOND_CLIENT_KEY } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import type { Header } from "../support/http-message.ts";
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge, judgeStream } from "../support/oracle.ts";
import { PATHS, sampleRequest } from "../support/samples.ts";
import { expectSettled } from "./settled.ts";

setDefaultTimeout(20_000);

const MODEL = "gpt-5.2";
const HOUR_S = 3_600;
/** Epoch seconds well ahead of any clock. */
const LATER = 4_000_000_000;

interface World extends AsyncDisposable {
  readonly backend: Chatgpt;
  readonly gateway: Gateway;
}

interface WorldOptions {
  readonly accounts?: readonly string[];
  readonly backend?: Partial<ChatgptSettings>;
  /** Further members of each account. */
  readonly more?: JsonObject;
}

/** Accounts with fixed tokens at one backend, tried in this order. */
async function startWorld({
  accounts = ["one"],
  backend = {},
  more = {},
}: WorldOptions = {}): Promise<World> {
  const service = await startChatgpt({}, backend);
  const members = accounts.map((name, index) => ({
    name,
    platform: "openai",
    type: "oauth",
    oauth_token: credentialOf(name),
    chatgpt_account_id: `workspace-${name}`,
    base_url: service.base,
    priority: index + 1,
    ...more,
  }));
  const gateway = await startGateway(gatewayConfig(members));
  return {
    backend: service,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await service.close();
    },
  };
}

type Spoken = "responses" | "chat";

function askFor(
  { gateway }: World,
  protocol: Spoken,
  options: {
    stream?: boolean;
    text?: string;
    extra?: JsonObject;
    key?: string;
    headers?: readonly Header[];
  } = {},
): Promise<Reply> {
  const { stream = true, key = CLIENT_KEY, headers = [], ...rest } = options;
  const body = ask(protocol, { model: MODEL, stream, ...rest });
  return post(gateway.url, PATHS[protocol], body, { key, headers });
}

const WAYS = (["responses", "chat"] as const).flatMap((protocol) =>
  [true, false].map((stream) => [protocol, stream ? "streamed" : "whole", stream] as const),
);

describe("a client", () => {
  test.each(WAYS)("of %s gets a %s answer from a backend that only streams", async (protocol, _, stream) => {
    await using world = await startWorld();
    const reply = await askFor(world, protocol, { stream, text: "Say hello." });
    expect(reply.status).toBe(200);
    expect(judge(protocol, reply)).toMatchObject({
      complete: true,
      problems: [],
      text: "Hello from workspace-one.",
    });
    const [asked] = world.backend.responses();
    expect(asked).toMatchObject({
      refusal: undefined,
      target: "/responses",
      accountId: "workspace-one",
      access: credentialOf("one"),
      body: { model: MODEL, stream: true, store: false, include: ["reasoning.encrypted_content"] },
      headers: { accept: "text/event-stream", originator: "sub2api_simple" },
    });
    expect(JSON.stringify(pick(asked?.body, "input"))).toContain("Say hello.");
    await expectSettled(world.gateway, [reply]);
  });

  test.each(WAYS)(
    "of %s sees none of the backend's own events in a %s answer",
    async (protocol, _, stream) => {
      await using world = await startWorld();
      const quota = { primary: { usedPercent: 64, minutes: 300, resetAt: LATER } };
      const asides = [{ event: "codex.other", data: { type: "codex.other", secret: "kept" } }];
      world.backend.script([chatgptStream({ pieces: ["Hi."], quotaEvent: true, quota, asides })]);
      const reply = await askFor(world, protocol, { stream });
      expect(judge(protocol, reply)).toMatchObject({ complete: true, problems: [], text: "Hi." });
      expect(reply.text()).not.toContain("codex.");
      const limits = world.gateway.snapshot()[0]?.limits;
      expect(limits).toContainEqual(
        expect.objectContaining({ name: "5h", used: 0.64, resetAt: LATER * 1000, source: "event" }),
      );
      await expectSettled(world.gateway, [reply]);
    },
  );

  test("of Chat is told which of its hints the backend does not take", async () => {
    await using world = await startWorld();
    const extra = { max_tokens: 50, temperature: 0.2, user: "u-1", seed: 7, top_p: 1 };
    const reply = await askFor(world, "chat", { extra });
    expect([reply.status, reply.header("x-sub2api-fidelity")]).toEqual([
      200,
      "lossy; dropped=seed,max_tokens,temperature,user",
    ]);
    await expectSettled(world.gateway, [reply]);
  });

  test.each<[Spoken, JsonObject, string]>([
    ["chat", { n: 2 }, "n"],
    ["chat", { logprobs: true }, "logprobs"],
    ["responses", { previous_response_id: "resp_1" }, "previous_response_id"],
    ["responses", { background: true }, "background"],
    ["responses", { top_logprobs: 2 }, "top_logprobs"],
    ["responses", { input: [{ type: "item_reference", id: "msg_1" }] }, "input"],
  ])("of %s that asks for %j is refused at once", async (protocol, extra, param) => {
    await using world = await startWorld();
    const reply = await askFor(world, protocol, { stream: false, extra });
    expect([reply.status, pick(reply.json(), "error", "param")]).toEqual([400, param]);
    expect(pick(reply.json(), "error", "code")).toBe("gateway_unsupported_field");
    expect(world.backend.requests).toEqual([]);
    expect(world.gateway.snapshot()[0]?.state).toBe("ready");
    await expectSettled(world.gateway, [reply]);
  });

  test("that was changed for the backend is not called passed through", async () => {
    await using world = await startWorld();
    const replies: Reply[] = [];
    for (const stream of [true, false]) replies.push(await askFor(world, "responses", { stream }));
    for (const reply of replies)
      expect([reply.status, reply.header("x-sub2api-fidelity")]).toEqual([200, "lossless"]);
    await expectSettled(world.gateway, replies);
  });

  test("ends with the items the stream has told, although the backend leaves them out there", async () => {
    await using world = await startWorld();
    world.backend.script([chatgptStream({ pieces: ["Hi", "."] })]);
    const reply = await askFor(world, "responses", { stream: true });
    const end =
      reply
        .text()
        .split("\n")
        .findLast((line) => line.startsWith("data: ")) ?? "";
    expect(JSON.parse(end.slice(6))).toMatchObject({
      type: "response.completed",
      response: { output: [{ type: "message", content: [{ type: "output_text", text: "Hi." }] }] },
    });
    expect(judge("responses", reply)).toMatchObject({ complete: true, problems: [], text: "Hi." });
    await expectSettled(world.gateway, [reply]);
  });

  test("keeps one name for its conversation over turns, which another client does not share", async () => {
    await using world = await startWorld();
    const user = { role: "user", content: "Hi" };
    const turns = [
      [user],
      [user, { role: "assistant", content: "Hello." }, { role: "user", content: "More" }],
    ];
    const replies: Reply[] = [];
    for (const [messages, key] of [
      [turns[0], CLIENT_KEY],
      [turns[1], CLIENT_KEY],
      [turns[0], SECOND_CLIENT_KEY],
    ] as const)
      replies.push(await askFor(world, "chat", { extra: { messages }, key }));
    const names = world.backend
      .responses()
      .map(({ headers, body }) => [headers["session_id"], pickText(body, "prompt_cache_key")]);
    expect(names).toHaveLength(3);
    for (const [header, member] of names) {
      expect(header).toMatch(/^[\w-]{20,}$/);
      expect(member).toBe(header);
    }
    expect(names[1]).toEqual(names[0]);
    expect(names[2]).not.toEqual(names[0]);
    await expectSettled(world.gateway, replies);
  });

  test("that is Codex has every byte of its request and its own headers passed on", async () => {
    const sample = sampleRequest("codex");
    const models = [pickText(sample.body, "model") ?? ""];
    await using world = await startWorld({ backend: { strict: false, models } });
    const text = ` ${JSON.stringify(sample.body, null, 1)}\r\n`;
    const headers: readonly Header[] = [
      ...sample.headers,
      ["content-type", "application/json"],
      ["chatgpt-account-id", "workspace-of-the-client"],
    ];
    const reply = await post(world.gateway.url, sample.path, text, { key: CLIENT_KEY, headers });
    expect(judge("responses", reply)).toMatchObject({ complete: true, problems: [] });
    const [asked] = world.backend.responses();
    expect(asked?.bytes.toString()).toBe(text);
    expect(asked?.headers).toMatchObject(
      Object.fromEntries(sample.headers.map(([name, value]) => [name.toLowerCase(), value])),
    );
    expect([asked?.accountId, asked?.headers["session_id"]]).toEqual(["workspace-one", undefined]);
    expect(reply.header("x-sub2api-fidelity")).toBe("passthrough");
    await expectSettled(world.gateway, [reply]);
  });

  test("finds the account's models in the list", async () => {
    await using world = await startWorld();
    const reply = await get(world.gateway.url, "/v1/models", { key: CLIENT_KEY });
    expect(pickList(reply.json(), "data").map((each) => pick(each, "id"))).toEqual(
      expect.arrayContaining(["gpt-5.2", "gpt-5.2-codex"]),
    );
    expect(world.backend.requests.map(({ target }) => target)).toEqual(["/models?client_version=0.1.0"]);
  });
});

describe("an account", () => {
  test("whose plan is used up rests until it starts anew, and the next one answers", async () => {
    for (const failure of [
      FAILURES.usageLimit({ resetsAt: LATER }),
      FAILURES.usageLimit({ resetsInSeconds: HOUR_S }),
      failingStream("error", { code: "usage_limit_reached", resets_in_seconds: HOUR_S }),
    ]) {
      await using world = await startWorld({ accounts: ["one", "two"] });
      world.backend.script([failure], "workspace-one");
      const reply = await askFor(world, "chat");
      expect(judge("chat", reply).text).toBe("Hello from workspace-two.");
      expect(world.gateway.snapshot()[0]).toMatchObject({ state: "cooling", reason: "quota used up" });
      await expectSettled(world.gateway, [reply]);
    }
  });

  test("that is alone and used up is left in peace, and its clients are told to wait long", async () => {
    await using world = await startWorld();
    world.backend.script([FAILURES.usageLimit({ resetsInSeconds: HOUR_S })]);
    const replies = [await askFor(world, "responses"), await askFor(world, "responses")];
    for (const reply of replies) {
      expect(reply.status).toBe(429);
      expect(Number(reply.header("retry-after"))).toBeGreaterThanOrEqual(HOUR_S / 4);
    }
    expect(world.backend.responses()).toHaveLength(1);
    await expectSettled(world.gateway, replies);
  });

  test.each(["capacity", "overloaded", "slowDown", "firewall", "unauthorized", "rateLimit"] as const)(
    "that answers with %s is passed over",
    async (name) => {
      await using world = await startWorld({ accounts: ["one", "two"] });
      world.backend.script([FAILURES[name]()], "workspace-one");
      const reply = await askFor(world, "responses");
      expect(judge("responses", reply)).toMatchObject({ complete: true, text: "Hello from workspace-two." });
      await expectSettled(world.gateway, [reply]);
    },
  );

  test("without the model is passed over for that model only", async () => {
    await using world = await startWorld({ accounts: ["one", "two"] });
    const words = `The '${MODEL}' model is not supported with this account.`;
    world.backend.script([FAILURES.detail(words)], "workspace-one");
    const reply = await askFor(world, "responses");
    expect(judge("responses", reply).text).toBe("Hello from workspace-two.");
    const other = await askFor(world, "responses", { extra: { model: "gpt-5.2-codex" } });
    expect(judge("responses", other).text).toBe("Hello from workspace-one.");
    await expectSettled(world.gateway, [reply, other]);
  });

  test("is not blamed for what is wrong with a request, whose client is told it", async () => {
    for (const [failure, words] of [
      [FAILURES.detail("Unsupported parameter: odd"), "Unsupported parameter: odd"],
      [FAILURES.details("input", "0"), "Field required"],
      [FAILURES.contextLength(), "context window"],
      [FAILURES.staleReasoning(), "encrypted content"],
    ] as const) {
      await using world = await startWorld({ accounts: ["one", "two"] });
      world.backend.script([failure, failure]);
      const replies = [await askFor(world, "chat"), await askFor(world, "responses")];
      for (const reply of replies) {
        expect(reply.status).toBe(400);
        expect(reply.text()).toContain(words);
      }
      expect(pick(replies[0]?.json(), "error", "type")).toBe("invalid_request_error");
      expect(world.gateway.snapshot().map(({ state }) => state)).toEqual(["ready", "ready"]);
      expect(world.backend.scriptsLeft).toBe(0);
      await expectSettled(world.gateway, replies);
    }
  });

  test.each([
    [{}, ["one", "two"]],
    [{ allow_extra_usage: true }, ["one", "one"]],
  ])("whose answers are paid for by credits goes on only when it may: %j", async (more, answering) => {
    const primary = { usedPercent: 100, minutes: 300, resetAt: LATER };
    const quota = { primary, credits: { has: true, unlimited: false, balance: "9" } };
    await using world = await startWorld({ accounts: ["one", "two"], more });
    world.backend.always(chatgptStream({ pieces: ["one"], quota }), "workspace-one");
    world.backend.always(chatgptStream({ pieces: ["two"] }), "workspace-two");
    const replies = [
      await askFor(world, "responses", { text: "First." }),
      await askFor(world, "responses", { text: "Second." }),
    ];
    expect(replies.map(({ body }) => judgeStream("responses", body).text)).toEqual(answering);
    await expectSettled(world.gateway, replies);
  });
});
