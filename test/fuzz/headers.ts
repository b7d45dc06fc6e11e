// A client's headers on their way to an upstream: whatever is sent, the account's credential is the only one, and nothing
// goes that names the client's own key, host, address or organization.
import { scanObject } from "../../src/core/json.ts";
import { answerHeaders } from "../../src/core/headers.ts";
import type { Candidate } from "../../src/core/exchange.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { Dice } from "./dice.ts";
import { ACCOUNT, ASK } from "./json-edits.ts";
import { Wrong, type Target } from "./target.ts";

const SECRET = "the-credential-of-the-account";
const BODY = Buffer.from('{"model":"m","input":"x","stream":true,"store":false}');
/** Stands in every value that must stay where it is. */
const MARK = "l3ak";
const KEPT = [
  [
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "cookie",
  ],
  [
    "set-cookie",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
  ],
  [
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "forwarded",
    "via",
    "from",
    "referer",
  ],
  [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
  ],
  ["chatgpt-account-id", "anthropic-organization-id", "openai-organization", "openai-project", "origin"],
  ["x-goog-api-key", "x-amz-security-token", "x-original-url", "x-http-method-override", "x-request-id"],
].flat();
const PASSED = [
  [
    "accept",
    "anthropic-version",
    "anthropic-beta",
    "user-agent",
    "session_id",
    "session-id",
    "originator",
    "idempotency-key",
  ],
  [
    "x-stainless-timeout",
    "x-codex-window-id",
    "x-claude-code-session-id",
    "openai-beta",
    "openai-x",
    "traceparent",
  ],
].flat();
const SIGNS = "!#$%&'*+-.^_`|~abcdefghijklmnopqrstuvwxyz0123456789";

function otherCase(dice: Dice, name: string): string {
  return [...name].map((char) => (dice.percent(40) ? char.toUpperCase() : char)).join("");
}

/** A name that is nearly one we know. */
function nearly(dice: Dice, name: string): string {
  const at = dice.below(name.length);
  return name.slice(0, at) + dice.pick([...SIGNS]) + name.slice(at + dice.below(2));
}

function clientHeaders(dice: Dice): Headers {
  const headers = new Headers();
  const value = (): string =>
    `${String.fromCharCode(0x21 + dice.below(0x5e))}${"é".repeat(dice.below(3))} ${dice.below(99)}`;
  for (const name of KEPT) if (dice.percent(40)) headers.append(otherCase(dice, name), `${MARK} ${value()}`);
  for (const name of PASSED) if (dice.percent(40)) headers.append(otherCase(dice, name), value());
  for (const name of [...KEPT, ...PASSED]) {
    const other = nearly(dice, name);
    // One that begins like those that go up is one of them.
    if (
      dice.percent(10) &&
      !/^(openai|x-stainless|x-codex|x-claude-code)-/.test(other) &&
      !PASSED.includes(other)
    )
      headers.append(other, `${MARK} ${value()}`);
  }
  return headers;
}

function check(seed: number): void {
  const dice = new Dice(seed);
  const headers = clientHeaders(dice);
  const provider = PROVIDERS[dice.pick(Object.keys(PROVIDERS))];
  if (provider === undefined) return;
  const isKey = dice.percent(50);
  const protocol = provider.name === "anthropic" ? "messages" : "responses";
  const account = { ...ACCOUNT, provider: provider.name };
  const candidate: Candidate = { account, model: "m", protocol, rank: 0 };
  const ask = { ...ASK, protocol, headers, body: BODY, members: scanObject(BODY) } as const;
  const access = { kind: isKey ? "api_key" : "bearer", secret: SECRET, accountId: "account-id" } as const;
  const request = provider.prepare(candidate, { ask, access, body: BODY });
  const told = `${provider.name}: ${JSON.stringify([...headers])} becomes ${JSON.stringify([...request.headers])}`;
  const sent = [...request.headers];
  if (sent.some(([, value]) => value.includes(MARK)) || request.url.includes(MARK))
    throw new Wrong(`leaks, ${told}`);
  if (sent.filter(([, value]) => value.includes(SECRET)).length !== 1)
    throw new Wrong(`no credential, ${told}`);
  const names = new Set([...answerHeaders(headers).keys()]);
  for (const name of ["set-cookie", "authorization", "connection", "transfer-encoding", "content-length"])
    if (names.has(name)) throw new Wrong(`${name} is answered`);
}

export const headers: Target = {
  name: "headers",
  inputs: 200_000,
  short: 1_000,
  open: () => ({ play: check }),
};
