// Drafts of requests for the providers' tests.

import { expect, test } from "bun:test";
import type { Access, Account } from "../core/account.ts";
import type { Ask, Candidate } from "../core/exchange.ts";
import { type JsonObject, parseObject, scanObject } from "../core/json.ts";
import type { Provider, UpstreamRequest } from "../core/ports.ts";
import { openai } from "./openai.ts";
import type { SampleRequest } from "../../test/support/samples.ts";

export const ACCOUNT: Account = {
  name: "one",
  platform: "openai",
  type: "oauth",
  provider: "chatgpt",
  credential: { kind: "login", generation: 1 },
  baseUrl: "https://upstream.example/base",
  origin: "https://upstream.example",
  proxy: undefined,
  apis: ["responses"],
  concurrency: 1,
  priority: 1,
  weight: 1,
  models: undefined,
  modelMap: {},
  disabled: false,
  allowExtraUsage: false,
};

/** What `ask.session` is. */
export const SESSION = "hash-of-the-conversation";

export interface Given {
  readonly access: Access;
  /** The client's request. */
  readonly body?: JsonObject;
  readonly headers?: Record<string, string>;
  readonly protocol?: Ask["protocol"];
  /** What the client's request became in the candidate's protocol. */
  readonly draft?: JsonObject;
  readonly account?: Partial<Account>;
  readonly upstream?: Candidate["protocol"];
}

export interface Prepared extends UpstreamRequest {
  readonly text: string;
  readonly json: JsonObject;
}

export function prepared(provider: Provider, given: Given): Prepared {
  const body = bytesOf(given.body ?? { model: "gpt-5.1", input: "Hi" });
  const protocol = given.protocol ?? "responses";
  const ask: Ask = {
    protocol,
    key: {
      name: "key-1",
      models: undefined,
      concurrency: undefined,
      requestsPerMinute: undefined,
      weight: 1,
    },
    model: "gpt-5.1",
    models: ["gpt-5.1"],
    stream: false,
    body,
    members: scanObject(body),
    headers: new Headers(given.headers),
    query: "?beta=true",
    session: SESSION,
    previousResponse: undefined,
    pinned: false,
    errand: undefined,
    continuable: false,
    replayable: true,
  };
  const draft = given.draft === undefined ? body : bytesOf(given.draft);
  const account = { ...ACCOUNT, ...given.account };
  const candidate: Candidate = {
    account,
    model: "gpt-5.1",
    protocol: given.upstream ?? "responses",
    rank: 0,
  };
  const request = provider.prepare(candidate, { ask, access: given.access, body: draft });
  const text = Buffer.from(request.body).toString();
  return { ...request, text, json: parseObject(text) ?? {} };
}

/** A recorded request as the gateway has read it. */
export function recorded(sample: SampleRequest): Pick<Given, "headers"> & { readonly body: JsonObject } {
  const headers = Object.fromEntries(sample.headers.map(([name, value]) => [name.toLowerCase(), value]));
  return { headers, body: parseObject(JSON.stringify(sample.body)) ?? {} };
}

function bytesOf(body: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(body));
}

test("a draft is given to the provider, and not the client's request", () => {
  const made = prepared(openai, { access: { kind: "api_key", secret: "s" }, draft: { a: 1 } });
  expect([made.text, made.json]).toEqual(['{"a":1}', { a: 1 }]);
});
