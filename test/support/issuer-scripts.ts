// The common ways in which a token endpoint goes wrong, by name, and the queue that deals them out.

import type { IssuerScript, IssuerStep, ScriptedAnswer } from "./issuer-types.ts";

const PAGE = "<!doctype html><title>One moment</title><h1>One moment</h1>";

/** An error as OAuth words it (RFC 6749 §5.2). */
export function oauthError(code: string, description = "scripted", status = 400): ScriptedAnswer {
  return { status, json: { error: code, error_description: description } };
}

/** An error as this issuer words those of refresh tokens. */
export function codedError(code: string, status = 401, message = "scripted"): ScriptedAnswer {
  return { status, json: { error: { message, type: "invalid_request_error", param: null, code } } };
}

export const SCRIPTS = {
  normal: {},
  silence: { answer: "silence" },
  drop: { answer: "drop" },
  hangUp: { answer: "hang-up" },
  /** The old refresh token is used up, and the client never hears of the new one. */
  lost: { answer: "drop", rotate: true },
  lostInSilence: { answer: "silence", rotate: true },
  held: { wait: "release" },
  /** As `held`, but the old token is used up while the answer waits. */
  heldAfter: { wait: "release", waitAt: "after" },
  invalidGrant: { answer: oauthError("invalid_grant") },
  reused: { answer: codedError("refresh_token_reused") },
  expired: { answer: codedError("refresh_token_expired") },
  invalidated: { answer: codedError("refresh_token_invalidated") },
  broken: { answer: { status: 500, json: { error: { message: "scripted", code: "server_error" } } } },
  unavailable: { answer: { status: 503, json: { error: "temporarily_unavailable" } } },
  tooMany: { answer: { status: 429, json: { error: "slow_down" }, headers: { "retry-after": "7" } } },
  page: { answer: { status: 200, html: PAGE } },
  badGateway: { answer: { status: 502, html: PAGE } },
  notJson: { answer: { status: 200, json: "{]" } },
  emptyObject: { answer: { status: 200, json: {} } },
  withoutExpiry: { answer: { without: ["expires_in"] } },
  withoutId: { answer: { without: ["id_token"] } },
  withoutRefresh: { answer: { without: ["refresh_token"] } },
  withoutType: { answer: { without: ["token_type"] } },
  withoutAccess: { answer: { without: ["access_token"] } },
  expiryAsText: { answer: { replace: { expires_in: "3600" } } },
  /** Only what a refresh must have: everything else is to be kept. */
  bare: { answer: { without: ["id_token", "refresh_token", "token_type", "expires_in"] } },
  opaque: { opaqueAccess: true },
  opaqueWithoutExpiry: { opaqueAccess: true, answer: { without: ["expires_in"] } },
} as const satisfies Record<string, IssuerScript>;

/** Scripts, first come first served among those that fit a step. */
export class ScriptQueue {
  readonly #scripts: IssuerScript[] = [];
  #always: IssuerScript = {};
  readonly #held = new Set<() => void>();
  readonly #timers = new Set<() => void>();
  #open = true;

  get left(): number {
    return this.#scripts.length;
  }

  get waiting(): number {
    return this.#held.size;
  }

  add(scripts: readonly IssuerScript[]): void {
    this.#scripts.push(...scripts);
  }

  setAlways(script: IssuerScript): void {
    this.#always = script;
  }

  take(step: IssuerStep | undefined): IssuerScript {
    const place = this.#scripts.findIndex((script) => fits(script, step));
    const [script] = place < 0 ? [] : this.#scripts.splice(place, 1);
    return script ?? (fits(this.#always, step) ? this.#always : {});
  }

  /** Waits as a script says, at the side it says. The client's leaving does not end it. */
  async wait(script: IssuerScript, side: "before" | "after"): Promise<void> {
    if (script.wait === undefined || (script.waitAt ?? "before") !== side || !this.#open) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = script.wait === "release" ? this.#held : this.#timers;
    waiters.add(resolve);
    const timer = script.wait === "release" ? undefined : setTimeout(resolve, script.wait);
    await promise;
    clearTimeout(timer);
    waiters.delete(resolve);
  }

  release(): void {
    for (const go of [...this.#held]) go();
    this.#held.clear();
  }

  /** Lets everything go that waits. */
  close(): void {
    this.#open = false;
    this.release();
    for (const go of [...this.#timers]) go();
  }
}

function fits(script: IssuerScript, step: IssuerStep | undefined): boolean {
  if (script.on !== undefined) return script.on === step;
  return step === undefined || step === "authorization_code" || step === "refresh_token";
}
