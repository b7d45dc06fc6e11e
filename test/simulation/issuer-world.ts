// An issuer without a network: refresh tokens that are good for one use, and answers that are late, wrong or lost. It
// knows what each token has been through, which is what the rules of renewing are about.
import type { Random } from "../../src/core/ports.ts";
import type { VirtualClock } from "../support/virtual-clock.ts";
import { must } from "./world.ts";

const LIFE_S = 600;

interface Token {
  readonly account: string;
  /** Its successor has been made. */
  rotated: boolean;
  /** Somebody alive was told the successor. */
  delivered: boolean;
  /** How often it was presented after it was rotated. */
  again: number;
}

/** Who asks: the posts of one that has died end nowhere. */
export interface Asker {
  readonly alive: boolean;
  /** Posts under way, by account. */
  readonly posts: Map<string, number>;
}

class Unreachable extends Error {
  readonly code = "ECONNREFUSED";
}
class Broken extends Error {
  readonly code = "ECONNRESET";
}

/** How an answer fares. */
const FATES = ["good", "good", "good", "good", "slow", "unreachable", "500", "page", "lost", "late"] as const;

export class IssuerWorld {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #tokens = new Map<string, Token>();
  readonly #access = new Map<string, string>();
  readonly #live = new Map<string, string>();
  readonly #revoked = new Set<string>();
  /** Refresh tokens that somebody alive was told. */
  readonly #heard = new Set<string>();
  #made = 0;
  /** From now on nothing goes wrong. */
  isHealed = false;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A person signs in: a new family, and an end of whatever was wrong with the old one. */
  signIn(account: string): { readonly access: string; readonly refresh: string; readonly lifeMs: number } {
    this.#revoked.delete(account);
    const made = this.#mint(account);
    this.#heard.add(made.refresh);
    return { ...made, lifeMs: LIFE_S * 1_000 };
  }

  isAccessOf(account: string, secret: string): boolean {
    return this.#access.get(secret) === account;
  }

  /** The refresh token that is good now; undefined when none is. */
  liveOf(account: string): string | undefined {
    return this.#revoked.has(account) ? undefined : this.#live.get(account);
  }

  /** Whether somebody alive was told the token that is good now. */
  isHeard(account: string): boolean {
    return this.#heard.has(this.#live.get(account) ?? "");
  }

  async post(form: URLSearchParams, asker: Asker, signal: AbortSignal): Promise<Response> {
    const refresh = form.get("refresh_token") ?? "";
    const account = this.#tokens.get(refresh)?.account ?? "";
    const fate = this.isHealed ? "good" : (FATES[Math.floor(this.#random() * FATES.length)] ?? "good");
    if (fate === "unreachable") throw new Unreachable("nobody there");
    asker.posts.set(account, (asker.posts.get(account) ?? 0) + 1);
    try {
      return await this.#answer(refresh, fate, asker, signal);
    } finally {
      asker.posts.set(account, (asker.posts.get(account) ?? 0) - 1);
    }
  }

  async #answer(
    refresh: string,
    fate: (typeof FATES)[number],
    asker: Asker,
    signal: AbortSignal,
  ): Promise<Response> {
    const before = fate === "late" ? 40_000 : fate === "slow" ? 20_000 : 50;
    if (fate === "500" || fate === "page") {
      await this.#wait(before, signal);
      return fate === "500" ? json(500, { error: "server_error" }) : new Response("<html>", { status: 200 });
    }
    const answer = this.#rotate(refresh);
    const token = this.#tokens.get(refresh);
    const made = this.#live.get(token?.account ?? "");
    await this.#wait(before, signal);
    if (fate === "lost") throw new Broken("reset");
    if (token !== undefined && made !== undefined && asker.alive && answer.status === 200) {
      token.delivered = true;
      this.#heard.add(made);
    }
    return answer;
  }

  /** What the issuer does at once, whoever hears of it. */
  #rotate(refresh: string): Response {
    const token = this.#tokens.get(refresh);
    must(token !== undefined, "only tokens that were given out are presented");
    if (token === undefined) return json(400, { error: "invalid_grant" });
    if (token.rotated) {
      token.again += 1;
      must(!token.delivered, "a token whose successor is known is not presented again");
      must(token.again <= 1, "a token that may have been used is presented once more at most");
      this.#revoked.add(token.account);
    }
    if (this.#revoked.has(token.account)) return json(400, { error: "invalid_grant" });
    token.rotated = true;
    const made = this.#mint(token.account);
    const body = { access_token: made.access, refresh_token: made.refresh };
    // Some leave the lifetime out.
    return json(200, this.#random() < 0.8 ? { ...body, expires_in: LIFE_S } : body);
  }

  #mint(account: string): { readonly access: string; readonly refresh: string } {
    this.#made += 1;
    const access = `access-${account}-${this.#made}`;
    const refresh = `refresh-${account}-${this.#made}`;
    this.#access.set(access, account);
    this.#tokens.set(refresh, { account, rotated: false, delivered: false, again: 0 });
    this.#live.set(account, refresh);
    return { access, refresh };
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.#clock.after(ms, resolve);
      signal.addEventListener("abort", () => {
        stop();
        reject(new Broken("aborted"));
      });
    });
  }
}

function json(status: number, body: object): Response {
  return Response.json(body, { status });
}
