// A process that uses a store of logins together with others: `bun login-store-child.ts TASK FILE [COUNT]`. Each task
// ends with 0, or throws what should never happen.

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { systemClock } from "../../src/core/clock.ts";
import type { LoginStore } from "../../src/core/login.ts";
import { openLoginStore } from "../../src/stores/logins-sqlite.ts";
import { openRecords } from "../../src/stores/sqlite.ts";
import { exchangeOf } from "../contracts/records.ts";

export const ACCOUNT = "shared";

/** A text that tells its version, of a length that takes one page or several. */
export function sealedOf(version: number): string {
  return `${version}:${"x".repeat((version * 997) % 20_000)}`;
}

/** What a busy store refuses is tried again: how often that happens depends on the machine. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!String(error).includes("locked")) throw error;
    }
  }
}

/** Adds one to the number that is kept, `count` times. */
async function increment(store: LoginStore, count: number): Promise<void> {
  for (let won = 0; won < count;) {
    const login = await insist(() => store.load(ACCOUNT));
    const next = {
      account: ACCOUNT,
      version: (login?.version ?? 0) + 1,
      sealed: String(Number(login?.sealed ?? 0) + 1),
    };
    if (await insist(() => store.commit(next))) won++;
  }
}

/** Holds the claim `count` times, and a file that only one can hold at a time. */
async function hold(store: LoginStore, path: string, count: number): Promise<void> {
  const owner = String(process.pid);
  const only = `${path}.held`;
  for (let held = 0; held < count;) {
    if (!(await insist(() => store.claim(ACCOUNT, owner, 600_000)))) {
      await Bun.sleep(0);
      continue;
    }
    closeSync(openSync(only, "wx"));
    await Bun.sleep(0);
    rmSync(only);
    // Its failure is only logged, so nobody could hold anything from then on.
    await store.renounce(ACCOUNT, owner);
    held++;
  }
}

/** Asks for `count` claims in order, as all do, so that they meet at the foremost. Names those it gets. */
async function claimAll(store: LoginStore, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const account = `account-${n}`;
    if (await insist(() => store.claim(account, String(process.pid), 600_000))) writeSync(1, `${account}\n`);
  }
}

/** Renews a login and writes records until it is killed, and names each version once it is kept. */
async function renew(store: LoginStore, path: string): Promise<void> {
  const records = openRecords({ path, clock: systemClock, log: () => {} });
  const before = (await store.load(ACCOUNT))?.version ?? 0;
  for (let version = before + 1; ; version++) {
    records.append(exchangeOf(`renewal-${version}`));
    records.flush();
    if (!(await store.commit({ account: ACCOUNT, version, sealed: sealedOf(version) })))
      throw new Error(`version ${version} was not taken`);
    writeSync(1, `${version}\n`);
  }
}

if (import.meta.main) {
  const [, , task = "", path = "", count = "1"] = process.argv;
  const log = ({ event }: { readonly event: string }): void => {
    throw new Error(event);
  };
  const store = openLoginStore({ path, clock: systemClock, log });
  if (task === "increment") await increment(store, Number(count));
  else if (task === "hold") await hold(store, path, Number(count));
  else if (task === "claim") await claimAll(store, Number(count));
  else if (task === "renew") await renew(store, path);
  else throw new Error(`unknown task ${task}`);
  store.close();
}
