// The live state of one exchange: what the steps of the line hand to one another, and what is recorded at its end.

import type { Ask, ClientKey, Errand, ExchangeRecord, Usage } from "../core/exchange.ts";
import { type Failure, GatewayError } from "../core/errors.ts";
import type { Protocol } from "../core/account.ts";
import type { Envelopes } from "../core/envelope.ts";
import type { Prompt } from "../core/hub.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Clock, Codec, Lease } from "../core/ports.ts";
import { promptOf } from "./body.ts";
import { Client } from "./client.ts";

/** An upstream's refusal in the client's own protocol: it goes to the client as it is. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface Arrival {
  readonly request: Request;
  readonly errand: Errand | undefined;
}

export class Exchange {
  /** Begins with the time, so that rows stored under it lie side by side. */
  readonly id = `req_${Bun.randomUUIDv7().replaceAll("-", "")}`;
  readonly request: Request;
  readonly errand: Errand | undefined;
  readonly codec: Codec;
  readonly client: Client;
  readonly startedAt: number;
  readonly startedWall: number;
  key: ClientKey | undefined;
  ask: Ask | undefined;
  /** The account under way, or the last one. */
  lease: Lease | undefined;
  outcome: Outcome | undefined;
  /** What the client is or will be told, if it is not an answer. */
  failure: Failure | undefined;
  refusal: Refusal | undefined;
  /** Of several accounts' failures the one worth telling: a broken upstream rather than a refused credential. */
  mostTelling: Failure | undefined;
  usage: Usage | undefined;
  /** Fields of the request that this try had to leave out, all of them mere hints. */
  dropped: readonly string[] = [];
  /** Whether the request or its answer is changed by the provider, within one protocol. */
  isRewritten = false;
  /** The error event that fits the stream under way. */
  errorEvent: ((failure: Failure) => string) | undefined;
  /** Content has gone to the client: from here nobody takes over. */
  committed = false;
  /** The upstream could not read the reasoning that the request brought: it is sent without. */
  forgets = false;
  /** Failovers so far, and those among them that were charged. */
  switches = 0;
  charged = 0;
  waitedMs = 0;
  firstByteMs: number | undefined;
  /** Of the request's body, once it has been let go of. */
  bytesIn: number | undefined;
  /** Why the gateway itself broke it off. */
  halted: GatewayError | undefined;
  #askedAt: number;
  readonly #abort = new AbortController();
  readonly #attempts: string[] = [];
  #prompt: Prompt | undefined;
  readonly #clock: Clock;

  constructor({ request, errand }: Arrival, codec: Codec, clock: Clock) {
    this.request = request;
    this.errand = errand;
    this.codec = codec;
    this.#clock = clock;
    this.startedAt = clock.now();
    this.#askedAt = this.startedAt;
    this.startedWall = clock.wall();
    const { signal } = request;
    this.client = new Client({ clock, wire: codec.wire, requestId: this.id, signal });
    this.client.onLeave(() => this.#abort.abort());
  }

  get protocol(): Protocol {
    return this.codec.wire.protocol;
  }

  /** The ask in the hub's form, decoded once. @throws GatewayError */
  prompt(ask: Ask, envelopes: Envelopes): Prompt {
    return (this.#prompt ??= promptOf(ask, this.codec, envelopes));
  }

  get elapsedMs(): number {
    return this.#clock.now() - this.startedAt;
  }

  /** Fires when nothing more should be done for this client: it left, or the gateway stops. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the exchange from outside, as a shutdown does: the client is told why. */
  halt(reason: GatewayError): void {
    this.halted ??= reason;
    this.#abort.abort();
  }

  /** From here it waits for a slot. */
  waits(): void {
    this.#askedAt = this.#clock.now();
  }

  /** A slot has been got. */
  begins(lease: Lease): void {
    this.lease = lease;
    this.waitedMs += this.#clock.now() - this.#askedAt;
  }

  tried(lease: Lease, outcome: Outcome): void {
    const how = outcome.kind === "next" || outcome.kind === "cut" ? outcome.blame.on : outcome.kind;
    this.#attempts.push(`${lease.candidate.account.name}:${how}`);
    this.outcome = outcome;
    this.waits();
    if (outcome.kind === "next" && outcome.blame.on !== "credential" && outcome.blame.on !== "model") {
      this.mostTelling = outcome.fault;
    }
  }

  #ending(): string {
    const { outcome, client } = this;
    if (client.left && outcome?.kind !== "ok") return "gone";
    if (outcome === undefined) return "refused";
    return outcome.kind === "next" ? "failed" : outcome.kind;
  }

  record(): ExchangeRecord {
    const { ask, lease, failure, request } = this;
    return {
      id: this.id,
      startedAt: this.startedWall,
      protocol: this.errand?.path ?? this.protocol,
      stream: ask?.stream ?? false,
      key: this.key?.name ?? "",
      model: ask?.model ?? "",
      session: ask?.session ?? "",
      account: lease?.candidate.account.name,
      upstreamModel: lease?.candidate.model,
      upstreamProtocol: lease?.candidate.protocol,
      attempts: this.#attempts,
      status: this.client.status,
      outcome: this.#ending(),
      error: failure instanceof GatewayError ? failure.code : failure?.type,
      usage: this.usage,
      // Whoever never got a slot has waited until now.
      waitedMs: lease === undefined && ask !== undefined ? this.#clock.now() - this.#askedAt : this.waitedMs,
      firstByteMs: this.firstByteMs,
      tookMs: this.elapsedMs,
      bytesIn: this.bytesIn ?? ask?.body.length ?? (Number(request.headers.get("content-length") ?? 0) || 0),
      bytesOut: this.client.bytesOut,
    };
  }
}
