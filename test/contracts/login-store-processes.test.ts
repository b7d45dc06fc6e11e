// Several processes on one file: SQLite lets none overwrite, overtake or cut off another, also when one is killed.

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LoginStore, SealedLogin } from "../../src/core/login.ts";
import { openLoginStore } from "../../src/stores/logins-sqlite.ts";
import { ACCOUNT, sealedOf } from "../support/login-store-child.ts";
import { exchangeOf } from "./records.ts";
import { Place } from "./sqlite-files.ts";

const LIMIT_MS = 180_000;

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

function open(): LoginStore {
  return openLoginStore({ path: place.path, clock: place.clock, log: place.log });
}

/** As the children that count write it. */
function counted(version: number): SealedLogin {
  return { account: ACCOUNT, version, sealed: String(version) };
}

async function expectCounted(store: LoginStore, version: number): Promise<void> {
  expect(await store.load(ACCOUNT)).toEqual(counted(version));
  expect(await store.versions()).toEqual(new Map([[ACCOUNT, version]]));
}

const CHILD = join(import.meta.dir, "..", "support", "login-store-child.ts");

function spawn(task: string, count = 1) {
  return Bun.spawn([process.execPath, CHILD, task, place.path, String(count)], {
    stdout: "pipe",
    stderr: "inherit",
  });
}

/** Returns the lines that all have written. When one fails, the others would wait for what it holds. */
async function runAll(children: number, task: string, count: number): Promise<string[]> {
  const running = Array.from({ length: children }, () => spawn(task, count));
  const outputs = running.map((child) => child.stdout.text());
  const ends = running.map(async (child) => {
    const code = await child.exited;
    if (code !== 0) for (const other of running) other.kill("SIGKILL");
    return code;
  });
  expect(await Promise.all(ends)).toEqual(Array(children).fill(0));
  const texts = await Promise.all(outputs);
  return texts.flatMap((text) => text.split("\n").slice(0, -1));
}

describe("processes that share logins in SQLite", () => {
  test(
    "lose no update to one another",
    async () => {
      await runAll(4, "increment", 500);
      const store = open();
      await expectCounted(store, 2_000);
      store.close();
    },
    LIMIT_MS,
  );

  test(
    "get no claim that another has got",
    async () => {
      const got = await runAll(4, "claim", 1_000);
      const all = Array.from({ length: 1_000 }, (_, n) => `account-${n}`);
      expect(got.toSorted()).toEqual(all.toSorted());
    },
    LIMIT_MS,
  );

  test(
    "never hold one claim at once",
    async () => {
      await runAll(4, "hold", 100);
      const store = open();
      expect(await store.claim(ACCOUNT, "the next", 1_000)).toBe(true);
      store.close();
    },
    LIMIT_MS,
  );

  test(
    "see what the others commit, and leave them the journal",
    async () => {
      const records = place.open();
      const store = open();
      await store.commit(counted(1));
      const journal = statSync(`${place.path}-wal`).ino;
      for (let round = 1; round <= 3; round++) {
        // It closes the file when it ends, and must not take itself for the last who has it open.
        await runAll(1, "increment", 1);
        expect(statSync(`${place.path}-wal`).ino).toBe(journal);
        await expectCounted(store, 2 * round);
        records.append(exchangeOf(`row-${round}`));
        records.flush();
        expect(await store.commit(counted(2 * round + 1))).toBe(true);
      }
      store.close();
      records.close();
      expect(place.exchanges()).toHaveLength(3);
      expect(place.names).toEqual(["sub2api.sqlite"]);
    },
    LIMIT_MS,
  );

  test.skipIf(!existsSync("/proc/locks"))(
    "leave one another every lock when one opens the file again",
    () => {
      const records = place.open();
      const { ino } = statSync(place.path);
      const locks = (): string[] =>
        readFileSync("/proc/locks", "utf8")
          .split("\n")
          .filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `))
          .map((line) => line.slice(line.indexOf(":")));
      const before = locks();
      expect(before).not.toEqual([]);
      const store = open();
      expect(locks()).toEqual(before);
      store.close();
      expect(locks()).toEqual(before);
      records.close();
    },
  );
});

const KILLS = 60;

/** Kills a child that renews: some while it opens the file, most between two commits. Returns the last version it named. */
async function renewAndKill(kill: number): Promise<number> {
  const child = spawn("renew");
  let output = "";
  const reading = (async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) output += chunk;
  })();
  if (kill % 6 === 5) await Bun.sleep(Math.random() * 100);
  else {
    while (!output.includes("\n") && child.exitCode === null) await Bun.sleep(1);
    await Bun.sleep(Math.random() * 40);
  }
  child.kill("SIGKILL");
  await Promise.all([child.exited, reading]);
  expect(child.signalCode).toBe("SIGKILL");
  return Number(output.split("\n").at(-2) ?? 0);
}

test(
  `a process that is killed ${KILLS} times while it renews keeps every login it has acknowledged`,
  async () => {
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      acknowledged = Math.max(acknowledged, await renewAndKill(kill));
      const database = new Database(place.path, { readwrite: true });
      expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      database.close(true);
      const store = open();
      const login = await store.load(ACCOUNT);
      store.close();
      expect(login?.version).toBeGreaterThanOrEqual(acknowledged);
      expect(login?.sealed).toBe(sealedOf(login?.version ?? 0));
    }
    expect(acknowledged).toBeGreaterThan(KILLS);
  },
  LIMIT_MS,
);
