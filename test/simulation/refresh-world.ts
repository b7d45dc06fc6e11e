// A short life of some logins, from a seed: two processes on one store renew them at an issuer whose answers get lost,
// on a disk that is sometimes full, and die at any moment. The rules: one renewal at a time, no token presented that is
// known to be used, and no login lost but by a loss that nobody could have prevented.
import type { Access } from "../../src/core/account.ts";
import type { LoginStore } from "../../src/core/login.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type LoginDocument, readDocument } from "../../src/oauth/custody-document.ts";
import { createCustody, type Custody } from "../../src/oauth/custody.ts";
import type { LoginAccount } from "../../src/oauth/login.ts";
import { openVault } from "../../src/oauth/vault.ts";
import { memoryLoginStore } from "../../src/stores/memory.ts";
import { seeded } from "../support/seeded.ts";
import { settle, VirtualClock } from "../support/virtual-clock.ts";
import { type Asker, IssuerWorld } from "./issuer-world.ts";
import { must, type World } from "./world.ts";

const STEPS = 30;
const ISSUER = "https://issuer.test";
const CLIENT = "client-one";
const NAMES = ["a", "b"] as const;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const vault = openVault({
  dataDir: "/nowhere",
  env: { SUB2API_MASTER_KEY: Buffer.alloc(32, 7).toString("base64") },
});

/** A process of the gateway, as far as logins go; `proxy` tells its posts from the other's. */
interface Process extends Asker {
  alive: boolean;
  readonly proxy: string;
  readonly custody: Custody;
}

const askers = new Map<string, { readonly asker: Asker; readonly issuer: IssuerWorld }>();
let processes = 0;

/** Stands in for the network of this process, which simulates and does nothing else. */
const network = async (
  _url: string,
  init: { body: string; proxy: string; signal: AbortSignal },
): Promise<Response> => {
  const found = askers.get(init.proxy);
  if (found === undefined) throw new Error("nobody asks from there");
  return found.issuer.post(new URLSearchParams(init.body), found.asker, init.signal);
};

export class RefreshWorld implements World {
  steps = 0;
  readonly #clock = new VirtualClock();
  readonly #random: () => number;
  readonly #issuer: IssuerWorld;
  readonly #store: LoginStore;
  readonly #processes: Process[] = [];
  /** Accounts of which a token was lost between the issuer and the store. */
  readonly #excused = new Set<string>();
  #isFull = false;
  readonly #plant: "claims" | "commits" | undefined;

  /** With a planted defect, to see that the rules find it. */
  constructor(seed: number, plant?: "claims" | "commits") {
    this.#plant = plant;
    this.#random = seeded(seed);
    this.#issuer = new IssuerWorld(this.#clock, this.#random);
    this.#store = memoryLoginStore(this.#clock);
  }

  async live(): Promise<void> {
    const real = globalThis.fetch;
    globalThis.fetch = network as unknown as typeof fetch;
    try {
      await this.#start();
      await this.#start();
      for (const name of NAMES) await this.#signIn(name);
      for (let step = 0; step < STEPS; step += 1) {
        this.steps += 1;
        await this.#step();
        await this.#check();
      }
      await this.#finish();
    } finally {
      for (const { proxy } of this.#processes) askers.delete(proxy);
      globalThis.fetch = real;
    }
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.3) return this.#ask();
    if (chance < 0.4) return this.#refuse();
    if (chance < 0.75) return this.#pass(this.#pick([SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 20 * MINUTE]));
    if (chance < 0.85) return this.#crash();
    if (chance < 0.95) this.#isFull = !this.#isFull;
    else this.#clock.stepWall((this.#random() - 0.5) * MINUTE);
  }

  async #ask(): Promise<void> {
    const { custody } = this.#one();
    const name = this.#pick(NAMES);
    const given = custody.access({ name });
    const look = (access: Access | "later" | "lost"): void =>
      must(
        typeof access === "string" || this.#issuer.isAccessOf(name, access.secret),
        "a token of this account",
      );
    if (given instanceof Promise) void given.then(look);
    else look(given);
    await this.#pass(0);
  }

  async #refuse(): Promise<void> {
    const { custody } = this.#one();
    const name = this.#pick(NAMES);
    const access = custody.access({ name });
    if (!(access instanceof Promise)) void custody.refused({ name }, access);
    await this.#pass(0);
  }

  /** Whatever it was doing ends there; another one begins in its place. */
  async #crash(): Promise<void> {
    const gone = this.#one();
    gone.alive = false;
    gone.posts.clear();
    this.#processes.splice(this.#processes.indexOf(gone), 1);
    for (const name of NAMES)
      if (!(await this.#isKept(name)) || (await this.#isTriedTwice(name))) this.#excused.add(name);
    await this.#start();
  }

  /** Two processes have died while they presented it: nobody knows what became of it, and there is no third time. */
  async #isTriedTwice(name: string): Promise<boolean> {
    const journal = (await this.#kept(name))?.journal;
    return journal?.state === "in_flight" && journal.retried;
  }

  /** Whether the token that is good now stands in the store, or its login is over anyway. */
  async #isKept(name: string): Promise<boolean> {
    const live = this.#issuer.liveOf(name);
    return live !== undefined && (await this.#kept(name))?.tokens.refresh === live;
  }

  async #kept(name: string): Promise<LoginDocument | undefined> {
    const sealed = await this.#store.load(name);
    return sealed && readDocument(vault.open(sealed));
  }

  async #start(): Promise<void> {
    processes += 1;
    const proxy = `http://process-${processes}.test`;
    const own = { alive: true };
    const isAlive = (): boolean => own.alive;
    const posts = new Map<string, number>();
    const clock: Clock = {
      now: () => this.#clock.now(),
      wall: () => this.#clock.wall(),
      after: (ms, work) => this.#clock.after(ms, () => void (isAlive() && work())),
    };
    const custody = createCustody({
      store: this.#storeOf(isAlive),
      vault,
      clock,
      random: this.#random,
      log: () => undefined,
      onChange: () => undefined,
    });
    const process = Object.assign(own, { proxy, custody, posts });
    this.#processes.push(process);
    askers.set(proxy, { asker: process, issuer: this.#issuer });
    const account = (name: string): LoginAccount => ({
      name,
      issuer: ISSUER,
      clientId: CLIENT,
      proxy,
      seed: undefined,
      accountId: undefined,
    });
    await custody.load(NAMES.map(account));
    await this.#pass(0);
  }

  /** The store as one process has it: writes fail while the disk is full, and nothing comes back to the dead. */
  #storeOf(isAlive: () => boolean): LoginStore {
    const store = this.#store;
    const never = new Promise<never>(() => undefined);
    const read = <T>(work: () => Promise<T>): Promise<T> => (isAlive() ? work() : never);
    const write = <T>(work: () => Promise<T>): Promise<T> => {
      if (!isAlive()) return never;
      return this.#isFull ? Promise.reject(new Error("the disk is full")) : work();
    };
    return {
      load: (account) => read(() => store.load(account)),
      versions: () => read(() => store.versions()),
      commit: (login) => write(async () => (this.#plant === "commits" ? true : store.commit(login))),
      claim: (account, owner, ms, isDead) =>
        write(async () => this.#plant === "claims" || store.claim(account, owner, ms, isDead)),
      renounce: (account, owner) => read(() => store.renounce(account, owner)),
      close: () => undefined,
    };
  }

  async #signIn(name: string): Promise<void> {
    const { access, refresh, lifeMs } = this.#issuer.signIn(name);
    const expiresAt = this.#clock.wall() + lifeMs;
    const identity = { accountId: name, userId: undefined, email: undefined, plan: undefined };
    await this.#one().custody.signIn(name, {
      tokens: { access, refresh, expiresAt },
      identity,
      source: "browser",
      issuer: ISSUER,
      clientId: CLIENT,
    });
    this.#excused.delete(name);
    await this.#pass(4 * SECOND);
  }

  async #check(): Promise<void> {
    for (const name of NAMES) {
      const posts = this.#processes.reduce((sum, each) => sum + (each.posts.get(name) ?? 0), 0);
      must(posts <= 1, "one renewal of a login at a time, over all processes");
    }
  }

  /** Everything is well again: whoever lost nothing is served. */
  async #finish(): Promise<void> {
    this.#isFull = false;
    this.#issuer.isHealed = true;
    for (let turn = 0; turn < 4; turn += 1) await this.#pass(5 * MINUTE);
    for (const name of NAMES) {
      // A token whose answer was lost is gone with it, and the issuer takes the next try for theft.
      const isGone = this.#issuer.liveOf(name) === undefined || !this.#issuer.isHeard(name);
      if (this.#excused.has(name) || isGone) continue;
      const box: { given?: Access | "later" | "lost" } = {};
      void Promise.resolve(this.#one().custody.access({ name })).then((given) => (box.given = given));
      for (let turn = 0; turn < 20 && box.given === undefined; turn += 1) await this.#pass(10 * SECOND);
      must(
        typeof box.given === "object",
        `a login that nothing has happened to is served, not ${String(box.given)}`,
      );
      must(await this.#isKept(name), "the token that is good now is kept");
    }
    for (const each of this.#processes) {
      const closed = each.custody.close();
      await this.#pass(MINUTE);
      await closed;
    }
  }

  /** Lets time go by, in pieces, since what comes over the network takes turns of the event loop. */
  async #pass(ms: number): Promise<void> {
    const end = this.#clock.now() + ms;
    do {
      await settle();
      await new Promise<void>((resolve) => void setImmediate(resolve));
      const now = this.#clock.now();
      const isAsking = this.#processes.some(({ posts }) => [...posts.values()].some((count) => count > 0));
      const next = isAsking ? (this.#clock.next ?? end) : now + 20 * SECOND;
      await this.#clock.pass(Math.max(0, Math.min(next, end) - now));
    } while (this.#clock.now() < end);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    await settle();
  }

  #one(): Process {
    const one = this.#processes[Math.floor(this.#random() * this.#processes.length)];
    if (one === undefined) throw new Error("no process is left");
    return one;
  }

  #pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.#random() * list.length)] ?? list[0];
  }
}
