import { describe, expect, test } from "bun:test";
import { hangUp } from "./answers.ts";
import {
  chatgptStream,
  FAILURES,
  failingStream,
  startChatgpt,
  UNSUPPORTED_PARAMETERS,
  type Chatgpt,
} from "./chatgpt.ts";
import { startIssuer } from "./issuer.ts";
import { parseJson, pick, type JsonObject } from "./json-pick.ts";
import { sampleRequest } from "./samples.ts";
import { readSse } from "./sse-text.ts";
import type { Answer } from "./upstream.ts";

const GOOD: JsonObject = {
  model: "gpt-5.2",
  instructions: "Be brief.",
  input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "Hello." }] }],
  stream: true,
  store: false,
};
const AUTH = { authorization: "Bearer some-token", "chatgpt-account-id": "account-one" };

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: unknown;
}

async function send(
  backend: Chatgpt,
  body: unknown,
  headers: Readonly<Record<string, string>> = AUTH,
): Promise<Answered> {
  const response = await fetch(`${backend.base}/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parseJson(text) };
}

interface Event {
  readonly event: string;
  readonly data: unknown;
}

function eventsOf({ text }: Answered): Event[] {
  return readSse(Buffer.from(text)).events.map(({ event, data }) => ({ event, data: parseJson(data) }));
}

describe("the scripted ChatGPT backend", () => {
  test("streams with its quota in headers, an empty output at the end, and keeps what it was sent", async () => {
    await using backend = await startChatgpt();
    const answer = await send(backend, GOOD);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    expect(answer.headers.get("x-codex-primary-used-percent")).toBe("12");
    expect(answer.headers.get("x-codex-secondary-window-minutes")).toBe("10080");
    expect(answer.headers.get("x-codex-credits-has-credits")).toBe("False");
    const events = eventsOf(answer);
    expect([events[0]?.event, events.at(-1)?.event]).toEqual(["response.created", "response.completed"]);
    expect(pick(events.at(-1)?.data, "response", "output")).toEqual([]);
    expect(events.map(({ data }) => pick(data, "delta") ?? "").join("")).toBe("Hello from account-one.");
    expect(backend.responses("account-two")).toEqual([]);
    expect(backend.responses("account-one")).toMatchObject([
      { accountId: "account-one", access: "some-token", body: GOOD, refusal: undefined },
    ]);
  });

  test("can repeat its output, and say its quota and other things in events", async () => {
    await using backend = await startChatgpt();
    const quota = { primary: { usedPercent: 100, minutes: 300, resetAt: 1_800_000_000 } };
    const asides = [{ event: "codex.other", data: { type: "codex.other" } }];
    backend.script([chatgptStream({ output: "whole", quota, quotaEvent: true, asides })]);
    const answer = await send(backend, GOOD);
    const events = eventsOf(answer);
    expect(events.map(({ event }) => event).slice(0, 4)).toEqual([
      "codex.rate_limits",
      "response.created",
      "response.in_progress",
      "codex.other",
    ]);
    expect(pick(events[0]?.data, "rate_limits", "primary")).toEqual({
      used_percent: 100,
      window_minutes: 300,
      reset_at: 1_800_000_000,
    });
    expect(pick(events.at(-1)?.data, "response", "output", 0, "content", 0, "text")).toBe("Hello there.");
    expect(answer.headers.get("x-codex-primary-reset-at")).toBe("1800000000");
    expect(answer.headers.has("x-codex-secondary-used-percent")).toBe(false);
  });

  test("takes what Codex sends, compressed too, unless it is strict about instructions and ids", async () => {
    const { body } = sampleRequest("codex");
    await using backend = await startChatgpt({}, { models: [String(body["model"])], strict: false });
    const bytes = Bun.zstdCompressSync(JSON.stringify(body));
    expect((await send(backend, bytes, { ...AUTH, "content-encoding": "zstd" })).status).toBe(200);
    expect((await send(backend, body)).status).toBe(200);
    expect(backend.requests.map((request) => request.body)).toEqual([body, body]);
    backend.settings.strict = true;
    expect((await send(backend, body)).body).toEqual({ detail: "Instructions are required" });
    expect((await send(backend, { ...body, instructions: "Be brief." })).status).toBe(404);
  });

  test("lists its models to whoever is signed in", async () => {
    await using backend = await startChatgpt();
    const url = `${backend.base}/models?client_version=1`;
    const answer = await fetch(url, { headers: AUTH });
    expect(await answer.json()).toEqual({ models: [{ slug: "gpt-5.2-codex" }, { slug: "gpt-5.2" }] });
    expect((await fetch(url)).status).toBe(401);
    expect(backend.requests[0]?.target).toBe("/models?client_version=1");
  });

  test("knows no other path", async () => {
    await using backend = await startChatgpt();
    const post = (path: string): Promise<Response> =>
      fetch(`${backend.upstream.url}${path}`, { method: "POST", headers: AUTH, body: JSON.stringify(GOOD) });
    expect([(await post("/v1/responses")).status, (await post("/responses")).status]).toEqual([404, 404]);
    expect((await post("/backend-api/codex/v1/responses")).status).toBe(404);
  });
});

describe("the scripted ChatGPT backend refuses", () => {
  test.each(UNSUPPORTED_PARAMETERS)("%s, even when it is null", async (name) => {
    await using backend = await startChatgpt();
    for (const value of [1, null]) {
      const { status, body } = await send(backend, { ...GOOD, [name]: value });
      expect([status, body]).toEqual([400, { detail: `Unsupported parameter: ${name}` }]);
    }
  });

  const item = { type: "message", role: "user", content: "Hello." };
  const input = (more: JsonObject): JsonObject => ({ input: [item, { ...item, ...more }] });
  const DETAILS: readonly (readonly [string, JsonObject, string])[] = [
    ["no stream", { stream: false }, "Stream must be set to true"],
    ["no word of stream", { stream: undefined }, "Stream must be set to true"],
    ["storing", { store: true }, "Store must be set to false"],
    ["no word of storing", { store: undefined }, "Store must be set to false"],
    ["empty instructions", { instructions: "" }, "Instructions are required"],
    ["no instructions", { instructions: undefined }, "Instructions are required"],
    ["instructions that are no text", { instructions: null }, "Instructions are required"],
    ["a system message", input({ role: "system" }), "System messages are not allowed"],
    [
      "a model it does not have",
      { model: "gpt-5.2-2026-01-01" },
      "The model gpt-5.2-2026-01-01 is not supported",
    ],
    ["another service tier", { service_tier: "flex" }, "Unsupported service_tier: flex"],
    [
      "the old web search",
      { tools: [{ type: "web_search_preview" }] },
      "Unsupported tool type: web_search_preview",
    ],
    [
      "a nested cache mark",
      input({ content: [{ type: "input_text", text: "Hi", prompt_cache_breakpoint: {} }] }),
      "Unsupported parameter: prompt_cache_breakpoint",
    ],
  ];
  test.each(DETAILS)("%s", async (_what, change, words) => {
    await using backend = await startChatgpt();
    const { status, body } = await send(backend, { ...GOOD, ...change });
    expect([status, String(pick(body, "detail")).startsWith(words)]).toEqual([400, true]);
  });

  test.each([
    ["an input that is text", { input: "Hello." }, "list_type"],
    ["no input", { input: undefined }, "missing"],
  ] as const)("%s, in a list of details", async (_what, change, type) => {
    await using backend = await startChatgpt();
    const { status, body } = await send(backend, { ...GOOD, ...change });
    expect([status, pick(body, "detail", 0, "type"), pick(body, "detail", 0, "loc")]).toEqual([
      400,
      type,
      ["body", "input"],
    ]);
  });

  test.each([
    ["an item by reference", input({ type: "item_reference", id: "rs_1" })],
    ["an item with an id of its own", input({ id: "msg_1" })],
    ["a call with an id of its own", input({ type: "function_call", id: "fc_1" })],
  ])("%s", async (_what, change) => {
    await using backend = await startChatgpt();
    const { status, body } = await send(backend, { ...GOOD, ...change });
    expect([status, pick(body, "error", "param")]).toEqual([404, "input"]);
  });

  test("minimal effort, and a body that is no object", async () => {
    await using backend = await startChatgpt();
    const effort = await send(backend, { ...GOOD, reasoning: { effort: "minimal" } });
    expect([effort.status, pick(effort.body, "error", "code")]).toEqual([400, "unsupported_value"]);
    expect((await send(backend, [GOOD])).status).toBe(400);
  });

  test("whoever does not say who they are", async () => {
    await using backend = await startChatgpt();
    for (const name of Object.keys(AUTH)) {
      const { [name]: _missing, ...rest } = AUTH as Readonly<Record<string, string>>;
      const { status, body } = await send(backend, GOOD, rest as Record<string, string>);
      expect([status, body]).toEqual([401, { detail: "Unauthorized" }]);
    }
  });

  test("tokens that its issuer does not stand by, and those of another account", async () => {
    await using issuer = await startIssuer();
    await using backend = await startChatgpt(issuer);
    const login = issuer.seed({ accountId: "account-two" });
    const as = (accountId: string, token = login.access): Promise<Answered> =>
      send(backend, GOOD, { authorization: `Bearer ${token}`, "chatgpt-account-id": accountId });
    expect((await as("account-two")).status).toBe(200);
    expect(pick((await as("account-one")).body, "error", "code")).toBe("account_mismatch");
    expect((await as("account-two", "made-up")).status).toBe(401);
    issuer.revokeAccess(login.access);
    const revoked = await as("account-two");
    expect([revoked.status, pick(revoked.body, "error", "code")]).toEqual([401, "token_expired"]);
  });
});

describe("a scripted failure of the ChatGPT backend", () => {
  const FAILED: readonly (readonly [string, Answer, number, JsonObject])[] = [
    [
      "usage limit with both times",
      FAILURES.usageLimit({ resetsAt: 1_800_000_000, resetsInSeconds: 60 }),
      429,
      { type: "usage_limit_reached", resets_at: 1_800_000_000, resets_in_seconds: 60 },
    ],
    ["usage not included", FAILURES.usageNotIncluded(), 429, { type: "usage_not_included" }],
    ["stale reasoning", FAILURES.staleReasoning(), 400, { code: "invalid_encrypted_content" }],
    ["context length", FAILURES.contextLength(), 400, { code: "context_length_exceeded" }],
    ["overload", FAILURES.overloaded(), 503, { code: "server_is_overloaded" }],
    ["slow down", FAILURES.slowDown(), 503, { code: "slow_down" }],
    ["401", FAILURES.unauthorized("token_revoked"), 401, { code: "token_revoked" }],
  ];
  test.each(FAILED)("%s", async (_what, answer, status, error) => {
    await using backend = await startChatgpt();
    backend.script([answer]);
    const answered = await send(backend, GOOD);
    expect(answered.status).toBe(status);
    expect(pick(answered.body, "error")).toMatchObject(error);
    expect((await send(backend, GOOD)).status).toBe(200);
  });

  test("names its times only in words, or not at all", async () => {
    await using backend = await startChatgpt();
    backend.script([FAILURES.rateLimit(), FAILURES.usageLimit(), FAILURES.capacity(429)]);
    expect((await send(backend, GOOD)).text).toContain("try again in 11.05s");
    expect((await send(backend, GOOD)).text).not.toContain("resets");
    const capacity = await send(backend, GOOD);
    expect([capacity.status, capacity.text.includes("at capacity")]).toEqual([429, true]);
  });

  test("comes as details or as a page", async () => {
    await using backend = await startChatgpt();
    backend.script([FAILURES.detail("No."), FAILURES.details("input", "0"), FAILURES.firewall()]);
    expect((await send(backend, GOOD)).body).toEqual({ detail: "No." });
    expect(pick((await send(backend, GOOD)).body, "detail", 0, "loc")).toEqual(["body", "input", "0"]);
    const page = await send(backend, GOOD);
    expect([page.status, page.headers.get("content-type")]).toEqual([403, "text/html; charset=utf-8"]);
  });

  test("comes inside a stream that began well", async () => {
    await using backend = await startChatgpt();
    const limit = { code: "usage_limit_reached", resets_in_seconds: 60 };
    backend.script([failingStream("error", limit), failingStream("response.failed", limit)]);
    const first = await send(backend, GOOD);
    const events = eventsOf(first);
    expect([first.status, events.length, events[0]?.event]).toEqual([200, 1, "error"]);
    expect(pick(events[0]?.data, "error")).toMatchObject({
      type: "usage_limit_reached",
      resets_in_seconds: 60,
    });
    const second = eventsOf(await send(backend, GOOD));
    expect(second.map(({ event }) => event)).toEqual([
      "response.created",
      "response.in_progress",
      "response.failed",
    ]);
    expect(pick(second.at(-1)?.data, "response", "error", "code")).toBe("usage_limit_reached");
  });

  test("is for one account, the next request or all, and is not used up by what is refused", async () => {
    await using backend = await startChatgpt();
    const two = { ...AUTH, "chatgpt-account-id": "account-two" };
    backend.script([FAILURES.overloaded()]);
    backend.script([FAILURES.usageNotIncluded()], "account-two");
    backend.always(FAILURES.detail("No."), "account-two");
    expect((await send(backend, { ...GOOD, seed: 1 })).status).toBe(400);
    expect(backend.scriptsLeft).toBe(2);
    expect((await send(backend, GOOD, two)).status).toBe(429);
    expect((await send(backend, GOOD)).status).toBe(503);
    expect([(await send(backend, GOOD)).status, (await send(backend, GOOD, two)).status]).toEqual([200, 400]);
    backend.always(undefined, "account-two");
    backend.always(hangUp());
    expect(await send(backend, GOOD, two).catch(() => "no answer")).toBe("no answer");
  });
});
