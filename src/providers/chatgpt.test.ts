// Where a request to the ChatGPT backend goes, as whom, and what its refusals mean.

import { describe, expect, test } from "bun:test";
import type { Access } from "../core/account.ts";
import type { JsonObject } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import type { FailedAnswer } from "../core/ports.ts";
import { encodeSse, SseFrame } from "../core/sse.ts";
import { readError } from "../core/wire-error.ts";
import { sampleRequest } from "../../test/support/samples.ts";
import { chatgpt } from "./chatgpt.ts";
import { ACCOUNT, type Given, prepared, type Prepared, recorded, SESSION } from "./rig.test.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const SECONDS = NOW / 1_000;
const ACCESS: Access = { kind: "bearer", secret: "secret-token", accountId: "workspace-1" };

function sent(given: Omit<Given, "access"> & { readonly access?: Access } = {}): Prepared {
  return prepared(chatgpt, { access: ACCESS, ...given });
}

describe("a request", () => {
  test("goes to the backend's one address, whatever the client's query", () => {
    expect(sent().url).toBe("https://upstream.example/base/responses");
    const account = { baseUrl: "http://localhost:1/v1/" };
    expect(sent({ account }).url).toBe("http://localhost:1/v1/responses");
  });

  test("says who sends it, and as whom", () => {
    expect(Object.fromEntries(sent().headers)).toEqual({
      accept: "text/event-stream",
      "accept-encoding": "identity",
      authorization: "Bearer secret-token",
      "chatgpt-account-id": "workspace-1",
      "content-type": "application/json",
      originator: "sub2api_simple",
      session_id: SESSION,
      "user-agent": "sub2api_simple/0.1.0",
    });
  });

  test("never takes a client's word for the account", () => {
    const headers = { authorization: "Bearer client", "chatgpt-account-id": "theirs", cookie: "a=b" };
    const made = sent({ headers }).headers;
    expect([made.get("authorization"), made.get("chatgpt-account-id"), made.get("cookie")]).toEqual([
      "Bearer secret-token",
      "workspace-1",
      null,
    ]);
    const access: Access = { kind: "bearer", secret: "fixed" };
    expect(sent({ headers, access }).headers.has("chatgpt-account-id")).toBe(false);
  });

  test("of Codex passes with its own headers and with every byte of its body", () => {
    const codex = recorded(sampleRequest("codex"));
    const headers = { ...codex.headers, "x-codex-turn-state": "opaque", "x-codex-routing-hint": "model=m" };
    const made = sent({ headers, body: codex.body });
    expect([made.text, made.dropped]).toEqual([JSON.stringify(codex.body), []]);
    expect(Object.fromEntries(made.headers)).toEqual({
      ...headers,
      "accept-encoding": "identity",
      authorization: "Bearer secret-token",
      "chatgpt-account-id": "workspace-1",
      "content-type": "application/json",
    });
  });

  test.each([
    [{ "user-agent": "codex_cli_rs/0.1" }, undefined],
    [{ originator: "codex_vscode" }, undefined],
    [{ originator: "other", "user-agent": "codex" }, "Follow the instructions in the conversation."],
  ])("is known as Codex's by %j", (headers, instructions) => {
    expect(sent({ headers }).json["instructions"]).toBe(instructions);
  });

  test("has one name for the conversation in header and body: the client's, else one that is made", () => {
    const names = (given: Parameters<typeof sent>[0]): unknown => {
      const { headers, json } = sent(given);
      return [headers.get("session_id") ?? headers.get("session-id"), json["prompt_cache_key"]];
    };
    expect(names({})).toEqual([SESSION, SESSION]);
    expect(names({ body: { prompt_cache_key: "theirs" } })).toEqual(["theirs", "theirs"]);
    expect(names({ headers: { session_id: "theirs" } })).toEqual(["theirs", "theirs"]);
    expect(names({ headers: { "session-id": "theirs" } })).toEqual(["theirs", "theirs"]);
    expect(names({ headers: { session_id: "one" }, body: { prompt_cache_key: "two" } })).toEqual([
      "one",
      "two",
    ]);
  });

  test("never puts into a header what a header cannot hold", () => {
    const { headers, json } = sent({ body: { prompt_cache_key: "r\u00e9sum\u00e9\nx-evil: 1" } });
    expect(headers.get("session_id")).toBe(SESSION);
    expect(json["prompt_cache_key"]).toBe("r\u00e9sum\u00e9\nx-evil: 1");
    expect(sent({ headers: { session_id: "x".repeat(65) } }).json["prompt_cache_key"]).toBe(SESSION);
  });

  test("names what a Chat client lost, or may not ask for, in that client's words", () => {
    const chat = {
      protocol: "chat",
      body: { model: "m", messages: [], max_tokens: 5, reasoning_effort: "minimal" },
    } as const;
    const draft = {
      model: "m",
      input: [],
      max_output_tokens: 16,
      reasoning: { effort: "minimal" },
      temperature: 0,
    };
    expect(sent({ ...chat, draft }).dropped).toEqual(["max_tokens", "reasoning_effort", "temperature"]);
    const logprobs = { protocol: "chat", body: { model: "m", logprobs: true, top_logprobs: 2 } } as const;
    const asked = { draft: { model: "m", top_logprobs: 2, include: ["message.output_text.logprobs"] } };
    expect(() => sent({ ...logprobs, ...asked })).toThrow(
      expect.objectContaining({ code: "unsupported_field", param: "logprobs" }),
    );
  });
});

test("the account is asked for its models as whoever we are", () => {
  const { url, headers } = chatgpt.models(ACCOUNT, ACCESS);
  expect(url).toBe("https://upstream.example/base/models?client_version=0.1.0");
  expect(Object.fromEntries(headers)).toEqual({
    authorization: "Bearer secret-token",
    "chatgpt-account-id": "workspace-1",
    originator: "sub2api_simple",
    "user-agent": "sub2api_simple/0.1.0",
  });
});

interface Refusal {
  readonly status: number;
  readonly body?: JsonObject;
  readonly headers?: Record<string, string>;
}

function judged({ status, body, headers }: Refusal): Outcome {
  const error = body && readError(body);
  const answer: FailedAnswer = { status, headers: new Headers(headers), error, page: body === undefined };
  return chatgpt.outcome(answer, NOW);
}

function blame(refusal: Refusal): string {
  const outcome = judged(refusal);
  if (outcome.kind !== "next") return outcome.kind;
  const { blame: it } = outcome;
  if (it.on === "limit") return `limit ${it.scope} ${it.forMs ?? "bare"}`;
  return it.on === "quota" ? `quota ${it.forMs ?? "bare"}` : it.on;
}

describe("a refusal", () => {
  const reached = {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: "plus",
  };
  const active = { "x-codex-active-limit": "codex_other" };
  const usedUp = {
    "x-codex-primary-used-percent": "100",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": String(SECONDS + 30),
  };

  test.each<[Refusal, string]>([
    [
      { status: 429, body: { error: { ...reached, resets_at: SECONDS + 3600, resets_in_seconds: 5 } } },
      "quota 3600000",
    ],
    [
      { status: 429, body: { error: { ...reached, resets_at: SECONDS - 9, resets_in_seconds: 5 } } },
      "quota 5000",
    ],
    [{ status: 429, body: { error: reached }, headers: { "retry-after": "7" } }, "quota 7000"],
    [{ status: 429, body: { error: reached }, headers: usedUp }, "quota 30000"],
    [{ status: 429, body: { error: reached } }, "quota bare"],
    [
      { status: 429, body: { error: { ...reached, resets_in_seconds: 5 } }, headers: active },
      "limit model 5000",
    ],
    [{ status: 429, body: { error: { type: "usage_not_included", message: "m" } } }, "quota 86400000"],
    [
      {
        status: 429,
        body: { error: { code: "rate_limit_exceeded", message: "Please try again in 11.05s." } },
      },
      "limit account 11050",
    ],
    [{ status: 429, body: { error: { code: "rate_limit_exceeded", message: "m" } } }, "limit account bare"],
    [{ status: 429 }, "limit account bare"],
    [{ status: 429, headers: active }, "limit model bare"],
    [
      {
        status: 500,
        body: { error: { message: "Selected model is at capacity. Please try a different model." } },
      },
      "account",
    ],
    [{ status: 429, body: { error: { message: "Selected model is at capacity." } } }, "account"],
    [{ status: 503, body: { error: { code: "server_is_overloaded", message: "m" } } }, "account"],
    [{ status: 429, body: { error: { code: "slow_down", message: "m" } } }, "account"],
    [{ status: 500, body: { error: { message: "m" } } }, "account"],
    [
      {
        status: 400,
        body: { detail: "The 'gpt-none' model is not supported when using Codex with a ChatGPT account." },
      },
      "model",
    ],
    [{ status: 404, body: { error: { code: "model_not_found", message: "m" } } }, "model"],
    [{ status: 403, body: { error: { message: "m" } } }, "credential"],
    [{ status: 402, body: { detail: { code: "deactivated_workspace" } } }, "credential"],
    [{ status: 403 }, "route"],
    [{ status: 404 }, "api"],
    [{ status: 400, body: { error: { code: "invalid_encrypted_content", message: "m" } } }, "stop"],
    [{ status: 400, body: { error: { code: "context_length_exceeded", message: "m" } } }, "stop"],
    [{ status: 400, body: { error: { code: "cyber_policy", message: "m" } } }, "stop"],
    [{ status: 404, body: { error: { message: "Item with id 'x' not found." } } }, "stop"],
  ])("%j is %s", (refusal, wanted) => {
    expect(blame(refusal)).toBe(wanted);
  });

  test.each([
    "usage_not_included",
    "server_is_overloaded",
    "model is not supported",
    "Selected model is at capacity",
  ])("that repeats a client's own words is the request's: %s", (words) => {
    expect(
      blame({
        status: 400,
        body: { error: { message: `Invalid value: '${words}'.`, type: "invalid_request_error" } },
      }),
    ).toBe("stop");
  });

  test("of the credential asks for another one, and its words stay here", () => {
    const outcome = judged({ status: 401, body: { error: { message: "token of workspace-1 has expired" } } });
    expect(outcome).toMatchObject({ kind: "next", blame: { on: "credential", expired: true } });
    expect(JSON.stringify(outcome)).not.toContain("workspace-1");
    expect(judged({ status: 403, body: { error: { message: "m" } } })).toMatchObject({
      blame: { expired: false },
    });
  });

  test("tells the client how long it lasts, if it says so anywhere", () => {
    const outcome = judged({ status: 429, body: { error: { ...reached, resets_in_seconds: 90 } } });
    expect(outcome).toMatchObject({
      fault: { status: 429, type: "usage_limit_reached", retryAfterMs: 90_000 },
    });
    const endless = judged({ status: 429, body: { error: { ...reached, resets_in_seconds: 1e9 } } });
    expect(endless).toMatchObject({ fault: { retryAfterMs: 8 * 24 * 3_600_000 } });
  });

  test("in plain text is told as a request's error, with the field it names", () => {
    const fault = (detail: JsonObject["detail"]): unknown => {
      const outcome = judged({ status: 400, body: { detail } });
      return outcome.kind === "stop" ? outcome.fault : outcome;
    };
    const plain = { status: 400, type: "invalid_request_error" };
    expect(fault("Unsupported parameter: max_output_tokens")).toMatchObject({
      ...plain,
      message: "Unsupported parameter: max_output_tokens",
      param: "max_output_tokens",
    });
    expect(fault("Unsupported parameter: 'text.odd'.")).toMatchObject({ ...plain, param: "text.odd" });
    expect(fault("Instructions are required")).toMatchObject({ ...plain, param: null });
    const missing = [{ type: "missing", loc: ["body", "input", 0, "role"], msg: "Field required" }];
    expect(fault(missing)).toMatchObject({
      ...plain,
      message: "input.0.role: Field required",
      param: "input.0.role",
    });
  });

  test("that only a header tells is read there", () => {
    const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64");
    const told = { "x-error-json": encoded({ error: { ...reached, resets_in_seconds: 5 } }) };
    expect(blame({ status: 429, headers: told })).toBe("quota 5000");
    expect(blame({ status: 403, headers: { "x-error-json": encoded({ error: { message: "m" } }) } })).toBe(
      "credential",
    );
    expect(blame({ status: 403, headers: { "x-error-json": "no base64, no JSON" } })).toBe("route");
    expect(blame({ status: 403, headers: { "x-error-json": encoded({ error: "x".repeat(20_000) }) } })).toBe(
      "route",
    );
  });
});

describe("an event of the backend's own", () => {
  const frame = (text: string): SseFrame => new SseFrame(Buffer.from(text));
  const limits = JSON.stringify({
    type: "codex.rate_limits",
    rate_limits: { primary: { used_percent: 50, window_minutes: 300, reset_at: SECONDS + 60 } },
  });
  const told = [{ name: "5h", used: 0.5, resetAt: NOW + 60_000, source: "event", seenAt: NOW }] as const;

  test("is kept from clients, and read when it speaks of limits", () => {
    expect(chatgpt.aside?.(frame(encodeSse(limits, "codex.rate_limits")), NOW)).toEqual(told);
    expect(chatgpt.aside?.(frame(encodeSse(limits)), NOW)).toEqual(told);
    expect(chatgpt.aside?.(frame(encodeSse('{"type":"codex.other"}', "codex.other")), NOW)).toEqual([]);
    expect(chatgpt.aside?.(frame(encodeSse("no JSON", "codex.rate_limits")), NOW)).toEqual([]);
  });

  test.each([
    encodeSse(
      '{"type":"response.output_text.delta","delta":"codex.rate_limits"}',
      "response.output_text.delta",
    ),
    encodeSse('{"type":"response.output_text.delta","delta":"codex."}'),
    encodeSse('{"delta":"codex.","type":"response.created"}'),
    encodeSse('{"type":"keepalive"}', "keepalive"),
    encodeSse("[DONE]"),
    ": codex.rate_limits\n\n",
    "event: codex.rate_limits\n\n",
  ])("is not %j", (text) => {
    expect(chatgpt.aside?.(frame(text), NOW)).toBeUndefined();
  });

  test("costs other events no reading of their data", () => {
    const big = frame(encodeSse('{"type":"response.output_text.delta"}', "response.output_text.delta"));
    Object.defineProperty(big, "data", { get: () => expect.unreachable("the data was read") });
    expect(chatgpt.aside?.(big, NOW)).toBeUndefined();
  });
});
