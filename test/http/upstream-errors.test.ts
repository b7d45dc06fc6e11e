// What a client is told when every account has failed: never how an upstream judged an account, else its true words.
import { describe, expect, test } from "bun:test";
import { accountOf, EVERY_CASE, type Case } from "../faults/row.ts";
import { nameOf } from "../faults/runner.ts";
import { flowing } from "../faults/scene.ts";
import { hangUp, json, sse } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import type { Header } from "../support/http-message.ts";
import { pick, pickNumber, pickText, type JsonObject } from "../support/json-pick.ts";
import { ask, errorItems } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { PATHS, providerError, providerErrorNames, type Platform } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

interface Asking {
  readonly headers?: readonly Header[];
  readonly config?: JsonObject;
  readonly extra?: JsonObject;
}

/** One account for each answer, in order of priority. */
async function told(each: Case, answers: readonly Answer[], asking: Asking = {}): Promise<Reply> {
  await using upstream = await startUpstream();
  let next = 0;
  upstream.otherwise((request, connection) => (answers[next++] ?? hangUp())(request, connection));
  const accounts = answers.map((_, index) =>
    accountOf(each, `account-${index}`, upstream.url, { priority: index + 1 }),
  );
  const clock = new VirtualClock();
  const config = { first_event_timeout: "60s", response_timeout: "60s", ...asking.config };
  await using gateway = await startGateway(gatewayConfig(accounts, config), { clock });
  const body = ask(each.client, { stream: each.stream, ...(asking.extra && { extra: asking.extra }) });
  const headers = asking.headers ?? [];
  return await flowing(clock, post(gateway.url, PATHS[each.client], body, { key: CLIENT_KEY, headers }));
}

function platformOf(each: Case): Platform {
  return each.upstream === "messages" ? "anthropic" : "openai";
}

function recorded(each: Case, name: string): Answer {
  const { status, headers, body } = providerError(platformOf(each), name);
  return json(status, body, headers);
}

function message(reply: Reply): string {
  return pickText(reply.json(), "error", "message") ?? "";
}

const CASES = EVERY_CASE.map((each) => [nameOf(each), each] as const);
const MESSAGES: Case = { client: "messages", upstream: "messages", stream: true };
const RESPONSES: Case = { client: "responses", upstream: "responses", stream: true };

describe("how an upstream judged an account", () => {
  test.each(CASES)("is never told as its status or in its words: %s", async (_name, each) => {
    for (const name of providerErrorNames(platformOf(each))) {
      const { status, body } = providerError(platformOf(each), name);
      for (const answers of [[recorded(each, name)], [recorded(each, name), recorded(each, "401")]]) {
        const reply = await told(each, answers);
        expect([name, [401, 402, 403].includes(reply.status)]).toEqual([name, false]);
        expect(judge(each.client, reply)).toMatchObject({ complete: false, problems: [] });
        if (![401, 402, 403].includes(status)) continue;
        const theirs = pickText(JSON.parse(body), "error", "message") ?? body;
        expect(reply.raw.includes(theirs)).toBe(false);
      }
    }
  });

  test.each(CASES)("is not told by an error event either: %s", async (_name, each) => {
    const words = [
      { type: "authentication_error", code: "invalid_api_key", message: "The key of org-1 is wrong." },
      { type: "permission_error", code: "permission_denied", message: "The key of org-1 may not." },
      { type: "billing_error", code: "billing_hard_limit_reached", message: "The bill of org-1 is open." },
    ];
    for (const error of words) {
      const reply = await told(each, [sse(writeSse([...errorItems(each.upstream, error)]))]);
      expect([401, 402, 403].includes(reply.status)).toBe(false);
      expect(reply.status).toBeGreaterThanOrEqual(400);
    }
  });

  test("is not told where no other account may be tried", async () => {
    const config = { max_account_switches: 0 };
    const used = json(403, {
      error: { message: "Your plan is used up.", type: "usage_not_included", code: null },
    });
    const reply = await told(RESPONSES, [used, recorded(RESPONSES, "500")], { config });
    expect([reply.status, message(reply).includes("plan")]).toEqual([502, false]);
  });
});

describe("an upstream that is broken everywhere", () => {
  const saying = (each: Case, status: number, by: string): Answer => {
    const error = {
      type: platformOf(each) === "anthropic" ? "api_error" : "server_error",
      message: `said by ${by}`,
    };
    return json(status, platformOf(each) === "anthropic" ? { type: "error", error } : { error });
  };

  test.each(CASES)("is told by its true status and words: %s", async (_name, each) => {
    for (const status of [500, 502, 503, 504, 520]) {
      const reply = await told(each, [saying(each, status, "one")]);
      expect([reply.status, message(reply)]).toEqual([status, "said by one"]);
      expect(reply.header("retry-after")).toBeUndefined();
    }
  });

  test.each(CASES)("is told by the last of them: %s", async (_name, each) => {
    const reply = await told(each, [saying(each, 500, "one"), saying(each, 503, "two")]);
    expect([reply.status, message(reply)]).toEqual([503, "said by two"]);
  });

  test.each(CASES)("is told rather than a refused credential: %s", async (_name, each) => {
    const broken = saying(each, 503, "one");
    for (const answers of [
      [recorded(each, "401"), broken],
      [broken, recorded(each, "401")],
    ]) {
      const reply = await told(each, answers);
      expect([reply.status, message(reply)]).toEqual([503, "said by one"]);
    }
  });

  test.each(CASES)("is a 502 where it said nothing: %s", async (_name, each) => {
    const reply = await told(each, [hangUp(), hangUp()]);
    expect(reply.status).toBe(502);
    expect(JSON.stringify(reply.json())).toContain("gateway_upstream_failed");
  });

  test.each(CASES)("keeps its retry-after: %s", async (_name, each) => {
    const { body } = providerError(platformOf(each), "503");
    const reply = await told(each, [json(503, body, { "retry-after": "17" })]);
    expect([reply.status, reply.header("retry-after")]).toEqual([503, "17"]);
  });
});

const ORIGINATOR: Header = ["originator", "codex_exec"];
const AGENT: Header = ["user-agent", "codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64)"];
const NOW_SECONDS = new VirtualClock().wall() / 1000;

function limited(each: Case, seconds: number): Answer {
  const { body } = providerError(platformOf(each), "429-bare");
  return json(429, body, { "retry-after": String(seconds) });
}

describe("a pool that is out for long", () => {
  test.each([
    ["its originator", ORIGINATOR],
    ["its user agent", AGENT],
  ])("tells Codex, known by %s, when it is back", async (_how, header) => {
    for (const stream of [true, false]) {
      const reply = await told({ ...RESPONSES, stream }, [limited(RESPONSES, 3600)], { headers: [header] });
      expect([reply.status, pick(reply.json(), "error", "type")]).toEqual([429, "usage_limit_reached"]);
      const resetsAt = pickNumber(reply.json(), "error", "resets_at") ?? 0;
      expect(Number.isInteger(resetsAt)).toBe(true);
      expect(resetsAt - NOW_SECONDS).toBeGreaterThanOrEqual(3600);
      expect(resetsAt - NOW_SECONDS).toBeLessThanOrEqual(3962);
      expect(Math.abs(resetsAt - NOW_SECONDS - Number(reply.header("retry-after")))).toBeLessThanOrEqual(2);
      expect(reply.header("x-should-retry")).toBe("false");
    }
  });

  test("tells the soonest of several accounts", async () => {
    const answers = [limited(RESPONSES, 7200), limited(RESPONSES, 600), limited(RESPONSES, 900)];
    const reply = await told(RESPONSES, answers, { headers: [ORIGINATOR] });
    const resetsIn = (pickNumber(reply.json(), "error", "resets_at") ?? 0) - NOW_SECONDS;
    expect(resetsIn).toBeGreaterThanOrEqual(600);
    expect(resetsIn).toBeLessThanOrEqual(662);
  });

  test("tells Codex nothing special of a short wait, and others nothing special at all", async () => {
    const short = await told(RESPONSES, [limited(RESPONSES, 30)], { headers: [ORIGINATOR] });
    const others = await told(RESPONSES, [limited(RESPONSES, 3600)]);
    const chat: Case = { client: "chat", upstream: "chat", stream: true };
    const byChat = await told(chat, [limited(chat, 3600)], { headers: [ORIGINATOR] });
    for (const reply of [short, others, byChat])
      expect([reply.status, pick(reply.json(), "error", "code")]).toEqual([429, "gateway_pool_cooling"]);
    const messages = await told(MESSAGES, [limited(MESSAGES, 3600)], { headers: [ORIGINATOR] });
    expect(pick(messages.json(), "error", "type")).toBe("rate_limit_error");
    const hints = [short, others, byChat, messages].map((reply) => reply.header("x-should-retry"));
    expect(hints).toEqual([undefined, "false", "false", "false"]);
  });

  test("hands no account's limit headers on", async () => {
    const { status, headers, body } = providerError("anthropic", "429-unified");
    const reply = await told(MESSAGES, [json(status, body, headers)]);
    expect(
      reply.headers.filter(([name]) => /ratelimit|request-id$/i.test(name)).map(([name]) => name),
    ).toEqual(["x-request-id"]);
  });
});

describe("a field that the other protocol has not", () => {
  const OVER: Case = { client: "chat", upstream: "responses", stream: false };
  test.each([
    ["n", { n: 2 }],
    ["audio", { modalities: ["text", "audio"], audio: { voice: "a", format: "mp3" } }],
  ])("is refused by its name: %s", async (name, extra) => {
    for (const stream of [false, true]) {
      const reply = await told({ ...OVER, stream }, [hangUp()], { extra });
      expect([reply.status, pick(reply.json(), "error", "code")]).toEqual([400, "gateway_unsupported_field"]);
      expect(pick(reply.json(), "error", "type")).toBe("invalid_request_error");
      expect(`${pickText(reply.json(), "error", "param")} ${message(reply)}`).toContain(name);
    }
  });
});
