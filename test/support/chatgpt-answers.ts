// What the ChatGPT backend answers: streams with its own headers and events, and its errors.

import { html, json, sse, type HeaderList, type SseOptions } from "./answers.ts";
import { pick, type JsonObject } from "./json-pick.ts";
import { errorItems, textFrames } from "./made-streams.ts";
import type { SseItem } from "./sse-text.ts";
import type { Answer } from "./upstream.ts";

export interface QuotaWindow {
  readonly usedPercent: number;
  readonly minutes: number;
  /** Epoch seconds. */
  readonly resetAt: number;
}

export interface Quota {
  /** The short window (5 hours) and the long one (a week). */
  readonly primary?: QuotaWindow;
  readonly secondary?: QuotaWindow;
  readonly credits?: { readonly has: boolean; readonly unlimited: boolean; readonly balance: string };
}

export interface StreamOptions extends SseOptions {
  readonly pieces?: readonly string[];
  readonly id?: string;
  readonly model?: string;
  /** Whether `response.completed` repeats the output items, or leaves the list empty as this backend may. */
  readonly output?: "empty" | "whole";
  readonly quota?: Quota;
  /** Says the quota in a `codex.rate_limits` event before everything else, too. */
  readonly quotaEvent?: boolean;
  /** Events put in before the text. */
  readonly asides?: readonly SseItem[];
}

export function quotaHeaders({ primary, secondary, credits }: Quota): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [place, window] of [["primary", primary] as const, ["secondary", secondary] as const]) {
    if (window === undefined) continue;
    headers[`x-codex-${place}-used-percent`] = String(window.usedPercent);
    headers[`x-codex-${place}-window-minutes`] = String(window.minutes);
    headers[`x-codex-${place}-reset-at`] = String(window.resetAt);
  }
  if (credits === undefined) return headers;
  return {
    ...headers,
    "x-codex-credits-has-credits": credits.has ? "True" : "False",
    "x-codex-credits-unlimited": credits.unlimited ? "True" : "False",
    "x-codex-credits-balance": credits.balance,
  };
}

/** The same in a stream. */
export function quotaItem({ primary, secondary, credits }: Quota): SseItem {
  const window = (of: QuotaWindow | undefined): JsonObject | null =>
    of === undefined
      ? null
      : { used_percent: of.usedPercent, window_minutes: of.minutes, reset_at: of.resetAt };
  const data = {
    type: "codex.rate_limits",
    plan_type: "plus",
    rate_limits: {
      allowed: true,
      limit_reached: false,
      primary: window(primary),
      secondary: window(secondary),
    },
    credits:
      credits === undefined
        ? null
        : { has_credits: credits.has, unlimited: credits.unlimited, balance: credits.balance },
  };
  return { event: data.type, data };
}

/** A good stream. */
export function chatgptStream(options: StreamOptions = {}): Answer {
  const { pieces = ["Hello", " there."], quota = {}, output = "empty" } = options;
  const frames = textFrames("responses", {
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(options.model === undefined ? {} : { model: options.model }),
  });
  const items = [
    ...(options.quotaEvent === true ? [quotaItem(quota)] : []),
    ...frames.start,
    ...(options.asides ?? []),
    ...frames.open,
    ...pieces.map((piece) => frames.delta(piece)),
    ...frames.close(pieces.join("")),
  ];
  return sse(output === "whole" ? items : items.map(withoutOutput), {
    ...options,
    headers: { ...backendHeaders(quota), ...asRecord(options.headers) },
  });
}

/** A stream that fails in it: by `error` at once, or by `response.failed` after it has begun. */
export function failingStream(
  how: "error" | "response.failed",
  error: { readonly code: string; readonly message?: string; readonly [member: string]: unknown },
  quota: Quota = {},
): Answer {
  const message = error.message ?? "scripted";
  const failed =
    how === "error"
      ? [{ event: "error", data: { type: "error", error: { type: error.code, ...error, message } } }]
      : [...textFrames("responses").start, ...errorItems("responses", { code: error.code, message })];
  return sse(failed, { headers: backendHeaders(quota) });
}

/** Its refusals, each as an answer. Times are epoch seconds. */
export const FAILURES = {
  usageLimit: (
    when: { readonly resetsAt?: number; readonly resetsInSeconds?: number } = {},
    quota: Quota = {},
  ): Answer =>
    failure(
      429,
      {
        type: "usage_limit_reached",
        message: "The usage limit has been reached",
        plan_type: "plus",
        ...(when.resetsAt === undefined ? {} : { resets_at: when.resetsAt }),
        ...(when.resetsInSeconds === undefined ? {} : { resets_in_seconds: when.resetsInSeconds }),
      },
      quotaHeaders(quota),
    ),
  usageNotIncluded: (): Answer =>
    failure(429, { type: "usage_not_included", message: "Usage is not included in this plan" }),
  rateLimit: (seconds = 11.05): Answer =>
    failure(429, {
      type: "tokens",
      code: "rate_limit_exceeded",
      message: `Rate limit reached. Please try again in ${seconds}s.`,
    }),
  capacity: (status = 503): Answer =>
    failure(status, { type: "server_error", message: "Selected model is at capacity. Please try another." }),
  overloaded: (): Answer =>
    failure(503, { type: "service_unavailable_error", code: "server_is_overloaded", message: "Overloaded" }),
  slowDown: (): Answer =>
    failure(503, { type: "service_unavailable_error", code: "slow_down", message: "Slow down" }),
  staleReasoning: (): Answer =>
    failure(400, {
      type: "invalid_request_error",
      code: "invalid_encrypted_content",
      param: "input",
      message: "The encrypted content could not be verified",
    }),
  contextLength: (): Answer =>
    failure(400, {
      type: "invalid_request_error",
      code: "context_length_exceeded",
      param: "input",
      message: "The input exceeds the context window",
    }),
  detail: (text: string): Answer => json(400, { detail: text }),
  details: (...loc: readonly string[]): Answer =>
    json(400, { detail: [{ type: "missing", loc: ["body", ...loc], msg: "Field required", input: null }] }),
  unauthorized: (code = "token_expired"): Answer =>
    failure(
      401,
      { type: null, code, message: "The token is not accepted" },
      {
        "x-openai-authorization-error": code,
      },
    ),
  firewall: (): Answer =>
    html(403, "<html><title>Just a moment</title><h1>Are you human?</h1></html>", { server: "cloudflare" }),
} as const;

/** What comes with every answer of the backend, besides the quota. */
function backendHeaders(quota: Quota): Record<string, string> {
  return {
    ...quotaHeaders(quota),
    "x-models-etag": '"models-1"',
    "x-reasoning-included": "true",
    "x-request-id": "req-backend",
    "cf-ray": "0000000000000000-TST",
  };
}

function failure(status: number, error: JsonObject, headers: HeaderList = {}): Answer {
  return json(status, { error }, headers);
}

function withoutOutput(item: SseItem): SseItem {
  const response = pick(item.data, "response");
  if (item.event !== "response.completed" || typeof response !== "object") return item;
  return { ...item, data: { ...asObject(item.data), response: { ...response, output: [] } } };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

function asRecord(headers: HeaderList | undefined): Record<string, string> {
  return Object.fromEntries(Array.isArray(headers) ? headers : Object.entries(headers ?? {}));
}
