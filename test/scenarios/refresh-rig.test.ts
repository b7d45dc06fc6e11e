// A custody over a store in memory and a scripted issuer, under virtual time, for the tests of oauth/. The network is real.

import { expect, test } from "bun:test";
import type { Access } from "../../src/core/account.ts";
import type { LoginStore } from "../../src/core/login.ts";
import type { LogLine } from "../../src/core/ports.ts";
import { memoryLoginStore } from "../../src/stores/memory.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";
import type { SeededLogin } from "../support/issuer-types.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { createCustody, type Custody } from "../../src/oauth/custody.ts";
import { type LoginDocument, readDocument } from "../../src/oauth/custody-document.ts";
import type { Followed } from "../../src/oauth/custody-follow.ts";
import type { LoginAccount, SignedIn } from "../../src/oauth/login.ts";
import { openVault, type Vault } from "../../src/oauth/vault.ts";

export { memoryLoginStore };
export const CLIENT = "client-one";
export const KEY = Buffer.alloc(32, 7).toString("base64");
export const HOUR = 3_600_000;
const MANY_TURNS = 4_000;

export interface World extends AsyncDisposable {
  readonly issuer: Issuer;
  readonly clock: VirtualClock;
  /** What its members do may be replaced. */
  readonly store: { -readonly [Key in keyof LoginStore]: LoginStore[Key] };
  readonly vault: Vault;
  readonly lines: LogLine[];
  readonly changes: string[];
  readonly secrets: Set<string>;
  /** What the files of other programs hold. */
  readonly files: Map<string, Followed | Error>;
  account(name: string, more?: Partial<LoginAccount>): LoginAccount;
  /** A custody as in a process of its own. */
  open(...accounts: readonly LoginAccount[]): Promise<Custody>;
  /** The same, on its own way to the store. */
  openOn(store: LoginStore, ...accounts: readonly LoginAccount[]): Promise<Custody>;
  /** Lets network and virtual time go on, 20 ms of it a turn, until it is so. */
  until(isSo: () => boolean, stepMs?: number): Promise<void>;
  /** As `until`, for what is to come. */
  result<T>(work: T | Promise<T>, stepMs?: number): Promise<T>;
  events(name: string): readonly LogLine[];
}

export async function createWorld(): Promise<World> {
  const clock = new VirtualClock();
  const issuer = await startIssuer({ now: () => clock.wall() });
  const store = { ...memoryLoginStore(clock) };
  const vault = openVault({ dataDir: "/nowhere", env: { SUB2API_MASTER_KEY: KEY } });
  const lines: LogLine[] = [];
  const changes: string[] = [];
  const secrets = new Set<string>();
  const files = new Map<string, Followed | Error>();
  const opened: Custody[] = [];
  const world: World = {
    issuer,
    clock,
    store,
    vault,
    lines,
    changes,
    secrets,
    files,
    account: (name, more = {}) => ({
      name,
      issuer: issuer.url,
      clientId: CLIENT,
      proxy: undefined,
      seed: undefined,
      accountId: undefined,
      ...more,
    }),
    open: (...accounts) => world.openOn(store, ...accounts),
    async openOn(store, ...accounts) {
      const custody = createCustody({
        store,
        vault,
        clock,
        random: () => 0.5,
        log: (line) => void lines.push(line),
        onChange: (account) => void changes.push(account),
        onSecret: (secret) => void secrets.add(secret),
        readFollowed: async (path) => {
          const found = files.get(path) ?? new Error("missing");
          if (found instanceof Error) throw found;
          return found;
        },
      });
      opened.push(custody);
      await custody.load(accounts);
      return custody;
    },
    async until(isSo, stepMs = 20) {
      for (let turn = 0; turn < MANY_TURNS; turn++) {
        if (isSo()) return;
        await clock.pass(stepMs);
        await Bun.sleep(1);
      }
      throw new Error("it did not come about");
    },
    async result(work, stepMs) {
      const box: { value?: Awaited<typeof work> } = {};
      void Promise.resolve(work).then((value) => (box.value = value));
      await world.until(() => "value" in box, stepMs);
      return box.value as Awaited<typeof work>;
    },
    events: (name) => lines.filter(({ event }) => event === name),
    async [Symbol.asyncDispose]() {
      issuer.script();
      issuer.release();
      await issuer.close();
      for (const custody of opened) await world.result(custody.close(), 500);
    },
  };
  return world;
}

/** What a sign-in of this login has brought, good for `leftMs` of an hour. */
export function loginOf(world: World, seeded: SeededLogin, leftMs = HOUR): SignedIn {
  const { accountId, userId, email, plan } = seeded.account;
  return {
    tokens: { access: seeded.access, refresh: seeded.refresh, expiresAt: world.clock.wall() + leftMs },
    identity: { accountId, userId, email, plan },
    source: "browser",
    issuer: world.issuer.url,
    clientId: CLIENT,
  };
}

export function secretOf(access: Access | "later" | "lost" | Promise<unknown>): string {
  return typeof access === "object" && "secret" in access ? access.secret : `no access: ${String(access)}`;
}

/** What the store holds of the account "a". */
export async function stored(world: World): Promise<LoginDocument> {
  const login = await world.store.load("a");
  const document = login && readDocument(world.vault.open(login));
  if (document === undefined) throw new Error("nothing is stored");
  return document;
}

test("the rig's issuer and custody keep the same time", async () => {
  await using world = await createWorld();
  const seeded = world.issuer.seed({ lifetimeMs: HOUR });
  expect(seeded.expiresAt).toBe(world.clock.wall() + HOUR);
  await world.clock.pass(HOUR + 1);
  expect(world.issuer.isAccess(seeded.access)).toBe(false);
});
