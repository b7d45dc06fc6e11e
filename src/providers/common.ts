// What the providers share: addresses, headers, and the statuses that mean the same everywhere.

import type { Account, Protocol } from "../core/account.ts";
import { type Failure, type Fault, GatewayError } from "../core/errors.ts";
import type { Candidate, Errand } from "../core/exchange.ts";
import { requestHeaders } from "../core/headers.ts";
import { type JsonObject, numberAt } from "../core/json.ts";
import { clampWait, goDurationMs, retryAfterMs, secondsMs } from "../core/limits.ts";
import type { Blame, Outcome } from "../core/outcome.ts";
import type { Draft, FailedAnswer, UpstreamRequest, WireError } from "../core/ports.ts";
import { USER_AGENT } from "../core/version.ts";

const PATHS: Readonly<Record<Protocol | "models", string>> = {
  models: "/v1/models",
  messages: "/v1/messages",
  responses: "/v1/responses",
  chat: "/v1/chat/completions",
};

/** The address without a slash at its end. By WebSocket (`wss://`) goes only what the services speak that way. */
export function baseFor({ baseUrl }: Account, protocol: Protocol | "models" | undefined): string {
  const base = baseUrl.replace(/\/+$/, "");
  return protocol === "responses" ? base : base.replace(/^ws/, "http");
}

/** `base_url` and the protocol's path; a base that ends in `/v1` is not doubled. */
export function endpoint(account: Account, protocol: Protocol | "models", errand?: Errand): string {
  const base = baseFor(account, errand === undefined ? protocol : undefined);
  const path = errand?.path ?? PATHS[protocol];
  return base + (base.endsWith("/v1") ? path.slice("/v1".length) : path);
}

/** The request with the client's harmless headers; the provider adds its credential. */
export function prepare(candidate: Candidate, { ask, body }: Draft): UpstreamRequest {
  const headers = requestHeaders(ask.headers);
  headers.set("content-type", "application/json");
  // A compressed stream would be buffered, and what is inflated here is paid for here.
  headers.set("accept-encoding", "identity");
  if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT);
  return { url: endpoint(candidate.account, candidate.protocol, ask.errand) + ask.query, headers, body };
}

/** The upstream's own words, kept for the client. */
export function told(answer: FailedAnswer, nowMs: number): Failure {
  const { error, status } = answer;
  const retryAfter = retryAfterMs(answer.headers, nowMs);
  if (error === undefined && (status < 400 || status > 499)) {
    const message = `the upstream answered ${status} without a readable error`;
    const code = status === 504 ? "upstream_timeout" : "upstream_failed";
    return new GatewayError(code, message, retryAfter === undefined ? {} : { retryAfterMs: retryAfter });
  }
  const fault: Fault = {
    status,
    type: error?.type ?? "invalid_request_error",
    code: error?.code ?? null,
    message: error?.message ?? `the upstream answered ${status}`,
    param: error?.param ?? null,
    retryAfterMs: retryAfter,
    retry: undefined,
  };
  return fault;
}

export function next(fault: Failure, blame: Blame): Outcome {
  return { kind: "next", fault, blame };
}

/** 401, 402, 403: what upstream said of its account is not the client's business. */
export function refused(status: number): Outcome {
  const why = status === 401 ? "did not accept its credential" : `refused it (${status})`;
  const fault = new GatewayError("upstream_refused", `the upstream of the chosen account ${why}`);
  return next(fault, { on: "credential", expired: status === 401 });
}

export function modelMissing(): Outcome {
  const fault = new GatewayError("model_not_found", "no account offers this model");
  return next(fault, { on: "model" });
}

/** A 429 that is a passing limit: the time upstream named, or none. */
export function limited(fault: Failure, scope: "account" | "model", forMs: number | undefined): Outcome {
  return next(fault, { on: "limit", scope, forMs: clampWait(forMs) });
}

/** Statuses that mean the same at every provider, which has looked at 429 and at what it words in its own way before. */
export function commonOutcome(answer: FailedAnswer, nowMs: number): Outcome {
  const { status, error, page } = answer;
  const fault = told(answer, nowMs);
  // A firewall or a proxy answered in place of the service.
  if (page && (status < 400 || status === 403)) return next(fault, { on: "route" });
  // It is the account's proxy that wants to know who we are.
  if (status === 407) return next(fault, { on: "route" });
  if (status === 401 || status === 402 || status === 403) return refused(status);
  if (status === 405 || (status === 404 && (error === undefined || says(error, NO_ENDPOINT))))
    return next(fault, { on: "api" });
  if (status === 404) return theirOwn(fault, error);
  if (status === 408 || status === 409) return next(fault, { on: "account" });
  if (status === 529) return next(fault, { on: "provider" });
  if (status >= 400 && status < 500) return theirOwn(fault, error);
  return next(fault, { on: "account" });
}

/** What is wrong with the request itself. */
function theirOwn(fault: Failure, error: WireError | undefined): Outcome {
  return says(error, STALE) ? { kind: "stop", fault, stale: true } : { kind: "stop", fault };
}

/** The words of frameworks and services for a path that they do not have, at the message's beginning. */
const NO_ENDPOINT =
  /^(?:not found|invalid url|unrecognized request url|unknown (?:path|route|endpoint)|no route|cannot post|(?:the )?(?:path|route|endpoint)\b.{0,100}\bnot (?:found|supported))/i;

/** Sealed reasoning of another account, or of another conversation. */
const STALE =
  /^invalid_encrypted_content$|invalid `?signature`? in `?thinking|^Item with id 'rs_[^']*' not found/i;

/** Whether an error's words match, in type, code or message. */
export function says(error: WireError | undefined, pattern: RegExp): boolean {
  if (error === undefined) return false;
  return pattern.test(error.type) || pattern.test(error.code ?? "") || pattern.test(error.message);
}

// The words that OpenAI's services have in common.

/** Plan or money used up: waiting a minute does not help. */
export const QUOTA =
  /insufficient_quota|billing_hard_limit|usage_limit_reached|usage_not_included|billing_not_active/;
/**
 * A model's absence. At the message's beginning, since further on it may be something the client wrote and the upstream
 * repeats.
 */
export const NO_MODEL =
  /^model_not_found$|^(?:the )?(?:requested )?(?:\S{1,120} )?model\b.{0,200}\b(?:does not exist|not found|not supported|not available)\b/i;
export const OVERLOADED = /server_is_overloaded|slow_down|Selected model is at capacity/;

/** `resets_in_seconds` or `resets_at` (epoch seconds) in an error body. */
export function bodyResetMs(error: JsonObject | undefined, nowMs: number): number | undefined {
  const inMs = secondsMs(numberAt(error, "resets_in_seconds"));
  const at = secondsMs(numberAt(error, "resets_at"));
  if (at !== undefined && at > nowMs) return at - nowMs;
  return inMs === undefined || inMs < 0 ? undefined : inMs;
}

/** "Please try again in 11.05s", the only hint some limits give. */
export function textWaitMs(message: string | undefined): number | undefined {
  const found = /try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)/i.exec(message ?? "");
  return found?.[1] === undefined ? undefined : goDurationMs(found[1]);
}
