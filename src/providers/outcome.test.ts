// What statuses and error words of both providers amount to: whom an attempt's failure is blamed on.

import { describe, expect, test } from "bun:test";
import { EXTRA_USAGE } from "../core/limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Provider, WireError } from "../core/ports.ts";
import { anthropic } from "./anthropic.ts";
import { openai } from "./openai.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const SECONDS = NOW / 1_000;

interface Told {
  readonly status: number;
  readonly type?: string;
  readonly code?: string;
  readonly message?: string;
  readonly raw?: WireError["raw"];
  readonly headers?: Record<string, string>;
}

function judged(provider: Provider, told: Told): Outcome {
  const { status, type = "some_error", code, message = "words", raw = {}, headers = {} } = told;
  const error: WireError = { status, type, code, message, param: undefined, raw };
  return provider.outcome({ status, headers: new Headers(headers), error, page: false }, NOW);
}

function blame(provider: Provider, told: Told): string {
  const outcome = judged(provider, told);
  if (outcome.kind !== "next") return outcome.kind;
  const { blame: it } = outcome;
  if (it.on === "limit") return `limit ${it.scope} ${it.forMs ?? "bare"}`;
  return it.on === "quota" ? `quota ${it.forMs ?? "bare"}` : it.on;
}

describe("both providers", () => {
  const common: [Told, string][] = [
    [{ status: 400, type: "invalid_request_error" }, "stop"],
    [{ status: 413 }, "stop"],
    [{ status: 422 }, "stop"],
    [{ status: 401 }, "credential"],
    [{ status: 403 }, "credential"],
    [{ status: 408 }, "account"],
    [{ status: 409 }, "account"],
    [{ status: 500 }, "account"],
    [{ status: 502 }, "account"],
    [{ status: 503 }, "account"],
    [{ status: 504 }, "account"],
    [{ status: 529 }, "provider"],
    [{ status: 302 }, "account"],
    [{ status: 429 }, "limit account bare"],
    [{ status: 429, headers: { "retry-after": "7" } }, "limit account 7000"],
    [{ status: 429, headers: { "retry-after-ms": "2500" } }, "limit account 2500"],
  ];
  test.each(common)("%p is %p", (told, wanted) => {
    expect([blame(anthropic, told), blame(openai, told)]).toEqual([wanted, wanted]);
  });

  test("blame the route for a page that is not theirs, the account for a gateway's 502 page", () => {
    for (const provider of [anthropic, openai]) {
      const page = (status: number): Outcome =>
        provider.outcome({ status, headers: new Headers(), error: undefined, page: true }, NOW);
      expect(page(403)).toMatchObject({ kind: "next", blame: { on: "route" } });
      expect(page(200)).toMatchObject({ kind: "next", blame: { on: "route" } });
      expect(page(502)).toMatchObject({ kind: "next", blame: { on: "account" } });
    }
  });

  test("never hand on an upstream's 401 or its words", () => {
    for (const provider of [anthropic, openai]) {
      const outcome = judged(provider, { status: 401, message: "key sk-secret of org-1 is wrong" });
      expect(JSON.stringify(outcome)).not.toContain("sk-secret");
      expect(outcome).toMatchObject({ fault: { code: "upstream_refused" } });
    }
  });
});

describe("anthropic", () => {
  const unified = "anthropic-ratelimit-unified-";
  test.each<[Told, string]>([
    [{ status: 429, headers: { [`${unified}reset`]: String(SECONDS + 600) } }, "limit account 600000"],
    [
      {
        status: 429,
        headers: {
          [`${unified}reset`]: String(SECONDS + 60),
          [`${unified}representative-claim`]: "seven_day_opus",
        },
      },
      "limit model 60000",
    ],
    [
      {
        status: 429,
        headers: {
          "anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:30Z",
          "anthropic-ratelimit-tokens-remaining": "5",
          "anthropic-ratelimit-tokens-reset": "2026-03-01T12:10:00Z",
        },
      },
      "limit account 30000",
    ],
    [{ status: 400, message: "Your credit balance is too low" }, "quota bare"],
    [{ status: 400, message: "Third-party apps are not part of this plan." }, "quota bare"],
    [{ status: 429, message: "Extra usage is required.", headers: { "retry-after": "60" } }, "quota 60000"],
    [{ status: 402, type: "billing_error" }, "quota bare"],
    [{ status: 400, code: "organization_on_hold" }, "credential"],
    [{ status: 404, type: "not_found_error", message: "model: claude-none" }, "model"],
    [{ status: 404, type: "not_found_error", message: "model: claude-spend_limit" }, "model"],
    [{ status: 404, type: "not_found_error", code: "thread_not_found", message: "No thread." }, "stop"],
    [{ status: 400, message: "prompt is too long: 210000 tokens > 200000 maximum" }, "stop"],
  ])("%p is %p", (told, wanted) => {
    expect(blame(anthropic, told)).toBe(wanted);
  });

  test("reads its windows from an answer's headers", () => {
    const headers = new Headers({
      "anthropic-ratelimit-requests-limit": "50",
      "anthropic-ratelimit-requests-remaining": "40",
      "anthropic-ratelimit-requests-reset": "2026-03-01T12:01:00Z",
      [`${unified}5h-utilization`]: "0.42",
      [`${unified}5h-reset`]: String(SECONDS + 60),
      [`${unified}7d-utilization`]: "unknown",
    });
    expect(anthropic.limits(headers, NOW)).toEqual([
      { name: "requests", used: expect.closeTo(0.2), resetAt: NOW + 60_000, source: "header", seenAt: NOW },
      { name: "5h", used: 0.42, resetAt: NOW + 60_000, source: "header", seenAt: NOW },
    ]);
  });
});

describe("anthropic's extra usage", () => {
  const unified = "anthropic-ratelimit-unified-";
  const extra = (headers: Record<string, string>): unknown =>
    anthropic.limits(new Headers(headers), NOW).find(({ name }) => name === EXTRA_USAGE);

  test("is in use, until the plan's own limits start anew, or no more", () => {
    const reset = { [`${unified}reset`]: String(SECONDS + 600) };
    const seen = { name: EXTRA_USAGE, resetAt: NOW + 600_000, source: "header", seenAt: NOW };
    expect(extra({ ...reset, [`${unified}overage-in-use`]: "true" })).toEqual({ ...seen, used: 1 });
    expect(extra({ ...reset, [`${unified}overage-in-use`]: "false" })).toEqual({ ...seen, used: 0 });
  });

  test("is not spoken of when no header does", () => {
    expect(extra({ [`${unified}status`]: "allowed", [`${unified}5h-utilization`]: "1.1" })).toBeUndefined();
  });
});

describe("openai", () => {
  test.each<[Told, string]>([
    [{ status: 429, code: "insufficient_quota" }, "quota bare"],
    [{ status: 429, type: "usage_limit_reached", raw: { resets_at: SECONDS + 90 } }, "quota 90000"],
    [
      { status: 429, type: "usage_limit_reached", raw: { resets_at: SECONDS - 9, resets_in_seconds: 5 } },
      "quota 5000",
    ],
    [
      { status: 429, code: "rate_limit_exceeded", message: "Please try again in 1m2.5s." },
      "limit account 62500",
    ],
    [
      { status: 429, headers: { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s" } },
      "limit account 360000",
    ],
    [
      { status: 429, headers: { "x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "6m0s" } },
      "limit account bare",
    ],
    [{ status: 404, code: "model_not_found" }, "model"],
    [{ status: 404, message: "The model `gpt-none` does not exist" }, "model"],
    [{ status: 404, code: "previous_response_not_found", message: "Previous response not found" }, "stop"],
    [{ status: 503, code: "server_is_overloaded" }, "account"],
    [{ status: 400, code: "context_length_exceeded" }, "stop"],
  ])("%p is %p", (told, wanted) => {
    expect(blame(openai, told)).toBe(wanted);
  });
});
