// One connection to one upstream: sends a request, hands out the answer's bytes, and turns every way in which
// that can break into a BrokenUpstream. Redirects are never followed: they would carry the credential along.

import type { Account } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Blame } from "../core/outcome.ts";
import type { Clock, UpstreamRequest } from "../core/ports.ts";
import { fetchThrough } from "../core/proxy.ts";
import { BrokenUpstream, UNREACHED } from "./broken.ts";
import type { Routes } from "./routes.ts";
import { askBySocket, isSocket, postUrl } from "./upstream-socket.ts";

/** Whole answers and single events are kept in memory; more than this is refused. */
export const MAX_WHOLE = 64 << 20;
const MAX_ERROR_BODY = 64 << 10;
const ERROR_BODY_MS = 2_000;
/** After the terminal event: how long the connection may take to end by itself, to be used again. */
const DRAIN_MS = 2_000;

export interface Head {
  readonly status: number;
  readonly headers: Headers;
}

interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

export interface UpstreamOptions {
  readonly account: Account;
  readonly clock: Clock;
  readonly routes: Routes;
  readonly connectTimeoutMs: number;
  /** Whether the request may be sent once more when a kept connection dies under it. */
  readonly replayable: boolean;
}

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ERR_PROXY_TUNNEL",
]);

/** What a certificate is refused with (OpenSSL's words), or whoever does not speak TLS: nothing has been sent then. */
const UNTRUSTED = /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|EPROTO)/;

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #abort = new AbortController();
  #response: Response | undefined;
  #reader: ByteReader | undefined;
  #broken: BrokenUpstream | undefined;
  #limitMs = 0;
  #since = 0;
  #deaf = false;
  #stopTimer: (() => void) | undefined;
  #stopDeadline: (() => void) | undefined;
  #finished = false;
  #cancelled = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** From now on silence longer than `ms` breaks the connection; `touch` ends a silence. */
  expectWithin(ms: number): void {
    this.#limitMs = ms;
    this.touch();
    this.#stopTimer?.();
    this.#watch(ms);
  }

  /** The whole answer has to be there within `ms` from now, whatever it says meanwhile. */
  finishWithin(ms: number): void {
    this.#stopDeadline = this.#options.clock.after(ms, () => {
      this.#break(this.#brokenBy("upstream_timeout", "the upstream took too long", { on: "account" }));
    });
  }

  touch(): void {
    this.#since = this.#options.clock.now();
  }

  /** Silence is not counted while `work` is under way: it is we who do not listen then. */
  async unheard(work: Promise<void>): Promise<void> {
    const from = this.#options.clock.now();
    this.#deaf = true;
    await work;
    this.#deaf = false;
    this.#since += this.#options.clock.now() - from;
  }

  /** @throws BrokenUpstream */
  async open(request: UpstreamRequest): Promise<Head> {
    const { routes, account } = this.#options;
    const reused = routes.takeIdle(account);
    const unguard = routes.guard(account, this.#options.connectTimeoutMs, (broken) => this.#break(broken));
    try {
      const response = await this.#send(request, reused);
      routes.answered(account);
      this.#response = response;
      this.#refuseTwoLengths(response.headers);
      return { status: response.status, headers: response.headers };
    } catch (thrown) {
      throw this.#reason(thrown, true);
    } finally {
      unguard();
    }
  }

  /** Bun reads the chunks then, another reader on the way may have gone by the length (RFC 9112 §6.3). */
  #refuseTwoLengths(headers: Headers): void {
    if (!headers.has("transfer-encoding") || !headers.has("content-length")) return;
    // What is there in full Bun has read already, and kept its connection.
    this.#options.routes.putIdle(this.#options.account);
    this.#break(
      this.#brokenBy("upstream_failed", "the upstream's answer has two lengths", { on: "account" }),
    );
    throw new Error("two lengths");
  }

  /** A kept connection may have died unseen: then, and only then, the same request is sent once more. */
  async #send(request: UpstreamRequest, reused: boolean): Promise<Response> {
    try {
      return await this.#fetch(request, true);
    } catch (thrown) {
      if (
        !reused ||
        !this.#options.replayable ||
        this.#broken !== undefined ||
        codeOf(thrown) !== "ECONNRESET"
      )
        throw thrown;
      return await this.#fetch(request, false);
    }
  }

  /** An upstream that does not take the socket is asked by a POST. */
  async #fetch(request: UpstreamRequest, keepalive: boolean): Promise<Response> {
    const { proxy } = this.#options.account;
    const { signal } = this.#abort;
    const answer = isSocket(request.url) ? await askBySocket(request, { signal, proxy }) : undefined;
    if (answer !== undefined) return answer;
    return fetchThrough(proxy, postUrl(request.url), {
      method: "POST",
      headers: request.headers,
      body: request.body,
      redirect: "manual",
      signal,
      keepalive,
      timeout: false,
    });
  }

  /** The next bytes, or undefined at the answer's clean end. @throws BrokenUpstream */
  async read(): Promise<Uint8Array | undefined> {
    const reader = (this.#reader ??= this.#response?.body?.getReader());
    try {
      if (reader === undefined) return this.#end();
      const { done, value } = await reader.read();
      return done ? this.#end() : value;
    } catch (thrown) {
      throw this.#reason(thrown, false);
    }
  }

  #end(): undefined {
    this.#finished = true;
  }

  /** All bytes of a whole answer. @throws BrokenUpstream */
  async whole(): Promise<Uint8Array> {
    const length = Number(this.#response?.headers.get("content-length") ?? Number.NaN);
    const plain = (this.#response?.headers.get("content-encoding") ?? "identity") === "identity";
    if (plain && length <= MAX_WHOLE && this.#response !== undefined)
      return await this.#measured(this.#response);
    return this.#gather(MAX_WHOLE, () => {
      throw this.#brokenBy("upstream_failed", "the upstream's answer is too large", { on: "account" });
    });
  }

  /** An answer that says its length needs no reader of its own. */
  async #measured(response: Response): Promise<Uint8Array> {
    try {
      const bytes = await response.bytes();
      this.#finished = true;
      return bytes;
    } catch (thrown) {
      throw this.#reason(thrown, false);
    }
  }

  /** As much of an error's body as comes in 2 s, 64 KiB at most: enough to classify it. */
  async errorBody(): Promise<Uint8Array> {
    this.expectWithin(ERROR_BODY_MS);
    this.#stopTimer?.();
    const chunks: Uint8Array[] = [];
    const late = new Promise<undefined>((resolve) => {
      this.#stopTimer = this.#options.clock.after(ERROR_BODY_MS, () => resolve(undefined));
    });
    try {
      for (let size = 0; size < MAX_ERROR_BODY;) {
        const chunk = await Promise.race([this.read(), late]);
        if (chunk === undefined) break;
        size += chunk.length;
        chunks.push(chunk);
      }
    } catch (thrown) {
      if (!(thrown instanceof BrokenUpstream)) throw thrown;
    }
    // What is left of it is not waited for.
    if (!this.#finished) this.cancel();
    return Buffer.concat(chunks).subarray(0, MAX_ERROR_BODY);
  }

  async #gather(limit: number, onTooLarge: () => never): Promise<Uint8Array> {
    const first = await this.read();
    if (first === undefined) return new Uint8Array(0);
    const chunks = [first];
    let size = first.length;
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) {
      size += chunk.length;
      if (size > limit) onTooLarge();
      chunks.push(chunk);
    }
    return chunks.length === 1 ? first : Buffer.concat(chunks);
  }

  /** Closes the connection at once: the client left, or nothing more is wanted. */
  cancel(): void {
    this.#stopTimers();
    if (!this.#finished) this.#abort.abort();
    this.#cancelled = true;
  }

  /** Done with this answer. A connection that ends cleanly within 2 s may serve again. */
  close(): void {
    this.#stopTimers();
    if (this.#cancelled) return;
    const { routes, account, clock } = this.#options;
    if (this.#finished) return routes.putIdle(account);
    const reader = this.#reader;
    if (reader === undefined || this.#broken !== undefined) return this.cancel();
    // Bun may give the connection to the next request before this one is told of its end.
    routes.putIdle(account);
    const lose = (): void => {
      routes.takeIdle(account);
      this.cancel();
    };
    const stop = clock.after(DRAIN_MS, lose);
    reader.read().then(
      ({ done }) => {
        stop();
        if (!done) return lose();
        this.#finished = true;
      },
      () => {
        stop();
        if (!this.#cancelled) lose();
      },
    );
  }

  #stopTimers(): void {
    this.#stopTimer?.();
    this.#stopDeadline?.();
  }

  #watch(afterMs: number): void {
    this.#stopTimer = this.#options.clock.after(afterMs, () => {
      const silentMs = this.#options.clock.now() - this.#since;
      if (this.#deaf) return this.#watch(this.#limitMs);
      if (silentMs < this.#limitMs) return this.#watch(this.#limitMs - silentMs);
      this.#break(
        this.#brokenBy("upstream_timeout", "the upstream was silent for too long", { on: "account" }),
      );
    });
  }

  #brokenBy(code: "upstream_timeout" | "upstream_failed", message: string, blame: Blame): BrokenUpstream {
    return new BrokenUpstream(new GatewayError(code, message), blame);
  }

  #break(broken: BrokenUpstream): void {
    this.#broken ??= broken;
    this.#abort.abort();
  }

  #reason(thrown: unknown, beforeHead: boolean): BrokenUpstream {
    this.#stopTimers();
    if (this.#broken !== undefined) return this.#broken;
    const cause = { cause: thrown };
    const code = codeOf(thrown);
    if (beforeHead && UNREACHABLE.has(code)) {
      const failure = new GatewayError("upstream_failed", "the upstream could not be reached", cause);
      return (this.#broken = new BrokenUpstream(failure, UNREACHED));
    }
    if (beforeHead && UNTRUSTED.test(code)) {
      const failure = new GatewayError(
        "upstream_failed",
        "no secure connection to the upstream came about",
        cause,
      );
      return (this.#broken = new BrokenUpstream(failure, UNREACHED));
    }
    const what = beforeHead
      ? "the upstream closed the connection without an answer"
      : "the upstream's answer was cut";
    const failure = new GatewayError(beforeHead ? "upstream_failed" : "upstream_cut", what, cause);
    return (this.#broken = new BrokenUpstream(failure, { on: "account" }));
  }
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !("code" in thrown)) return "";
  return typeof thrown.code === "string" ? thrown.code : "";
}
