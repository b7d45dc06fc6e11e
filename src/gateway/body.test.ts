import { describe, expect, test } from "bun:test";
import type { Account, Protocol } from "../core/account.ts";
import type { Ask } from "../core/exchange.ts";
import { scanObject } from "../core/json.ts";
import { edited } from "./body.ts";
import type { Settings } from "./deps.ts";

interface Given {
  readonly body: string;
  readonly protocol?: Protocol;
  readonly model?: string;
  readonly instructions?: Settings["defaultInstructions"];
  readonly extra?: Settings["extraParams"];
}

function edit(given: Given): string {
  const { body, protocol = "responses", model = "gpt-1", instructions = {}, extra = {} } = given;
  const bytes = new TextEncoder().encode(body);
  const account: Account = { ...ACCOUNT, platform: protocol === "messages" ? "anthropic" : "openai" };
  const ask: Ask = { ...ASK, protocol, body: bytes, members: scanObject(bytes) };
  const params = { defaultInstructions: instructions, extraParams: extra };
  return new TextDecoder().decode(edited(bytes, ask, { account, model, protocol, rank: 0 }, params));
}

const ACCOUNT: Omit<Account, "platform"> = {
  name: "a",
  type: "api_key",
  provider: "openai",
  credential: undefined,
  baseUrl: "https://api.example",
  origin: "https://api.example",
  proxy: undefined,
  apis: ["responses", "chat"],
  concurrency: 1,
  priority: 1,
  weight: 1,
  models: undefined,
  modelMap: {},
  disabled: false,
  allowExtraUsage: false,
};

const ASK: Omit<Ask, "protocol" | "body" | "members"> = {
  key: { name: "k", models: undefined, concurrency: undefined, requestsPerMinute: undefined, weight: 1 },
  model: "asked",
  models: ["resolved"],
  stream: false,
  headers: new Headers(),
  query: "",
  session: "s",
  previousResponse: undefined,
  pinned: false,
  errand: undefined,
  continuable: false,
  replayable: true,
};

describe("the body an account is sent", () => {
  test("is the client's own, byte for byte, when nothing has to change", () => {
    const body = '{ "n":1.0e+2, "big":123456789012345678901, "model" : "gpt-1","s":"\\ud83d\\u002f" }';
    expect(edit({ body })).toBe(body);
  });

  test("names the account's model in place of the client's", () => {
    expect(edit({ body: '{"a":1, "model" : "asked" ,"b":2}' })).toBe('{"a":1, "model" : "gpt-1" ,"b":2}');
  });

  test("takes extra parameters by exact name first, then by alias, then by *", () => {
    const extra = { "gpt-1": { a: 1 }, resolved: { a: 2 }, asked: { a: 3 }, "*": { a: 4 } };
    const body = '{"model":"gpt-1"}';
    const { "gpt-1": _exact, ...withoutExact } = extra;
    expect(edit({ body, extra })).toBe('{"model":"gpt-1","a":1}');
    expect(edit({ body, extra: withoutExact })).toBe('{"model":"gpt-1","a":2}');
    expect(edit({ body, extra: { "*": { a: 4 } } })).toBe('{"model":"gpt-1","a":4}');
    expect(edit({ body, extra: { other: { a: 5 } } })).toBe(body);
  });

  test("keeps what the client set, down into objects", () => {
    const extra = { "*": { temperature: 1, reasoning: { effort: "high", summary: "auto" } } };
    expect(edit({ body: '{"model":"gpt-1","temperature":0,"reasoning":{"effort":"low"}}', extra })).toBe(
      '{"model":"gpt-1","temperature":0,"reasoning":{"effort":"low","summary":"auto"}}',
    );
  });

  test("brings default instructions only when the request brings none", () => {
    const instructions = { "*": "Be kind." };
    expect(edit({ body: '{"model":"gpt-1","input":"x"}', instructions })).toBe(
      '{"model":"gpt-1","input":"x","instructions":"Be kind."}',
    );
    const own = '{"model":"gpt-1","instructions":"mine"}';
    expect(edit({ body: own, instructions })).toBe(own);
    const item = '{"model":"gpt-1","input":[{"role":"developer","content":"mine"}]}';
    expect(edit({ body: item, instructions })).toBe(item);
  });

  test("puts them before a chat's first message, and never into Messages", () => {
    const instructions = { "*": "Be kind." };
    expect(
      edit({ protocol: "chat", body: '{"model":"gpt-1","messages":[{"role":"user"}]}', instructions }),
    ).toBe('{"model":"gpt-1","messages":[{"role":"system","content":"Be kind."},{"role":"user"}]}');
    expect(edit({ protocol: "chat", body: '{"model":"gpt-1","messages":[]}', instructions })).toBe(
      '{"model":"gpt-1","messages":[{"role":"system","content":"Be kind."}]}',
    );
    const messages = '{"model":"gpt-1","messages":[]}';
    expect(edit({ protocol: "messages", body: messages, instructions })).toBe(messages);
  });
});
