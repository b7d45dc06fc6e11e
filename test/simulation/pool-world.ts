// A short life of a pool, from a seed: requests that come, wait, are served, fail and leave, under a clock that jumps,
// reloads and restarts. After every step all rules are looked at.
import type { Account } from "../../src/core/account.ts";
import type { ClientKey } from "../../src/core/exchange.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { createPool, type Pool } from "../../src/pool/pool.ts";
import {
  account,
  ask,
  cut,
  GONE,
  HOUR,
  key,
  MINUTE,
  next,
  OK,
  SECOND,
  SETTINGS,
  STOP,
  Trip,
} from "../../src/pool/rig.test.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { seeded } from "../support/seeded.ts";
import { settle, VirtualClock } from "../support/virtual-clock.ts";
import { must, type World } from "./world.ts";

const STEPS = 60;
const MODELS = ["one", "two"];
const LEAST_MS = { limit: MINUTE, quota: 15 * MINUTE, credential: 30 * MINUTE, model: HOUR } as const;

/** What it may double to. Until then, whoever was sent before says nothing new. */
const MOST_MS = { limit: 30 * MINUTE, quota: 24 * HOUR, credential: 24 * HOUR, model: HOUR } as const;

interface Taken {
  readonly trip: Trip;
  readonly account: string;
  readonly model: string;
  readonly number: number;
  isCommitted: boolean;
}

/** What the history knows of a cooldown without looking into the pool. */
interface Cold {
  readonly account: string;
  readonly kind: keyof typeof LEAST_MS;
  readonly model: string | undefined;
  /** Nobody may have the account before. */
  readonly notBefore: number;
  /** It may last so long, because up to a tenth is added to a named wait. */
  readonly mayLastTo: number;
  /** Leases from this number on are probes. */
  readonly from: number;
}

function clockOf(clock: VirtualClock): Clock {
  return { now: () => clock.now(), wall: () => clock.wall(), after: (ms, work) => clock.after(ms, work) };
}

/** One history; `live` throws the rule that it breaks. */
export class PoolWorld implements World {
  readonly clock = new VirtualClock();
  readonly pool: Pool;
  readonly #random: () => number;
  readonly #trips: Trip[] = [];
  readonly #taken = new Map<Trip, Taken>();
  readonly #tries = new Map<Trip, Set<string>>();
  readonly #accounts: Map<string, Account>;
  readonly #keys: ClientKey[];
  /** What may be out after a limit was lowered, until it has come down. */
  readonly #allowed = new Map<string, number>();
  #cold: Cold[] = [];
  #number = 0;
  steps = 0;
  acquired = 0;
  released = 0;
  #isReloaded = false;

  /** With a planted defect, to see that the rules find it. */
  constructor(seed: number, plant?: "clock" | "limits") {
    this.#random = seeded(seed);
    const accounts = Array.from({ length: 1 + this.#int(5) }, (_, at) => this.#account(`a${at}`));
    this.#accounts = new Map(accounts.map((each) => [each.name, each]));
    this.#keys = Array.from({ length: 1 + this.#int(3) }, (_, at) =>
      key(`k${at}`, {
        weight: 1 + this.#int(3),
        concurrency: this.#int(3) === 0 ? 1 + this.#int(3) : undefined,
      }),
    );
    // The pool's clock is fast, so that accounts rest too little; or it believes in more slots than there are.
    const fast = { ...clockOf(this.clock), now: () => this.clock.now() * 3 };
    this.pool = createPool({
      accounts:
        plant === "limits"
          ? accounts.map((each) => ({ ...each, concurrency: each.concurrency + 1 }))
          : accounts,
      settings: { ...SETTINGS, maxQueue: this.#int(12), keys: this.#keys.length },
      clock: plant === "clock" ? fast : this.clock,
      random: this.#random,
      records: memoryRecords(),
      log: () => undefined,
    });
  }

  async live(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      this.steps += 1;
      await this.#step();
      await settle();
      this.#look();
      this.#check();
    }
    await this.#finish();
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.35) return this.#arrive();
    if (chance < 0.45) return this.#commit();
    if (chance < 0.8) return this.#release();
    if (chance < 0.85) return (this.#pick(this.#trips)?.abort.abort("left"), settle());
    if (chance < 0.97)
      return this.clock.pass(this.#pick([10, SECOND, 5 * SECOND, MINUTE, 20 * MINUTE, 2 * HOUR]) ?? 0);
    if (chance < 0.98) return this.clock.stepWall((this.#random() - 0.5) * 48 * HOUR);
    if (chance < 0.99) return this.#clear();
    return this.#reload();
  }

  async #arrive(): Promise<void> {
    const session = `s${this.#int(6)}`;
    const asked = ask({
      key: this.#pick(this.#keys) ?? key("k0"),
      models: this.#random() < 0.2 ? MODELS : [this.#pick(MODELS) ?? "one"],
      session: this.#random() < 0.5 ? session : `only ${this.#number}`,
      replayable: this.#random() < 0.8,
    });
    this.#number += 1;
    const trip = new Trip(this.pool, asked, () => true);
    this.#trips.push(trip);
    await trip.next();
  }

  #commit(): void {
    const taken = this.#pick([...this.#taken.values()]);
    if (taken === undefined) return;
    taken.trip.commit(this.#int(2_000));
    this.#succeeded(taken);
  }

  async #release(): Promise<void> {
    const taken = this.#pick([...this.#taken.values()]);
    if (taken === undefined) return;
    const outcome = this.#outcome(taken);
    this.#taken.delete(taken.trip);
    this.released += 1;
    if (outcome.kind === "ok") this.#succeeded(taken);
    if (outcome.kind === "next" || outcome.kind === "cut") this.#failed(taken, outcome);
    const { lease } = taken.trip;
    await taken.trip.end(outcome);
    taken.trip.lease = undefined;
    // A lease that is released twice must not count twice.
    lease?.release(STOP);
    this.#look();
    if (outcome.kind === "next" && this.#random() < 0.8) await taken.trip.next();
    else this.#trips.splice(this.#trips.indexOf(taken.trip), 1);
  }

  #outcome({ isCommitted }: Taken): Outcome {
    const forMs = this.#random() < 0.5 ? undefined : this.#pick([SECOND, 30 * SECOND, MINUTE, HOUR]);
    const blame = this.#pick([
      { on: "limit", scope: "account", forMs },
      { on: "limit", scope: "model", forMs },
      { on: "quota", forMs },
      { on: "credential" },
      { on: "model" },
      { on: "account" },
      { on: "account" },
      { on: "route" },
      { on: "provider" },
      { on: "nobody" },
    ] as const) ?? { on: "nobody" };
    const kind = this.#random();
    if (kind < 0.5) return OK;
    if (kind < 0.6) return this.#random() < 0.5 ? STOP : GONE;
    return isCommitted ? cut(blame) : next(blame);
  }

  #failed({ account, model, number }: Taken, outcome: Extract<Outcome, { kind: "next" | "cut" }>): void {
    const { blame } = outcome;
    if (blame.on !== "limit" && blame.on !== "quota" && blame.on !== "credential" && blame.on !== "model")
      return;
    const isModel = blame.on === "model" || (blame.on === "limit" && blame.scope === "model");
    const scope = isModel ? model : undefined;
    const forMs = "forMs" in blame ? blame.forMs : undefined;
    const now = this.clock.now();
    const known = this.#cold.find(
      (each) => each.account === account && each.kind === blame.on && each.model === scope,
    );
    const isStraggler = known !== undefined && number < known.from;
    if (forMs === undefined && known !== undefined && known.mayLastTo >= now && isStraggler) return;
    this.#cold = this.#cold.filter((each) => each !== known);
    const leastMs = LEAST_MS[blame.on];
    const waitMs = forMs === undefined ? leastMs : blame.on === "quota" ? Math.min(forMs, leastMs) : forMs;
    this.#cold.push({
      account,
      kind: blame.on,
      model: scope,
      notBefore: now + waitMs,
      mayLastTo: now + 1.1 * (forMs ?? MOST_MS[blame.on]),
      from: this.acquired + 1,
    });
  }

  #succeeded(taken: Taken): void {
    taken.isCommitted = true;
    this.#cold = this.#cold.filter((each) => !(this.#concerns(each, taken) && taken.number >= each.from));
  }

  #concerns({ account, model }: Cold, taken: Taken): boolean {
    return account === taken.account && (model === undefined || model === taken.model);
  }

  #clear(): void {
    const name = this.#pick([...this.#accounts.keys()]) ?? "";
    this.#cold = this.#cold.filter((each) => each.account !== name);
    this.pool.clear(name);
  }

  async #reload(): Promise<void> {
    this.#isReloaded = true;
    for (const [name, known] of this.#accounts) {
      this.#allowed.set(name, Math.max(this.#out(name), 0));
      this.#accounts.set(name, { ...known, concurrency: 1 + this.#int(3), disabled: this.#random() < 0.1 });
    }
    this.pool.reload([...this.#accounts.values()], {
      ...SETTINGS,
      maxQueue: this.#int(12),
      keys: this.#keys.length,
    });
    await settle();
  }

  /** Notes which waiting trips have been given a lease meanwhile. */
  #look(): void {
    for (const trip of this.#trips) {
      if (trip.lease === undefined || this.#taken.has(trip)) continue;
      this.acquired += 1;
      const { account: given, model } = trip.lease.candidate;
      const taken = { trip, account: given.name, model, number: this.acquired, isCommitted: false };
      const tries = this.#tries.get(trip) ?? new Set();
      must(!tries.has(given.name), "an account is tried once per request");
      this.#tries.set(trip, tries.add(given.name));
      const early = this.#cold.filter(
        (each) => this.#concerns(each, taken) && each.notBefore > this.clock.now(),
      );
      must(early.length === 0, "a cooling account is left alone");
      this.#taken.set(trip, taken);
    }
    for (const trip of this.#trips) {
      if (trip.lease === undefined && this.#taken.delete(trip)) this.released += 1;
    }
  }

  #check(): void {
    must(this.pool.active() === this.#taken.size, "what is out is what was taken and not given back");
    must(this.acquired - this.released === this.#taken.size, "every lease ends once");
    for (const { account: given, active } of this.pool.status()) {
      const each = this.#accounts.get(given.name) ?? given;
      const out = this.#out(each.name);
      must(active === out, "an account counts its leases");
      const allowed = Math.max(each.concurrency, Math.min(this.#allowed.get(each.name) ?? 0, out));
      this.#allowed.set(each.name, allowed);
      must(out <= allowed, "an account's limit is never passed");
    }
    for (const { name, concurrency } of this.#keys) {
      const out = [...this.#taken.values()].filter((each) => each.trip.ask.key.name === name).length;
      must(out <= (concurrency ?? Number.POSITIVE_INFINITY), "a key's limit is never passed");
    }
    for (const cold of this.#cold) {
      const probes = [...this.#taken.values()].filter(
        (each) => this.#concerns(cold, each) && each.number >= cold.from && !each.isCommitted,
      );
      must(probes.length <= 1, "one request probes at a time");
    }
    if (!this.#isReloaded) {
      const ejected = this.pool.status().filter((each) => each.reason === "keeps failing").length;
      must(ejected * 2 <= this.#accounts.size, "at most half are ejected");
    }
    this.#checkWaiting();
  }

  /** Nobody waits who could be served. */
  #checkWaiting(): void {
    for (const trip of this.#trips) {
      if (!trip.isWaiting || trip.ask.session.startsWith("s")) continue;
      const { key: own } = trip.ask;
      const out = [...this.#taken.values()].filter((each) => each.trip.ask.key.name === own.name).length;
      if (out >= (own.concurrency ?? Number.POSITIVE_INFINITY)) continue;
      const free = this.pool
        .explain(trip.ask, { codecs: () => true, signal: trip.abort.signal })
        .filter((each) => !each.reason.endsWith(")"))
        .filter((each) => this.#tries.get(trip)?.has(each.candidate.account.name) !== true);
      must(free.length === 0, "nobody waits who could be served");
    }
  }

  async #finish(): Promise<void> {
    await this.clock.pass(HOUR);
    this.#look();
    must(!this.#trips.some((trip) => trip.isWaiting), "nobody waits for ever");
    for (const { trip } of this.#taken.values()) await trip.end();
    must(this.pool.active() === 0, "nothing is out at the end");
    this.pool.close();
    must(this.clock.pending === 0, "no timer is left at the end");
  }

  #out(name: string): number {
    return [...this.#taken.values()].filter((each) => each.account === name).length;
  }

  #account(name: string): Account {
    const origin = this.#random() < 0.5 ? "http://shared.test:80" : `http://${name}.test:80`;
    return account(name, {
      origin,
      models: this.#random() < 0.7 ? MODELS : [this.#pick(MODELS) ?? "one"],
      concurrency: 1 + this.#int(3),
      priority: this.#pick([1, 50]) ?? 50,
      weight: 1 + this.#int(2),
    });
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#int(list.length)];
  }
}
