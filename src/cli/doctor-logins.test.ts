import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configOf, doctorRig, type DoctorRig } from "../../test/support/doctor-rig.ts";
import { CANARY } from "../../test/support/gateway-config.ts";
import type { JsonObject } from "../../test/support/json-pick.ts";

const HOUR_MS = 3_600_000;
const REFRESH = `${CANARY}-refresh`;
const LOGIN = { expiresAt: Date.now() + 2 * HOUR_MS, refresh: REFRESH };
const SIGN_IN = expect.stringContaining("sub2api_simple login plan");

async function plan(more: JsonObject = {}): Promise<DoctorRig> {
  return doctorRig({
    config: await configOf([{ name: "plan", platform: "openai", type: "oauth", ...more }]),
  });
}

async function loginOf(rig: DoctorRig): Promise<unknown> {
  const { findings } = await rig.examine("--offline");
  return findings.find(({ check }) => check === "login");
}

function login(state: string, message: unknown, advice?: unknown): unknown {
  return { check: "login", state, subject: "plan", message, ...(advice === undefined ? {} : { advice }) };
}

test("an account that has never signed in says so, and looking makes nothing", async () => {
  const rig = await plan();
  expect(await loginOf(rig)).toEqual(login("fail", "needs a login: it has never signed in", SIGN_IN));
  expect(await readdir(rig.folder)).toEqual(["config.json"]);
  const seeded = await plan({ refresh_token: REFRESH });
  expect(await loginOf(seeded)).toMatchObject({
    state: "ok",
    message: expect.stringContaining("refresh token of the config"),
  });
});

test("a login that is kept says when its token ends, and what comes then", async () => {
  const rig = await plan();
  await rig.signIn("plan", LOGIN);
  expect(await loginOf(rig)).toEqual(
    login("ok", expect.stringMatching(/^is signed in; its token ends in (2h 00m|1h 59m|60m)$/)),
  );
  const over = await plan();
  await over.signIn("plan", { ...LOGIN, expiresAt: Date.now() - HOUR_MS });
  expect(await loginOf(over)).toEqual(
    login("ok", expect.stringMatching(/ended .* ago, and the next request renews it$/)),
  );
});

test("a login without a refresh token is a warning while its token is good, and a fault after", async () => {
  const rig = await plan();
  await rig.signIn("plan", { expiresAt: LOGIN.expiresAt });
  expect(await loginOf(rig)).toEqual(
    login("warn", expect.stringContaining("without a refresh token"), SIGN_IN),
  );
  await rig.signIn("plan", { expiresAt: Date.now() - HOUR_MS });
  expect(await loginOf(rig)).toEqual(login("fail", expect.stringContaining("its token ended"), SIGN_IN));
});

test("a login that another master key has sealed is told with the file to bring back", async () => {
  const rig = await plan();
  await rig.signIn("plan", LOGIN);
  const key = join(rig.data, "master.key");
  await writeFile(key, `${Buffer.alloc(32, 7).toString("base64")}\n`);
  const other = login(
    "fail",
    expect.stringMatching(
      /cannot be opened: it was sealed with another master key .* which is not in .*master\.key$/,
    ),
    expect.stringContaining("bring the right master key back"),
  );
  expect(await loginOf(rig)).toEqual(other);
  await rm(key);
  expect(await loginOf(rig)).toEqual(other);
  await writeFile(key, "no key\n", { mode: 0o600 });
  expect(await loginOf(rig)).toMatchObject({
    state: "fail",
    message: expect.stringContaining("holds no master key"),
  });
});

test("a followed login is as good as the file it follows", async () => {
  const rig = await plan();
  const file = join(rig.folder, "auth.json");
  await rig.signIn("plan", LOGIN, file);
  expect(await loginOf(rig)).toEqual(login("fail", expect.stringContaining(file), SIGN_IN));
  const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1_000) - 7_200 })).toString(
    "base64url",
  );
  const tokens = { access_token: `h.${claims}.${CANARY}`, refresh_token: REFRESH };
  await writeFile(file, JSON.stringify({ tokens }), { mode: 0o600 });
  expect(await loginOf(rig)).toEqual(
    login(
      "warn",
      expect.stringMatching(/^follows .*auth\.json; its token ended .* nobody has renewed it there$/),
      expect.stringContaining("start Codex"),
    ),
  );
});

async function withDatabase(
  change: (path: string) => Promise<void> | void,
): Promise<{ readonly rig: DoctorRig; readonly path: string }> {
  const rig = await plan();
  await rig.signIn("plan", LOGIN);
  const path = join(rig.data, "sub2api.sqlite");
  await change(path);
  return { rig, path };
}

test("a database that is damaged, foreign, empty or newer is told with what to do, and stays as it is", async () => {
  const cases: readonly (readonly [(path: string) => Promise<void> | void, string, string])[] = [
    [async (path) => cut(path), "is damaged", "serve --recover"],
    [
      (path) => writeFile(path, "a text, and long enough to be no header of a database at all".repeat(20)),
      "is not an SQLite database",
      "serve --recover",
    ],
    [(path) => writeFile(path, ""), "is empty", "serve --recover"],
    [(path) => ran(path, "PRAGMA application_id = 7"), "belongs to another program", "put a backup"],
  ];
  for (const [change, words, advice] of cases) {
    const { rig, path } = await withDatabase(change);
    const before = await readFile(path);
    const { code, wrong } = await rig.examine("--offline");
    expect([code, wrong[0]]).toEqual([
      1,
      {
        check: "database",
        state: "fail",
        subject: path,
        message: expect.stringContaining(words),
        advice: expect.stringContaining(advice),
      },
    ]);
    expect(before.equals(await readFile(path))).toBe(true);
  }
  const { rig } = await withDatabase((path) => ran(path, "PRAGMA user_version = 99"));
  const { wrong } = await rig.examine("--offline");
  expect(wrong[0]).toMatchObject({
    check: "database",
    state: "fail",
    message: "was written by a newer version",
    advice: expect.stringContaining("start the newer version"),
  });
});

test("a journal that has lost its database is told", async () => {
  const rig = await plan();
  await mkdir(rig.data, { mode: 0o700 });
  const journal = join(rig.data, "sub2api.sqlite-wal");
  await writeFile(journal, "what is left", { mode: 0o600 });
  await chmod(journal, 0o600);
  const { wrong } = await rig.examine("--offline");
  expect(wrong[0]).toMatchObject({
    check: "database",
    state: "fail",
    message: expect.stringContaining("is missing, but its journal"),
  });
});

async function cut(path: string): Promise<void> {
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0x5a, 4_096, 12_288));
}

function ran(path: string, sql: string): void {
  const database = new Database(path, { readwrite: true });
  database.run(sql);
  database.close(true);
}
