// Every row of the error table, in the protocol of each endpoint: status, envelope, words, marks and hints.
import { describe, expect, test } from "bun:test";
import { ERRORS, type ErrorCode } from "../src/core/errors.ts";
import { PROVIDERS } from "../src/providers/index.ts";
import { accountOf, until, type Case } from "./faults/row.ts";
import { answerBody, hangBeforeHeaders, held, json, sse } from "./support/answers.ts";
import { post, sendRaw, type Reply } from "./support/client.ts";
import { CANARY, CLIENT_KEY, gatewayConfig, SECOND_CLIENT_KEY, secretsIn } from "./support/gateway-config.ts";
import { startGateway, type Gateway } from "./support/gateway.ts";
import { pick, pickText, type JsonObject } from "./support/json-pick.ts";
import { ask, textStream } from "./support/made-streams.ts";
import type { Protocol } from "./support/oracle.ts";
import { provider } from "./support/provider.ts";
import { MODELS, PATHS, PROTOCOLS, providerError, type Platform } from "./support/samples.ts";
import { startUpstream, type Answer, type Upstream } from "./support/upstream.ts";
import { VirtualClock } from "./support/virtual-clock.ts";

/** A gateway with one account, and the request that is to be refused. */
interface Scene {
  readonly gateway: Gateway;
  readonly upstream: Upstream;
  readonly clock: VirtualClock;
  readonly protocol: Protocol;
  readonly stream: boolean;
}

interface Row {
  readonly code: ErrorCode;
  readonly when: string;
  readonly config?: JsonObject;
  /** Further members of the account. */
  readonly account?: JsonObject;
  readonly answer?: (protocol: Protocol) => Answer;
  /** An ordinary request unless said. */
  readonly act?: (scene: Scene) => Promise<Reply>;
  readonly retryAfter?: RegExp;
  readonly shouldRetry?: "false";
  /** OpenAI's `param`. */
  readonly param?: string;
  /** Requests that reach the upstream. */
  readonly hits?: number;
}

const NARROW_KEY = `${CANARY}-client-key-narrow`;
const PATIENT = { connect_timeout: "5m", first_event_timeout: "5m", response_timeout: "5m" };

function asked({ protocol, stream }: Scene, more: JsonObject = {}): JsonObject {
  return ask(protocol, { stream, extra: more });
}

function ordinary(scene: Scene, more: JsonObject = {}): Promise<Reply> {
  return post(scene.gateway.url, PATHS[scene.protocol], asked(scene, more), { key: CLIENT_KEY });
}

/** Without the key that `post` adds. */
function withHeaders(...headers: (readonly [string, string])[]): (scene: Scene) => Promise<Reply> {
  return (scene) => post(scene.gateway.url, PATHS[scene.protocol], asked(scene), { headers });
}

function withBody(body: (scene: Scene) => string): (scene: Scene) => Promise<Reply> {
  return (scene) => post(scene.gateway.url, PATHS[scene.protocol], body(scene), { key: CLIENT_KEY });
}

function platformOf(protocol: Protocol): Platform {
  return protocol === "messages" ? "anthropic" : "openai";
}

function recorded(name: string): (protocol: Protocol) => Answer {
  return (protocol) => {
    const { status, headers, body } = providerError(platformOf(protocol), name);
    return json(status, body, headers);
  };
}

/** Another request takes the only slot while this one is refused. */
async function whileBusy(scene: Scene): Promise<Reply> {
  const gate = held(provider());
  scene.upstream.when({ nth: 1 }, gate.answer);
  const served = ordinary(scene);
  await until("the slot is taken", () => gate.waiting === 1);
  const refused = await ordinary(scene, { metadata: {} });
  gate.release();
  expect((await served).status).toBe(200);
  return refused;
}

async function whileDraining(scene: Scene): Promise<Reply> {
  const gate = held(provider());
  scene.upstream.when({ nth: 1 }, gate.answer);
  const served = ordinary(scene);
  await until("one is under way", () => gate.waiting === 1);
  void scene.gateway.drain();
  const refused = await ordinary(scene);
  gate.release();
  expect((await served).status).toBe(200);
  return refused;
}

async function slowBody({ gateway, protocol, clock }: Scene): Promise<Reply> {
  const head = `POST ${PATHS[protocol]} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: 100\r\n\r\n{`;
  const timers = clock.pending;
  const { reply } = sendRaw(gateway.url, [head]);
  await until("the body is waited for", () => clock.pending > timers);
  await clock.pass(60_000);
  return reply;
}

async function afterLimit(scene: Scene): Promise<Reply> {
  await ordinary(scene);
  return ordinary(scene);
}

async function brokenStep(scene: Scene): Promise<Reply> {
  const provider = PROVIDERS[platformOf(scene.protocol)];
  if (provider === undefined) throw new Error("no provider");
  const { prepare } = provider;
  provider.prepare = () => {
    throw new Error("planted");
  };
  try {
    return await ordinary(scene);
  } finally {
    provider.prepare = prepare;
  }
}

/** Breaks off before its first event, or in the middle of a whole answer. */
function cutAnswer(protocol: Protocol): Answer {
  const bytes = textStream(protocol, ["half"]);
  return (request, connection) => {
    const streamed = pick(request.json(), "stream") === true;
    const whole = answerBody(Buffer.from(`{"id":"x"`), { framing: "length", end: "short-length" });
    return (streamed ? sse(bytes, { cutAt: 30, end: "fin" }) : whole)(request, connection);
  };
}

const ROWS: readonly Row[] = [
  { code: "unauthenticated", when: "no key is sent", act: withHeaders(), shouldRetry: "false", hits: 0 },
  {
    code: "unauthenticated",
    when: "the bearer is not known",
    act: withHeaders(["authorization", "Bearer sk-not-one-of-ours"]),
    shouldRetry: "false",
    hits: 0,
  },
  {
    code: "unauthenticated",
    when: "the x-api-key is not known",
    act: withHeaders(["x-api-key", "sk-not-one-of-ours"]),
    shouldRetry: "false",
    hits: 0,
  },
  {
    code: "unauthenticated",
    when: "the key is a password",
    act: withHeaders(["authorization", `Basic ${btoa(`user:${CLIENT_KEY}`)}`]),
    shouldRetry: "false",
    hits: 0,
  },
  {
    code: "unauthenticated",
    when: "the key is empty",
    act: withHeaders(["authorization", "Bearer "], ["x-api-key", ""]),
    shouldRetry: "false",
    hits: 0,
  },
  {
    code: "invalid_request",
    when: "two different keys are sent",
    act: withHeaders(["authorization", `Bearer ${CLIENT_KEY}`], ["x-api-key", SECOND_CLIENT_KEY]),
    hits: 0,
  },
  {
    code: "model_forbidden",
    when: "the key may not use the model",
    config: { client_keys: [{ name: "narrow", token: NARROW_KEY, models: ["claude-haiku-*", "gpt-mini"] }] },
    act: withHeaders(["x-api-key", NARROW_KEY]),
    shouldRetry: "false",
    param: "model",
    hits: 0,
  },
  { code: "invalid_request", when: "the body is no JSON", act: withBody(() => "{model:1}"), hits: 0 },
  { code: "invalid_request", when: "there is no body", act: withBody(() => ""), hits: 0 },
  { code: "invalid_request", when: "there is no model", act: withBody(() => "{}"), param: "model", hits: 0 },
  {
    code: "invalid_request",
    when: "the body is nested deeper than 128",
    act: withBody(
      ({ protocol }) => `{"model":"${MODELS[protocol]}","a":${"[".repeat(128)}${"]".repeat(128)}}`,
    ),
    hits: 0,
  },
  {
    code: "invalid_request",
    when: "the model stands there twice",
    act: withBody((scene) => JSON.stringify(asked(scene)).replace("{", `{"model":"other",`)),
    param: "model",
    hits: 0,
  },
  {
    code: "invalid_request",
    when: "stream stands there twice",
    act: withBody((scene) => JSON.stringify(asked(scene)).replace("{", `{"stream":true,`)),
    param: "stream",
    hits: 0,
  },
  {
    code: "body_too_large",
    when: "the body is over max_body_size",
    config: { max_body_size: 2000 },
    act: (scene) => ordinary(scene, { filler: "x".repeat(2000) }),
    hits: 0,
  },
  { code: "body_timeout", when: "the body does not come", act: slowBody, hits: 0 },
  {
    code: "model_not_found",
    when: "no account offers the model",
    account: { models: ["another-model"] },
    hits: 0,
  },
  {
    code: "model_not_found",
    when: "every account says it has not the model",
    answer: recorded("404-model"),
    hits: 1,
  },
  {
    code: "pool_cooling",
    when: "all accounts are at a limit",
    answer: recorded("429-rate-limit"),
    retryAfter: /^[2-9]$/,
    hits: 1,
  },
  {
    code: "pool_cooling",
    when: "all accounts have reached their quota",
    answer: recorded("402"),
    retryAfter: /^900$/,
    shouldRetry: "false",
    hits: 1,
  },
  {
    code: "key_limited",
    when: "the key is over its requests per minute",
    config: { client_keys: [{ name: "slow", token: NARROW_KEY, requests_per_minute: 1 }] },
    async act(scene) {
      const once = withHeaders(["x-api-key", NARROW_KEY]);
      expect((await once(scene)).status).toBe(200);
      return once(scene);
    },
    retryAfter: /^60$/,
    hits: 1,
  },
  {
    code: "pool_busy",
    when: "the queue is full",
    config: { queue_size: 0, ...PATIENT },
    account: { concurrency: 1 },
    act: whileBusy,
    retryAfter: /^[2-5]$/,
    hits: 1,
  },
  { code: "pool_unavailable", when: "all accounts are disabled", account: { disabled: true }, hits: 0 },
  {
    code: "pool_unavailable",
    when: "all accounts were refused before",
    answer: recorded("401"),
    act: afterLimit,
    hits: 1,
  },
  { code: "shutting_down", when: "the gateway stops", act: whileDraining, retryAfter: /^1$/, hits: 1 },
  {
    code: "upstream_refused",
    when: "the only account is refused with 401",
    answer: recorded("401"),
    hits: 1,
  },
  {
    code: "upstream_refused",
    when: "the only account is refused with 403",
    answer: recorded("403"),
    hits: 1,
  },
  { code: "upstream_failed", when: "the only account answers 408", answer: recorded("408"), hits: 1 },
  { code: "upstream_failed", when: "the only account answers 409", answer: recorded("409"), hits: 1 },
  {
    code: "upstream_failed",
    when: "the only account answers a page",
    answer: () => answerBody(Buffer.from("<html>no</html>"), { headers: { "content-type": "text/html" } }),
    hits: 1,
  },
  { code: "upstream_cut", when: "the answer breaks off before any content", answer: cutAnswer, hits: 1 },
  {
    code: "upstream_timeout",
    when: "the upstream is too slow",
    answer: () => hangBeforeHeaders(),
    async act(scene) {
      const reply = ordinary(scene);
      await until("it is asked", () => scene.upstream.active === 1);
      await Bun.sleep(5);
      await scene.clock.pass(1000);
      return reply;
    },
    hits: 1,
  },
  { code: "internal", when: "a step of the gateway breaks", act: brokenStep, hits: 0 },
];

/** These are told elsewhere: by a translation, by a route that belongs to no protocol, and on a socket. */
const ELSEWHERE: readonly ErrorCode[] = [
  "unsupported_field",
  "websocket_unsupported",
  "previous_response_not_found",
  "endpoint_not_found",
];

async function play(row: Row, protocol: Protocol, stream: boolean): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(row.answer?.(protocol) ?? provider());
  const clock = new VirtualClock();
  const each: Case = { client: protocol, upstream: protocol, stream };
  const account = accountOf(each, "first", upstream.url, row.account);
  await using gateway = await startGateway(gatewayConfig([account], row.config), { clock });
  const scene: Scene = { gateway, upstream, clock, protocol, stream };
  const reply = await (row.act ?? ordinary)(scene);
  expectTold(row, protocol, reply);
  expect(upstream.requests.length).toBe(row.hits ?? 0);
  await gateway.idle();
  expect(gateway.exchanges.filter(({ id }) => id === reply.header("x-request-id")).length).toBe(
    row.code === "shutting_down" ? 0 : 1,
  );
}

function expectTold(row: Row, protocol: Protocol, reply: Reply): void {
  const { code } = row;
  const words: { status: number; anthropicStatus?: number; anthropic: string; openai: string } = ERRORS[code];
  const anthropic = protocol === "messages";
  const status = (anthropic ? words.anthropicStatus : undefined) ?? words.status;
  expect([reply.status, reply.end]).toEqual([status, "complete"]);
  expect(reply.header("content-type")).toBe("application/json");
  expect(reply.header("x-request-id")).toMatch(/^req_\w{32}$/);
  expect(reply.header("x-should-retry")).toBe(row.shouldRetry);
  if (row.retryAfter === undefined) expect(reply.header("retry-after")).toBeUndefined();
  else expect(reply.header("retry-after")).toMatch(row.retryAfter);
  expect(secretsIn(reply.raw.toString())).toEqual([]);
  const body = reply.json();
  const message = pickText(body, "error", "message") ?? "";
  const own = `gateway_${code}`;
  if (anthropic) {
    expect(message).toStartWith(`${own}: `);
    const details = row.param === undefined ? {} : { details: { param: row.param } };
    expect(body).toEqual({
      type: "error",
      error: { type: words.anthropic, message, ...details },
      request_id: reply.header("x-request-id"),
    });
    return;
  }
  const known = code === "model_not_found";
  if (known) expect(message).toStartWith(`${own}: `);
  const error = { message, type: words.openai, param: row.param ?? null, code: known ? code : own };
  expect(body).toEqual({ error });
}

describe("the error table", () => {
  test("is played in full", () => {
    const played = new Set<ErrorCode>([...ROWS.map(({ code }) => code), ...ELSEWHERE]);
    expect(Object.keys(ERRORS).filter((code) => ![...played].some((each) => each === code))).toEqual([]);
  });

  for (const row of ROWS)
    for (const protocol of PROTOCOLS)
      for (const stream of [false, true])
        test(`${protocol}${stream ? ", streaming" : ""}: ${row.code} when ${row.when}`, () =>
          play(row, protocol, stream));
});
