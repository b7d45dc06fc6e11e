// Processes that share logins in one file are killed while they renew them, and race for them. The issuer takes each
// refresh token once, and revokes the login when one comes again.

import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { LoginAccount } from "../../src/oauth/login.ts";
import { openLoginStore } from "../../src/stores/logins-sqlite.ts";
import { type IssuerProcess, startIssuerProcess } from "../support/issuer-remote.ts";
import { shortId } from "../support/issuer.ts";
import { openKept, type RefreshTask, STEPS } from "../support/refresh-child.ts";

/** REFRESH_KILLS=2000 REFRESH_RACES=10000 for the whole. */
const KILLS = Number(process.env["REFRESH_KILLS"] ?? 46);
const RACES = Number(process.env["REFRESH_RACES"] ?? 200);
const LIMIT_MS = 60_000 + 2_000 * KILLS + 200 * RACES;
/** Longer than a dead process's claim lasts. */
const LATER_MS = 100_000;
const MANY_ACCOUNTS = 20;
const CHILD = join(import.meta.dir, "..", "support", "refresh-child.ts");

const later: Clock = {
  ...systemClock,
  now: () => systemClock.now() + LATER_MS,
  wall: () => systemClock.wall() + LATER_MS,
};

let issuer: IssuerProcess;
let folder: string;
let path: string;
beforeAll(async () => {
  issuer = await startIssuerProcess();
});
afterAll(() => issuer.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "refresh-"));
  path = join(folder, "sub2api.sqlite");
  openLoginStore({ path, clock: systemClock, log: () => {} }).close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;

/** Accounts whose configuration has a token that nobody has redeemed yet. */
async function accounts(count: number): Promise<readonly (LoginAccount & { readonly seed: string })[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { refresh } = await issuer.seed();
      const name = `account-${made++}`;
      const site = { issuer: issuer.url, clientId: "client", proxy: undefined, accountId: undefined };
      return { name, ...site, seed: refresh };
    }),
  );
}

function spawn(task: RefreshTask) {
  const file = join(folder, `${made++}.json`);
  writeFileSync(file, JSON.stringify(task));
  return Bun.spawn([process.execPath, CHILD, file], { stdout: "pipe", stderr: "inherit" });
}

function expectSound(): void {
  const database = new Database(path, { readonly: true });
  expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
}

/** How each account ends in a process that comes when the dead one's claims are over. */
async function recover(list: readonly LoginAccount[]): Promise<readonly string[]> {
  const { custody, close } = openKept(path, later);
  await custody.load(list);
  const ends: string[] = [];
  for (const { name } of list) {
    const access = await custody.access({ name });
    const standing = custody.standing(name);
    if (access === "later") ends.push("later");
    else if (access === "lost") ends.push(standing.state === "needs_login" ? standing.reason : "ready");
    else ends.push((await issuer.access(access.secret)).valid ? "works" : "has a dead token");
  }
  await close();
  return ends;
}

const STOPPED = /^the gateway stopped while it renewed this login/;

describe("a gateway that is killed while it renews a login", () => {
  test.each(STEPS.map((step, at) => [step, at + 1] as const))(
    "%s",
    async (step, crashAt) => {
      const list = await accounts(1);
      const [account] = list;
      const child = spawn({ path, accounts: list, crashAt });
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");
      expectSound();
      const [end] = await recover(list);
      const presented = await issuer.presentations(account?.seed ?? "");
      // Between the issuer's answer and the commit the new token is lost, and the old one is tried once.
      const isLost =
        step === "after fetch" || (step === "before commit" && crashAt > STEPS.indexOf("after fetch"));
      if (isLost) expect([end, presented]).toEqual([expect.stringMatching(STOPPED), 2]);
      else expect([end, presented]).toEqual(["works", 1]);
    },
    LIMIT_MS,
  );

  test(
    `at any time, ${KILLS} times, presents no token a third time and says what was lost`,
    async () => {
      const ends = new Map<string, number>();
      let twice = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const list = await accounts(MANY_ACCOUNTS);
        const child = spawn({ path, accounts: list });
        const reader = child.stdout.getReader();
        await reader.read();
        await Bun.sleep(Math.random() * 80);
        child.kill("SIGKILL");
        await child.exited;
        await reader.cancel();
        expectSound();
        const ended = await recover(list);
        const { presented } = await issuer.ledger();
        const counts = list.map(({ seed }) => presented[shortId(seed)] ?? 0);
        expect(Math.max(...counts)).toBeLessThanOrEqual(2);
        // A renewal at a time, so one login at most.
        expect(counts.filter((count) => count === 2).length).toBeLessThanOrEqual(1);
        twice += counts.filter((count) => count === 2).length;
        for (const [n, end] of ended.entries()) {
          if (end !== "works") expect([end, counts[n]]).toEqual([expect.stringMatching(STOPPED), 2]);
          ends.set(end, (ends.get(end) ?? 0) + 1);
        }
      }
      if (process.env["REFRESH_KILLS"] !== undefined)
        process.stderr.write(`kills ${KILLS}: presented twice ${twice}, ends ${JSON.stringify([...ends])}\n`);
      expect(ends.get("works") ?? 0).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});

describe("two gateways on one file", () => {
  test(
    `that race for ${RACES} logins present each token once, and have the same tokens`,
    async () => {
      const list = await accounts(RACES);
      const children = [spawn({ path, accounts: list }), spawn({ path, accounts: list })];
      const outputs = await Promise.all(children.map((child) => child.stdout.text()));
      expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0]);
      const [one = "", other = ""] = outputs;
      expect(one).toBe(other);
      expect(one).not.toContain("lost");
      expect(one.trim().split("\n")).toHaveLength(RACES + 1);
      const { presented, posts } = await issuer.ledger();
      const counts = list.map(({ seed }) => presented[shortId(seed)]);
      expect(new Set(counts)).toEqual(new Set([1]));
      const ours = new Set(list.map(({ seed }) => shortId(seed)));
      expect(posts.filter(({ token }) => token !== undefined && ours.has(token))).toHaveLength(RACES);
      expectSound();
    },
    LIMIT_MS,
  );
});
