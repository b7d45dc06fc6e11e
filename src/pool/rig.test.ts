// A pool under virtual time, for the tests beside. (No test of its own.)

import type { Account } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Ask, ClientKey } from "../core/exchange.ts";
import type { Blame, Outcome } from "../core/outcome.ts";
import type { CandidateOptions, Lease, LogLine, Random } from "../core/ports.ts";
import { type MemoryRecords, memoryRecords } from "../../test/support/memory-records.ts";
import { seeded } from "../../test/support/seeded.ts";
import { settle, VirtualClock } from "../../test/support/virtual-clock.ts";
import { createPool, type Pool, type PoolSettings } from "./pool.ts";

export const MODEL = "claude-sonnet-4-5";
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export function account(name: string, changes: Partial<Account> = {}): Account {
  return {
    name,
    platform: "anthropic",
    type: "api_key",
    provider: "anthropic",
    credential: { kind: "api_key", secret: `secret of ${name}` },
    baseUrl: `http://${name}.test`,
    origin: `http://${name}.test:80`,
    proxy: undefined,
    apis: ["messages"],
    concurrency: 3,
    priority: 50,
    weight: 1,
    models: undefined,
    modelMap: {},
    disabled: false,
    allowExtraUsage: false,
    ...changes,
  };
}

export function key(name: string, changes: Partial<ClientKey> = {}): ClientKey {
  return {
    name,
    models: undefined,
    concurrency: undefined,
    requestsPerMinute: undefined,
    weight: 1,
    ...changes,
  };
}

let sessions = 0;

/** An ask of a session of its own, unless it says otherwise. */
export function ask(changes: Partial<Ask> = {}): Ask {
  sessions += 1;
  return {
    protocol: "messages",
    key: key("alice"),
    model: MODEL,
    models: [changes.model ?? MODEL],
    stream: true,
    body: new Uint8Array(),
    members: { start: 0, end: 0, list: [] },
    headers: new Headers(),
    query: "",
    session: `session ${sessions}`,
    previousResponse: undefined,
    pinned: false,
    errand: undefined,
    continuable: false,
    replayable: true,
    ...changes,
  };
}

const FAULT = new GatewayError("upstream_failed", "a test's failure");
export const OK: Outcome = { kind: "ok" };
export const GONE: Outcome = { kind: "gone" };
export const STOP: Outcome = { kind: "stop", fault: FAULT };
export const next = (blame: Blame): Outcome => ({ kind: "next", fault: FAULT, blame });
export const cut = (blame: Blame): Outcome => ({ kind: "cut", fault: FAULT, blame });
export const limited = (forMs?: number, scope: "account" | "model" = "account"): Outcome =>
  next({ on: "limit", scope, forMs });

/** One request on its way through the pool. */
export class Trip {
  readonly ask: Ask;
  readonly abort = new AbortController();
  lease: Lease | undefined;
  error: unknown;
  /** No account is left. */
  isDone = false;
  readonly #pool: Pool;
  readonly #leases: AsyncGenerator<Lease, void>;

  constructor(pool: Pool, ask: Ask, codecs: CandidateOptions["codecs"]) {
    this.#pool = pool;
    this.ask = ask;
    this.#leases = pool.candidates(ask, { codecs, signal: this.abort.signal });
  }

  /** Asks for the next account and lets everything settle; the trip may be waiting then. */
  async next(): Promise<this> {
    this.lease = undefined;
    void this.#leases.next().then(
      ({ value, done }) => {
        this.isDone = done === true;
        this.lease = value ?? undefined;
      },
      (error: unknown) => {
        this.error = error;
      },
    );
    await settle();
    return this;
  }

  get account(): string | undefined {
    return this.lease?.candidate.account.name;
  }

  get code(): string | undefined {
    return this.error instanceof GatewayError ? this.error.code : undefined;
  }

  get retryAfterMs(): number | undefined {
    return this.error instanceof GatewayError ? this.error.retryAfterMs : undefined;
  }

  get isWaiting(): boolean {
    return this.lease === undefined && this.error === undefined && !this.isDone;
  }

  commit(firstEventMs = 100): this {
    if (this.lease !== undefined) this.#pool.committed(this.lease, this.ask, firstEventMs);
    return this;
  }

  /** Gives the slot back and lets whoever waits for it have it. */
  async end(outcome: Outcome = OK): Promise<this> {
    this.lease?.release(outcome);
    await settle();
    return this;
  }
}

export interface Rig {
  readonly pool: Pool;
  readonly clock: VirtualClock;
  readonly records: MemoryRecords;
  readonly log: readonly LogLine[];
  /** A request that has asked for its first account. */
  trip(changes?: Partial<Ask>): Promise<Trip>;
  /** A request from its beginning to its end. Returns the account's name, or the error's code. */
  run(changes?: Partial<Ask>, outcome?: Outcome): Promise<string | undefined>;
  /** The names that so many new sessions, one after another, were given. */
  spread(times: number): Promise<Readonly<Record<string, number>>>;
  /** What `status` says of an account. */
  state(name: string): string | undefined;
}

export interface RigOptions {
  readonly settings?: Partial<PoolSettings>;
  readonly clock?: VirtualClock;
  readonly records?: MemoryRecords;
  readonly random?: Random;
  readonly codecs?: CandidateOptions["codecs"];
}

export const SETTINGS: PoolSettings = {
  maxQueue: 100,
  queueTimeoutMs: 30 * SECOND,
  stickyTtlMs: HOUR,
  keys: 1,
};

export function rig(accounts: readonly Account[], options: RigOptions = {}): Rig {
  const { clock = new VirtualClock(), records = memoryRecords(), random = seeded(1) } = options;
  const log: LogLine[] = [];
  const settings = { ...SETTINGS, ...options.settings };
  const pool = createPool({ accounts, settings, clock, random, records, log: (line) => void log.push(line) });
  const codecs = options.codecs ?? (() => true);
  const trip = (changes?: Partial<Ask>): Promise<Trip> => new Trip(pool, ask(changes), codecs).next();
  const run: Rig["run"] = async (changes, outcome = OK) => {
    const one = await trip(changes);
    const { account } = one;
    if (outcome.kind === "ok") one.commit();
    await one.end(outcome);
    return account ?? one.code;
  };
  return {
    pool,
    clock,
    records,
    log,
    trip,
    run,
    async spread(times) {
      const counts: Record<string, number> = {};
      for (let time = 0; time < times; time += 1) {
        const name = (await run()) ?? "nobody";
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    },
    state: (name) => pool.status().find((each) => each.account.name === name)?.state,
  };
}
