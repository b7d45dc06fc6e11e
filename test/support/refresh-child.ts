// A process that keeps logins in a file together with others, and may be killed while it renews them:
// `bun refresh-child.ts TASK_FILE`. It names each account that it has got access for, with its token's hash.

import { readFileSync, writeSync } from "node:fs";
import { systemClock } from "../../src/core/clock.ts";
import type { LoginStore } from "../../src/core/login.ts";
import type { Clock } from "../../src/core/ports.ts";
import { createCustody, type Custody } from "../../src/oauth/custody.ts";
import { hashOf } from "../../src/oauth/custody-document.ts";
import type { LoginAccount } from "../../src/oauth/login.ts";
import { openVault } from "../../src/oauth/vault.ts";
import { openLoginStore } from "../../src/stores/logins-sqlite.ts";

export interface RefreshTask {
  readonly path: string;
  readonly accounts: readonly LoginAccount[];
  /** The step of the first renewal, from 1, at which the process dies: see `STEPS`. */
  readonly crashAt?: number;
}

/** Each store call and the request, before and after, in the order of one renewal. */
export const STEPS = ["load", "claim", "load", "commit", "fetch", "commit", "renounce"].flatMap((step) => [
  `before ${step}`,
  `after ${step}`,
]);

const MASTER_KEY = Buffer.alloc(32, 9).toString("base64");

export interface Opened {
  readonly custody: Custody;
  readonly store: LoginStore;
  close(): Promise<void>;
}

/** Logins in the file at `path`, as every process of these tests opens them. */
export function openKept(path: string, clock: Clock, around = (store: LoginStore) => store): Opened {
  const store = openLoginStore({ path, clock, log: () => {} });
  const custody = createCustody({
    store: around(store),
    vault: openVault({ dataDir: "/nowhere", env: { SUB2API_MASTER_KEY: MASTER_KEY } }),
    clock,
    random: Math.random,
    log: () => {},
    onChange: () => {},
  });
  const close = async (): Promise<void> => {
    await custody.close();
    store.close();
  };
  return { custody, store, close };
}

/** Kills this process at one of its steps. */
function crashing(crashAt: number): (store: LoginStore) => LoginStore {
  let step = 0;
  const pass = (): void => {
    step++;
    if (step === crashAt) process.kill(process.pid, "SIGKILL");
  };
  const around = async <T>(work: () => Promise<T>): Promise<T> => {
    pass();
    const result = await work();
    pass();
    return result;
  };
  const { fetch } = globalThis;
  const counted = (...input: Parameters<typeof fetch>): Promise<Response> => around(() => fetch(...input));
  globalThis.fetch = Object.assign(counted, { preconnect: fetch.preconnect });
  let isLoaded = false;
  return (store) => ({
    ...store,
    // What is asked at the start does not belong to a renewal.
    versions: () => store.versions().finally(() => (isLoaded = true)),
    load: (account) => (isLoaded ? around(() => store.load(account)) : store.load(account)),
    commit: (login) => around(() => store.commit(login)),
    claim: (account, owner, ms) => around(() => store.claim(account, owner, ms)),
    renounce: (account, owner) => around(() => store.renounce(account, owner)),
    close: () => store.close(),
  });
}

if (import.meta.main) {
  const task = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as RefreshTask;
  const around = task.crashAt === undefined ? undefined : crashing(task.crashAt);
  const { custody, close } = openKept(task.path, systemClock, around);
  await custody.load(task.accounts);
  writeSync(1, "begun\n");
  for (const { name } of task.accounts) {
    let access = await custody.access({ name });
    while (access === "later") access = await custody.access({ name });
    writeSync(1, `${name} ${access === "lost" ? access : hashOf(access.secret)}\n`);
  }
  await close();
}
