// The interfaces the edges fill. Every time and every wait goes through Clock, every random choice
// through Random, so that the pool runs under virtual time in tests.

import type { Access, Account, Protocol } from "./account.ts";
import type { Fault, GatewayError } from "./errors.ts";
import type { Ask, Candidate, ExchangeRecord, Usage } from "./exchange.ts";
import type { Fields, Writes } from "./fields.ts";
import type { Prompt, StreamEvent } from "./hub.ts";
import type { JsonObject, Members } from "./json.ts";
import type { LimitWindow } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import type { Parts } from "./parts.ts";
import type { SseFrame } from "./sse.ts";

export interface Clock {
  /** Monotonic ms; deadlines and cooldowns are kept in it, so that a stepped wall clock moves nothing. */
  now(): number;
  /** Epoch ms, for showing and storing. */
  wall(): number;
  /** Runs `work` once after `ms`; returns what cancels it. */
  after(ms: number, work: () => void): () => void;
}

/** A number in [0, 1). */
export type Random = () => number;

/** What one frame means to a relay that passes it on. */
export type FrameKind =
  /** Names the answer but says nothing yet: `message_start`, `response.created`, a chunk with a role only. */
  | "prelude"
  | "content"
  /** The answer is complete but for what may follow it (Chat's `finish_reason`). */
  | "finish"
  /** The terminal success marker. */
  | "end"
  | "error"
  /** Pings, keep-alives, comments and everything unknown that commits to nothing. */
  | "aside";

/** An error that an upstream told, in a body or in a stream, in the upstream's own words. */
export interface WireError {
  /** The HTTP status, or what an error event amounts to; undefined when the event does not say. */
  readonly status: number | undefined;
  readonly type: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly param: string | undefined;
  /** The whole error object, for hints that only one provider gives. */
  readonly raw: JsonObject;
}

/** One wire format as a relay needs to know it to pass it on unchanged. Pure and synchronous. */
export interface Wire {
  readonly protocol: Protocol;
  readonly family: "anthropic" | "openai";
  /** What holds a silent client's connection; complete frames. */
  readonly keepAlive: string;
  kind(frame: SseFrame): FrameKind;
  /** Token counts in a stream event's data or in a whole answer; later ones win member by member. */
  usage(data: JsonObject): Partial<Usage> | undefined;
  /** Whether `usage` can find anything in this frame: cheap, asked before the data is parsed. */
  mayCount(frame: SseFrame): boolean;
  /** The id under which a later request may continue this answer (Responses only). */
  responseId(data: JsonObject): string | undefined;
  /** Whether a 200's body is an answer of this protocol at all. */
  isAnswer(data: JsonObject): boolean;
  /** Reads an error body or the data of an error event; undefined when it is none. */
  error(data: JsonObject): WireError | undefined;
  /** The error body of a non-streaming answer. */
  errorBody(fault: Fault, requestId: string): JsonObject;
  /**
   * The event that ends a stream that failed, as text on the wire. `responseId` is the id the stream has
   * begun with, where the protocol has one and the relay saw it.
   */
  errorEvent(fault: Fault, requestId: string, responseId?: string): string;
  /** A whole answer as the stream that would have carried it. */
  unfold(answer: JsonObject): string;
  /** Collects a stream into the whole answer it carries. */
  folder(): Folder;
  /**
   * A request without what this gateway has put into earlier answers and no upstream knows, such as reasoning of
   * another vendor, and without what another account has sealed. Cheap where there is nothing to leave out.
   * @param isForeign whether another account has sealed it; undefined when none has
   */
  leaveOut(body: Uint8Array, members: Members, isForeign: IsForeign | undefined): Edited;
  /** What an answer, or one of its events, holds that only the account it came from can read when it comes back. */
  seals(data: JsonObject): readonly string[];
}

/** @param sealed as it stands in the request */
export type IsForeign = (sealed: string) => boolean;

/** A body with edits, and the names of the hints that went with them. */
export interface Edited {
  readonly body: Uint8Array;
  readonly dropped: readonly string[];
}

export interface Folder {
  push(frame: SseFrame): void;
  /** The whole answer, once the end has come; undefined before. */
  answer(): JsonObject | undefined;
}

/** Turns one wire format into the hub and back. Pure, synchronous, deterministic. */
export interface Translator {
  /** What a client of this protocol may send. */
  readonly fields: Fields;
  /** Where a body of this protocol has what any client may wish for. */
  readonly writes: Writes;
  /** What it makes of each part of a conversation. */
  readonly parts: Parts;
  /** @throws GatewayError `invalid_request` or `unsupported_field` (with `param`) */
  decodeRequest(body: JsonObject): Prompt;
  /** @throws GatewayError `unsupported_field` for what cannot be carried and would change the answer */
  encodeRequest(prompt: Prompt, target: EncodeTarget): JsonObject;
  /** A fresh machine for one upstream stream. */
  decoder(): StreamDecoder;
  /** A fresh machine for one client stream that answers `prompt`. */
  encoder(prompt: Prompt, context: EncodeContext): StreamEncoder;
  decodeAnswer(answer: JsonObject): readonly StreamEvent[];
  encodeAnswer(events: readonly StreamEvent[], prompt: Prompt, context: EncodeContext): JsonObject;
}

export interface EncodeTarget {
  /** The model name to send. */
  readonly model: string;
  readonly stream: boolean;
}

export interface EncodeContext {
  /** The model name the client is to see. */
  readonly model: string;
  /** Epoch seconds for `created`. */
  readonly createdAt: number;
  /** The gateway's request id; ids the client needs are derived from it or from the upstream's. */
  readonly requestId: string;
}

export interface StreamDecoder {
  push(frame: SseFrame): readonly StreamEvent[];
  /** The upstream's clean end: closes what may be closed, or yields an `error` event when the end was missing. */
  end(): readonly StreamEvent[];
}

export interface StreamEncoder {
  /** Text on the wire; "" when the event has no counterpart. */
  push(event: StreamEvent): string;
}

/** One entry of the table of protocols. */
export interface Codec {
  readonly wire: Wire;
  /** Undefined while a protocol can only be passed through. */
  readonly translator: Translator | undefined;
}

/** A request ready to be sent. */
export interface UpstreamRequest {
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Fields of the body that had to go and were only hints; the client is told their names. */
  readonly dropped?: readonly string[];
}

/** The head of an upstream's answer that failed, and as much of its body as was read. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly error: WireError | undefined;
  /** True when the body was neither JSON nor an event: a proxy's or a firewall's page. */
  readonly page: boolean;
}

/** Where an ask is sent, and as whom; one file per upstream service. */
export interface Provider {
  readonly name: string;
  /** @throws GatewayError `unsupported_field` for what this service cannot do and would change the answer */
  prepare(candidate: Candidate, draft: Draft): UpstreamRequest;
  /** Statuses, error bodies and error events in our words. `nowMs` is epoch ms. */
  outcome(answer: FailedAnswer, nowMs: number): Outcome;
  /** How the account is asked for its models. */
  models(account: Account, access: Access): Omit<UpstreamRequest, "body">;
  /** What any answer's headers say about quotas. `nowMs` is epoch ms. */
  limits(headers: Headers, nowMs: number): readonly LimitWindow[];
  /**
   * Events of this service's own that no protocol knows: they are kept from clients. What they say about quotas, or
   * undefined for every other frame.
   */
  aside?(frame: SseFrame, nowMs: number): readonly LimitWindow[] | undefined;
  /**
   * A fresh machine that mends one stream of this service for a client of the same protocol: it hands on each frame as
   * it is, or another in its place. Undefined where nothing is to be mended.
   */
  mend?(ask: Ask): ((frame: SseFrame) => SseFrame) | undefined;
}

/** A request before its provider has put it into the form its service wants. */
export interface Draft {
  readonly ask: Ask;
  readonly access: Access;
  /** The ask's body with all edits, in the candidate's protocol. */
  readonly body: Uint8Array;
}

/** A slot of an account, taken; given back exactly once. A second release does nothing. */
export interface Lease {
  readonly candidate: Candidate;
  /** Whether the conversation has been at another account: what that one has sealed means nothing here. */
  readonly moved: boolean;
  /** Tells that it has: the upstream did not know what the request brought. */
  disown(): void;
  /** Whether another account could take the request over at once. */
  hasOthers(): boolean;
  release(outcome: Outcome): void;
}

/** What the records remember over a restart on behalf of the pool. Keys are unique per `kind`. */
export interface SavedState {
  readonly kind: "sticky" | "cooldown" | "response";
  readonly key: string;
  readonly value: string;
  /** Epoch ms; rows past it are dropped. */
  readonly expiresAt: number;
}

/** Durable store. Nothing here is awaited by a request: writes are queued and flushed in batches. */
export interface Records {
  append(record: ExchangeRecord): void;
  /** Adds or replaces; an `expiresAt` in the past removes. */
  save(state: SavedState): void;
  load(kind: SavedState["kind"], now: number): readonly SavedState[];
  /** Writes everything queued. */
  flush(): void;
  close(): void;
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly fields?: Readonly<Record<string, string | number | boolean | null | undefined>>;
}

/** Never throws, never blocks; masks secrets. */
export type Log = (line: LogLine) => void;

/** How the pool sees an account, for health pages. */
export interface AccountStatus {
  readonly account: Account;
  readonly state: "ready" | "busy" | "cooling" | "needs_login" | "disabled";
  readonly reason: string | undefined;
  /** Epoch ms at which `cooling` is expected to end. */
  readonly until: number | undefined;
  readonly active: number;
  readonly limits: readonly LimitWindow[];
}

/** The live accounts, as the request line sees them. */
export interface AccountPool {
  /**
   * Leases in the order in which accounts should be tried, each account at most once; waits for a slot when
   * all are busy. Done when nobody is left; throws when nobody could serve from the start.
   * @throws GatewayError model_not_found, pool_cooling, pool_unavailable, pool_busy
   */
  candidates(ask: Ask, options: CandidateOptions): AsyncGenerator<Lease, void>;
  /** Content has begun to flow: the session belongs to this account now. */
  committed(lease: Lease, ask: Ask, firstEventMs: number): void;
  /** A later request may continue this response; it lives at that account. */
  issued(responseId: string, account: Account): void;
  observe(account: Account, windows: readonly LimitWindow[]): void;
  /** Why nobody can serve this ask now; undefined when somebody could. */
  verdict(ask: Ask, options: CandidateOptions): GatewayError | undefined;
  /** Takes one transient retry from the budget of that origin and key; false when it is empty. */
  mayRetry(origin: string, key: string): boolean;
}

export interface CandidateOptions {
  /** Whether a client's protocol can be served over an upstream's. */
  readonly codecs: (from: Protocol, to: Protocol) => boolean;
  readonly signal: AbortSignal;
}
