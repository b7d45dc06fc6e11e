// One client request and every try at answering it: what is known of it while it runs and recorded at its end.

import type { Account, Platform, Protocol } from "./account.ts";
import type { Members } from "./json.ts";

/** Tokens in disjoint buckets: `input` is what no cache served. Undefined counts were not reported. */
export interface Usage {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** Output including reasoning. */
  readonly output: number;
  readonly reasoning: number;
}

/** A client key as the configuration describes it; only the hash of its token is kept. */
export interface ClientKey {
  readonly name: string;
  /** Names or globs it may ask for; undefined: all. */
  readonly models: readonly string[] | undefined;
  readonly concurrency: number | undefined;
  readonly requestsPerMinute: number | undefined;
  /** Share of the queue against other keys. */
  readonly weight: number;
}

/** A request for something else than the answer to a conversation: it and its answer are passed on as they are. */
export interface Errand {
  /** Behind an account's address, e.g. `/v1/embeddings`. */
  readonly path: string;
  /** Only API-key accounts of this platform; undefined: those that speak the protocol. */
  readonly platform?: Platform;
  /** A mere question: it takes no slot, and nothing that comes of it is held against an account. */
  readonly free?: boolean;
}

/** A client's request, read and checked once; every attempt starts from it. */
export interface Ask {
  readonly protocol: Protocol;
  readonly errand: Errand | undefined;
  readonly key: ClientKey;
  /** The model as the client names it. */
  readonly model: string;
  /** What to look for in the pool, in order: the model itself, or what its alias stands for. */
  readonly models: readonly string[];
  readonly stream: boolean;
  /** The decoded body, as the client sent it; let go of once nobody else will be asked (`letGo`). */
  body: Uint8Array;
  members: Members;
  readonly headers: Headers;
  /** With its `?`, or "". */
  readonly query: string;
  /** Which conversation this is (see core/session.ts), scoped to the client key. */
  readonly session: string;
  /** The response this one continues; it lives at the account that made it. */
  readonly previousResponse: string | undefined;
  /** Whether it holds what only the account it came from can read, and what cannot be left out: a compaction. */
  readonly pinned: boolean;
  /** Whether a later request may continue the answer by its id. */
  readonly continuable: boolean;
  /** False when a second try could have a second effect upstream (stored or background responses). */
  readonly replayable: boolean;
}

const NOTHING = new Uint8Array(0);
const NO_MEMBERS: Members = { start: 0, end: 0, list: [] };

/** An agent's request has hundreds of kilobytes, and its answer may take minutes. */
export function letGo(ask: Ask): void {
  ask.body = NOTHING;
  ask.members = NO_MEMBERS;
}

/** An account that may serve an ask, and how. */
export interface Candidate {
  readonly account: Account;
  /** The model name it is sent. */
  readonly model: string;
  /** The protocol it is sent in. */
  readonly protocol: Protocol;
  /** Position in `Ask.models`: an alias's names are tried in order. */
  readonly rank: number;
}

/** The row an exchange leaves behind. Times are epoch ms, durations ms. */
export interface ExchangeRecord {
  readonly id: string;
  readonly startedAt: number;
  /** The client's protocol, or the path of what was passed on as it was. */
  readonly protocol: string;
  readonly stream: boolean;
  readonly key: string;
  readonly model: string;
  readonly session: string;
  readonly account: string | undefined;
  readonly upstreamModel: string | undefined;
  readonly upstreamProtocol: Protocol | undefined;
  /** e.g. `["a:limit", "b:ok"]`, in order. */
  readonly attempts: readonly string[];
  readonly status: number;
  /** `ok`, `stop`, `failed`, `cut`, `gone` or `refused`. */
  readonly outcome: string;
  /** The gateway's error code or the upstream's error type, when it failed. */
  readonly error: string | undefined;
  readonly usage: Usage | undefined;
  readonly waitedMs: number;
  readonly firstByteMs: number | undefined;
  readonly tookMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
