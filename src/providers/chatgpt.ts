// The backend behind ChatGPT subscriptions (chatgpt.com/backend-api/codex, Responses only), as whoever signed the
// account in. It is not a public API: what is here is what its own client sends and reads.

import type { Access, Account } from "../core/account.ts";
import { type Failure, GatewayError } from "../core/errors.ts";
import type { Ask, Candidate, Errand } from "../core/exchange.ts";
import { labelOf } from "../core/frame-peek.ts";
import { type Members, member, parseObject, scanObject, valueAt } from "../core/json.ts";
import { clampWait, type LimitWindow, retryAfterMs } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Draft, FailedAnswer, Provider, UpstreamRequest } from "../core/ports.ts";
import type { SseFrame } from "../core/sse.ts";
import { USER_AGENT, VERSION } from "../core/version.ts";
import { readError } from "../core/wire-error.ts";
import { forBackend } from "./chatgpt/body.ts";
import { chatName } from "./chatgpt/fields.ts";
import { bindsModel, eventWindows, headerWindows, usedUpMs } from "./chatgpt/limits.ts";
import { fillEnd } from "./chatgpt/output.ts";
import {
  baseFor,
  bodyResetMs,
  commonOutcome,
  limited,
  modelMissing,
  next,
  NO_MODEL,
  OVERLOADED,
  prepare,
  QUOTA,
  says,
  textWaitMs,
  told,
} from "./common.ts";

const ORIGINATOR = "sub2api_simple";
const AT_CAPACITY = /^Selected model is at capacity/;
/** The plan has no part in this service; nothing changes that by itself. */
const NOT_INCLUDED = /usage_not_included/;
const NOT_INCLUDED_MS = 24 * 3_600_000;
/** Where a refusal in plain text names the field. */
const NAMED_FIELD =
  /^(?:unsupported|unknown|invalid|missing required) (?:parameter|value|field): ['"`]?([\w.[\]-]{1,100})/i;
const MAX_HEADER_ERROR = 16_384;
/** What a header can carry and a cache key may be. */
const PLAIN_KEY = /^[\x21-\x7e]{1,64}$/;

export const chatgpt: Provider = {
  name: "chatgpt",

  prepare(candidate: Candidate, draft: Draft) {
    const { ask, access } = draft;
    const { headers } = prepare(candidate, draft);
    sign(headers, access);
    headers.set("accept", "text/event-stream");
    if (!headers.has("originator")) headers.set("originator", ORIGINATOR);
    if (ask.errand !== undefined) return errandOf(candidate, ask.errand, headers, draft.body);
    const members = draft.body === ask.body ? ask.members : scanObject(draft.body);
    const conversation = conversationOf(ask, headers, draft.body, members);
    if (sessionIn(headers) === undefined) headers.set("session_id", conversation);
    const manner = { conversation, codex: isCodex(ask), nameOf: (field: string) => nameFor(ask, field) };
    return {
      url: `${baseFor(candidate.account, "responses")}/responses`,
      headers,
      ...forBackend(draft.body, members, manner),
    };
  },

  models(account: Account, access: Access) {
    const headers = new Headers({ "user-agent": USER_AGENT, originator: ORIGINATOR });
    sign(headers, access);
    return { url: `${baseFor(account, "models")}/models?client_version=${VERSION}`, headers };
  },

  outcome(given: FailedAnswer, nowMs: number): Outcome {
    const answer = withHeaderError(given);
    const { status, error, headers } = answer;
    if ((status === 404 || status === 400 || status === 403) && says(error, NO_MODEL)) return modelMissing();
    const isFull = (status === 429 || status >= 500) && says(error, OVERLOADED);
    if (isFull || says(error, AT_CAPACITY)) return next(told(answer, nowMs), { on: "account" });
    if (status !== 429 && status !== 402 && status !== 403)
      return explained(commonOutcome(answer, nowMs), answer);
    const wait =
      bodyResetMs(error?.raw, nowMs) ??
      retryAfterMs(headers, nowMs) ??
      usedUpMs(headers, nowMs) ??
      textWaitMs(error?.message);
    const fault = waiting(told(answer, nowMs), wait);
    if (says(error, NOT_INCLUDED)) return next(fault, { on: "quota", forMs: NOT_INCLUDED_MS });
    const isModels = bindsModel(headers);
    if (says(error, QUOTA) && !isModels) return next(fault, { on: "quota", forMs: wait });
    if (says(error, QUOTA) || status === 429) return limited(fault, isModels ? "model" : "account", wait);
    return commonOutcome(answer, nowMs);
  },

  limits: headerWindows,

  aside(frame: SseFrame, nowMs: number): readonly LimitWindow[] | undefined {
    const label = labelOf(frame, isNamed);
    const type = label?.name === "" ? label.type : label?.name;
    if (type === undefined || !type.startsWith("codex.")) return undefined;
    return type === "codex.rate_limits" ? eventWindows(parseObject(frame.data ?? "") ?? {}, nowMs) : [];
  },

  // Codex reads the items as they come.
  mend: (ask) => (isCodex(ask) ? undefined : fillEnd()),
};

/** Made for this service by its own client: as it is. */
function errandOf(
  { account }: Candidate,
  { path }: Errand,
  headers: Headers,
  body: Uint8Array,
): UpstreamRequest {
  headers.set("accept", "application/json");
  return { url: `${baseFor(account, undefined)}${path.replace(/^\/v1/, "")}`, headers, body };
}

const isNamed = (name: string): boolean => name !== "";

function sign(headers: Headers, { secret, accountId }: Access): void {
  headers.set("authorization", `Bearer ${secret}`);
  if (accountId !== undefined) headers.set("chatgpt-account-id", accountId);
}

/** Codex in its own protocol: what it sends is made for this service. */
function isCodex({ protocol, headers }: Ask): boolean {
  return (
    protocol === "responses" && /^codex/i.test(headers.get("originator") ?? headers.get("user-agent") ?? "")
  );
}

function nameFor({ protocol, members }: Ask, field: string): string {
  return protocol === "chat" ? chatName(field, (key) => member(members, key) !== undefined) : field;
}

function sessionIn(headers: Headers): string | undefined {
  return headers.get("session_id") ?? headers.get("session-id") ?? undefined;
}

/** One name for the conversation, in the header as in the body: what the client calls it, else a hash of ours. */
function conversationOf(ask: Ask, headers: Headers, body: Uint8Array, members: Members): string {
  const key = member(members, "prompt_cache_key");
  const given = key === undefined ? undefined : valueAt(body, key);
  const named = [given, sessionIn(headers)].find((name) => typeof name === "string" && PLAIN_KEY.test(name));
  return typeof named === "string" ? named : ask.session;
}

/** An error that only a header tells (`x-error-json`, base64), behind a body that is none. */
function withHeaderError(answer: FailedAnswer): FailedAnswer {
  const encoded = answer.headers.get("x-error-json");
  if (answer.error !== undefined || encoded === null || encoded.length > MAX_HEADER_ERROR) return answer;
  const data = parseObject(Buffer.from(encoded, "base64").toString("utf8"));
  const error = data === undefined ? undefined : readError(data);
  return error === undefined ? answer : { ...answer, error, page: false };
}

function waiting(fault: Failure, waitMs: number | undefined): Failure {
  if (fault instanceof GatewayError || fault.retryAfterMs !== undefined) return fault;
  return { ...fault, retryAfterMs: clampWait(waitMs) };
}

/** The service's framework refuses in plain text (`{"detail":…}`), without a type and without naming the field apart. */
function explained(outcome: Outcome, { error }: FailedAnswer): Outcome {
  if (outcome.kind !== "stop" || outcome.fault instanceof GatewayError) return outcome;
  const { fault } = outcome;
  const param = fault.param ?? NAMED_FIELD.exec(fault.message)?.[1] ?? null;
  const type = error?.raw["type"] === undefined ? "invalid_request_error" : fault.type;
  return { ...outcome, fault: { ...fault, type, param } };
}
