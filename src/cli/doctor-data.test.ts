import { expect, test } from "bun:test";
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configOf, type DoctorRig, doctorRig } from "../../test/support/doctor-rig.ts";
import { account, CANARY } from "../../test/support/gateway-config.ts";
import type { JsonObject } from "../../test/support/json-pick.ts";

const HOUR_MS = 3_600_000;
const isRoot = process.getuid?.() === 0;

/** For checks that ask nobody. */
async function quiet(more: JsonObject = {}): Promise<JsonObject> {
  return configOf([account("first", "http://127.0.0.1:1")], more);
}

/** A database with a login in it. */
async function signedIn(): Promise<DoctorRig> {
  const rig = await doctorRig({
    config: await configOf([{ name: "plan", platform: "openai", type: "oauth" }]),
  });
  await rig.signIn("plan", { expiresAt: Date.now() + HOUR_MS, refresh: `${CANARY}-refresh` });
  return rig;
}

test("a look into a database that is sound leaves everything as it was", async () => {
  const rig = await signedIn();
  const before = await listing(rig.data);
  const { code, findings } = await rig.examine("--offline");
  expect([code, findings.find(({ check }) => check === "database")?.message]).toEqual([
    0,
    expect.stringMatching(/^is sound \(\d+ KiB\)$/),
  ]);
  expect(await listing(rig.data)).toEqual(before);
});

/** Names, modes and contents; but for what SQLite lays beside any database it looks into, as long as that is empty. */
async function listing(folder: string): Promise<unknown> {
  const all = (await readdir(folder)).toSorted();
  const journal = join(folder, "sub2api.sqlite-wal");
  const names = all.filter(
    (name) => !name.endsWith("-shm") && (name !== "sub2api.sqlite-wal" || Bun.file(journal).size > 0),
  );
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return [name, (await stat(path)).mode, Bun.hash(await readFile(path))];
    }),
  );
}

test("a data_dir that is a file, or below one, is no folder to write to", async () => {
  const rig = await doctorRig({ config: await quiet() });
  await writeFile(rig.data, "");
  const { code, wrong } = await rig.examine("--offline");
  expect(code).toBe(1);
  expect(wrong).toEqual([
    {
      check: "data_dir",
      state: "fail",
      subject: rig.data,
      message: "is no folder",
      advice: expect.stringContaining("set data_dir to a folder"),
    },
  ]);
  const below = await doctorRig({ config: await quiet({ data_dir: "config.json/data" }) });
  expect((await below.examine("--offline")).wrong[0]).toMatchObject({
    check: "data_dir",
    message: `cannot be made: ${below.config} is no folder`,
  });
});

test.skipIf(isRoot)("a data_dir that may not be written is said with what to do", async () => {
  const rig = await doctorRig({ config: await quiet() });
  await mkdir(rig.data, { mode: 0o500 });
  const { wrong } = await rig.examine("--offline");
  expect(wrong[0]).toEqual({
    check: "data_dir",
    state: "fail",
    subject: rig.data,
    message: "cannot be written (EACCES)",
    advice: expect.stringContaining("chown"),
  });
});

test.skipIf(!isRoot)(
  "a data_dir of another user's is told with both users, and its database is left alone",
  async () => {
    const rig = await signedIn();
    const files = await readdir(rig.data);
    await Promise.all(
      [rig.data, ...files.map((name) => join(rig.data, name))].map((each) => chown(each, 12_345, 12_345)),
    );
    const { wrong } = await rig.examine("--offline");
    expect(await readdir(rig.data)).toEqual(files);
    expect(wrong).toEqual([
      {
        check: "data_dir",
        state: "fail",
        subject: rig.data,
        message: "belongs to user 12345, and this runs as user 0",
        advice: expect.stringContaining(`chown -R 0 ${rig.data}`),
      },
      {
        check: "database",
        state: "warn",
        subject: join(rig.data, "sub2api.sqlite"),
        message: expect.stringContaining("is not looked at"),
        advice: expect.stringContaining("user of the gateway"),
      },
    ]);
  },
);

test("a data_dir and a master key that others may read are told, and stay as they are", async () => {
  const rig = await signedIn();
  const key = join(rig.data, "master.key");
  await Promise.all([chmod(rig.data, 0o755), chmod(key, 0o644)]);
  for (const time of ["first", "second"]) {
    const { code, wrong } = await rig.examine("--offline");
    expect([time, code, wrong]).toEqual([
      time,
      0,
      [
        {
          check: "data_dir",
          state: "warn",
          subject: rig.data,
          message: "is open to others (0755, not 0700)",
          advice: `chmod 700 ${rig.data}`,
        },
        {
          check: "data_dir",
          state: "warn",
          subject: key,
          message: "is open to others (0644, not 0600)",
          advice: expect.stringContaining("rekey"),
        },
      ],
    ]);
  }
});

test("a disk that is nearly full is a warning, one that is full a fault", async () => {
  for (const [free, state] of [
    [100 << 20, "warn"],
    [1 << 20, "fail"],
  ] as const) {
    const rig = await doctorRig({ config: await quiet(), tools: { freeBytes: () => free } });
    const { wrong } = await rig.examine("--offline");
    expect(wrong).toEqual([
      {
        check: "disk",
        state,
        subject: rig.folder,
        message: expect.stringContaining(`has ${free >> 20} MiB free`),
        advice: expect.stringContaining("make room"),
      },
    ]);
  }
});
