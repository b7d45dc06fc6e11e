// Which headers cross the gateway, both ways, and that the query does.
import { describe, expect, test } from "bun:test";
import { accountOf, EVERY_CASE, type Case } from "../faults/row.ts";
import { nameOf } from "../faults/runner.ts";
import { json, sse, type HeaderList } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf } from "../support/gateway-config.ts";
import type { Header } from "../support/http-message.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask, textAnswer, textStream } from "../support/made-streams.ts";
import { provider } from "../support/provider.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import type { UpstreamRequest } from "../support/upstream.ts";
import { pair } from "./pair.ts";

const PASSED_UP: readonly Header[] = [
  ["accept", "text/event-stream"],
  ["anthropic-version", "2026-10-21"],
  ["anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14, of-tomorrow-2027-01-01"],
  ["anthropic-dangerous-direct-browser-access", "true"],
  ["conversation_id", "conversation-1"],
  ["session_id", "session-1"],
  ["session-id", "session-2"],
  ["thread-id", "thread-1"],
  ["idempotency-key", "idem-1"],
  ["openai-beta", "responses=experimental"],
  ["originator", "codex_exec"],
  ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ["user-agent", "claude-cli/2.1.197 (external, cli)"],
  ["version", "0.169.0"],
  ["x-app", "cli"],
  ["x-claude-code-session-id", "0b6f6f0e"],
  ["x-client-request-id", "request-1"],
  ["x-codex-turn-metadata", '{"turn_id":"1"}'],
  ["x-codex-window-id", "thread-1:0"],
  ["x-openai-subagent", "review"],
  ["x-stainless-timeout", "600"],
];

/** Each carries a word that must not arrive. */
const KEPT_BACK: readonly Header[] = [
  "anthropic-organization-id",
  "chatgpt-account-id",
  "cf-connecting-ip",
  "cookie",
  "expect-ct",
  "forwarded",
  "from",
  "keep-alive",
  "openai-organization",
  "openai-project",
  "origin",
  "proxy-authorization",
  "proxy-connection",
  "referer",
  "sec-fetch-site",
  "true-client-ip",
  "via",
  "x-amz-security-token",
  "x-auth-token",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-goog-api-key",
  "x-http-method-override",
  "x-original-url",
  "x-real-ip",
  "x-request-id",
  ...Array.from({ length: 100 }, (_, index) => `x-made-up-${index}`),
].map((name) => [name, `leak ${name}`]);

/** What an HTTP client adds by itself, and what the gateway sets. */
const OWN = ["host", "connection", "content-length", "content-type", "accept-encoding"];

function headersOf(request: UpstreamRequest | undefined): Map<string, string> {
  return new Map(request?.headers.map(([name, value]) => [name.toLowerCase(), value]));
}

describe("a request's headers", () => {
  const styles: readonly (readonly [string, readonly Header[]])[] = [
    ["a bearer", [["authorization", `Bearer ${CLIENT_KEY}`]]],
    ["x-api-key", [["x-api-key", CLIENT_KEY]]],
    [
      "both, the same",
      [
        ["authorization", `bearer ${CLIENT_KEY}`],
        ["x-api-key", CLIENT_KEY],
      ],
    ],
  ];
  for (const protocol of PROTOCOLS)
    test.each(styles)(`${protocol}: go up by the list and no others, with %s`, async (_style, key) => {
      const each: Case = { client: protocol, upstream: protocol, stream: true };
      await using on = await pair(provider(), (url) => [accountOf(each, "first", url)]);
      const headers = [...key, ...PASSED_UP, ...KEPT_BACK];
      const reply = await post(on.gateway.url, PATHS[protocol], ask(protocol, each), { headers });
      expect(reply.status).toBe(200);
      const [request] = on.upstream.requests;
      const sent = headersOf(request);
      for (const [name, value] of PASSED_UP) expect([name, sent.get(name)]).toEqual([name, value]);
      const credential = protocol === "messages" ? "x-api-key" : "authorization";
      const secret = credentialOf("first");
      expect(sent.get(credential)).toBe(protocol === "messages" ? secret : `Bearer ${secret}`);
      expect([sent.get("content-type"), sent.get("accept-encoding")]).toEqual([
        "application/json",
        "identity",
      ]);
      expect(sent.get("host")).toBe(new URL(on.upstream.url).host);
      const known = new Set([...PASSED_UP.map(([name]) => name), ...OWN, credential]);
      expect([...sent.keys()].filter((name) => !known.has(name))).toEqual([]);
      expect(JSON.stringify(request?.headers)).not.toContain("leak");
      expect(JSON.stringify(request?.headers)).not.toContain(CLIENT_KEY);
    });

  test("say who the gateway is where the client says nothing of itself", async () => {
    await using on = await pair(provider(), (url) => [account("first", url)]);
    await post(on.gateway.url, PATHS.messages, ask("messages", { stream: false }), { key: CLIENT_KEY });
    const sent = headersOf(on.upstream.requests[0]);
    expect(sent.get("user-agent")).toStartWith("sub2api_simple/");
    expect(sent.get("anthropic-version")).toBe("2023-06-01");
  });
});

const PASSED_DOWN: readonly Header[] = [
  ["anthropic-version", "2023-06-01"],
  ["cf-ray", "0000000000000000-XXX"],
  ["openai-model", "gpt-5.1-2026-01-01"],
  ["openai-processing-ms", "1234"],
  ["openai-version", "2020-10-01"],
  ["request-id", "req_theirs"],
  ["x-codex-turn-state", "state-1"],
  ["x-should-retry", "false"],
];

const HELD_BACK: readonly Header[] = [
  "alt-svc",
  "anthropic-organization-id",
  "anthropic-ratelimit-requests-remaining",
  "anthropic-ratelimit-unified-5h-utilization",
  "anthropic-ratelimit-unified-status",
  "authorization",
  "location",
  "nel",
  "openai-organization",
  "openai-project",
  "proxy-authenticate",
  "report-to",
  "server",
  "set-cookie",
  "strict-transport-security",
  "via",
  "www-authenticate",
  "x-api-key",
  "x-codex-primary-used-percent",
  "x-envoy-upstream-service-time",
  "x-ratelimit-remaining-requests",
  "x-request-id",
  ...Array.from({ length: 50 }, (_, index) => `x-made-up-${index}`),
].map((name) => [name, `leak ${name}`]);

const OURS = new Set([
  "x-sub2api-fidelity",
  "cache-control",
  "content-length",
  "content-type",
  "date",
  "transfer-encoding",
  "x-accel-buffering",
  "x-request-id",
]);

function expectOurHeaders(reply: Reply): void {
  const got = new Map(reply.headers.map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, value] of PASSED_DOWN) expect([name, got.get(name)]).toEqual([name, value]);
  const known = new Set(PASSED_DOWN.map(([name]) => name));
  expect([...got.keys()].filter((name) => !known.has(name) && !OURS.has(name))).toEqual([]);
  expect(JSON.stringify(reply.headers)).not.toContain("leak");
  expect(got.get("x-request-id")).toMatch(/^req_\w{32}$/);
}

describe("an answer's headers", () => {
  const headers: HeaderList = [...PASSED_DOWN, ...HELD_BACK];
  const cases = EVERY_CASE.map((each) => [nameOf(each), each] as const);
  test.each(cases)("come down by the list and no others: %s", async (_name, each) => {
    const { client, upstream, stream } = each;
    const answer = stream
      ? sse(textStream(upstream, ["Hello."]), { headers })
      : json(200, textAnswer(upstream, "Hello."), headers);
    await using on = await pair(answer, (url) => [accountOf(each, "first", url)]);
    const reply = await post(on.gateway.url, PATHS[client], ask(client, each), { key: CLIENT_KEY });
    expect([reply.status, reply.end]).toEqual([200, "complete"]);
    expectOurHeaders(reply);
    const type = reply.header("content-type") ?? "";
    expect(type).toStartWith(stream ? "text/event-stream" : "application/json");
    if (stream)
      expect([reply.header("cache-control"), reply.header("x-accel-buffering")]).toEqual(["no-cache", "no"]);
    expect(reply.header("content-encoding")).toBeUndefined();
  });

  test.each(PROTOCOLS)("%s: the same for an error that is handed on", async (protocol) => {
    const body = { error: { type: "invalid_request_error", message: "No.", param: null, code: null } };
    const each: Case = { client: protocol, upstream: protocol, stream: true };
    await using on = await pair(json(400, body, headers), (url) => [accountOf(each, "first", url)]);
    const reply = await post(on.gateway.url, PATHS[protocol], ask(protocol, each), { key: CLIENT_KEY });
    expect([reply.status, reply.json()]).toEqual([400, body]);
    expectOurHeaders(reply);
  });
});

describe("a request's query", () => {
  test.each(["", "?beta=true", "?a=1&a=2&empty=&x=%20%2F%c3%bc+&y=;,:@", "?", "?api-version=2026-01-01#"])(
    "goes up as it is: %p",
    async (query) => {
      await using on = await pair(provider(), (url) => [account("first", url)]);
      await post(on.gateway.url, PATHS.messages + query, ask("messages", { stream: false }), {
        key: CLIENT_KEY,
      });
      const [request] = on.upstream.requests;
      expect(request?.target).toBe(PATHS.messages + (query === "?" ? "" : query.replace("#", "")));
    },
  );

  test("goes up with base_url's own path, which is not doubled", async () => {
    const bases = (url: string): JsonObject[] => [account("first", `${url}/prefix/v1/`)];
    await using on = await pair(provider(), bases);
    await post(on.gateway.url, `${PATHS.messages}?beta=true`, ask("messages", { stream: false }), {
      key: CLIENT_KEY,
    });
    expect(on.upstream.requests[0]?.target).toBe("/prefix/v1/messages?beta=true");
  });
});
