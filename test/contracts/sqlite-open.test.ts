// Which files the SQLite store opens, which it refuses, and that a refusal changes nothing.

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { exchangeOf, NOW, SLOW_DISK_MS, stateOf } from "./records.ts";
import { Place } from "./sqlite-files.ts";

const PAGE = 4_096;

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  chmodSync(place.folder, 0o700);
  place.remove();
});

/** A sound database of a good many pages. Returns its bytes. */
function filled(): Buffer {
  const records = place.open();
  for (let n = 0; n < 300; n++) records.append(exchangeOf(`row-${n}`, { startedAt: NOW + n }));
  for (let n = 0; n < 100; n++) records.save(stateOf(`state-${n}`));
  records.close();
  return place.bytes();
}

function expectRefused(bytes: Uint8Array, why: RegExp | string): void {
  writeFileSync(place.path, bytes);
  const refusal = place.refusal();
  expect(refusal).toMatch(why);
  expect(refusal).toContain(place.path);
  expect(place.bytes().equals(bytes)).toBe(true);
}

function changed(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}

describe("a damaged database", () => {
  test("is refused at whichever page it is cut off, and left as it is", () => {
    const whole = filled();
    expect(whole.length).toBeGreaterThan(20 * PAGE);
    for (let length = 0; length < whole.length; length += PAGE / 2) {
      expectRefused(whole.subarray(0, length), /is empty|is damaged|is not an SQLite database/);
    }
  });

  test("is refused whichever page's head is overwritten, and left as it is", () => {
    const whole = filled();
    for (let at = PAGE; at < whole.length; at += PAGE) expectRefused(changed(whole, at, 0xff), "is damaged");
    expectRefused(changed(whole, 0, 0), "is not an SQLite database");
    expectRefused(changed(whole, 100, 0xff), "is damaged");
  });

  test(
    "is refused or works, whichever byte is flipped",
    () => {
      const whole = filled();
      let seed = 7;
      for (let round = 0; round < 60; round++) {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        const at = seed % whole.length;
        const bytes = changed(whole, at, (whole[at] ?? 0) ^ (1 << (round % 8)));
        writeFileSync(place.path, bytes);
        let records;
        try {
          records = place.open();
        } catch {
          expect(place.bytes().equals(bytes)).toBe(true);
          continue;
        }
        records.load("sticky", NOW);
        records.append(exchangeOf("one more"));
        records.flush();
        records.close();
      }
    },
    SLOW_DISK_MS,
  );

  test("is moved aside when the operator says so, with what lies beside it", () => {
    const cut = filled().subarray(0, 3 * PAGE + 17);
    writeFileSync(place.path, cut);
    writeFileSync(`${place.path}-wal`, "what was not yet in the file", { mode: 0o600 });
    const records = place.open(true);
    records.append(exchangeOf("anew"));
    records.close();
    expect(place.exchanges().map((row) => row.id)).toEqual(["anew"]);
    const aside = `${place.path}.corrupt-2026-01-01T000000Z`;
    expect(readFileSync(aside).equals(cut)).toBe(true);
    expect(readFileSync(`${aside}-wal`, "utf8")).toBe("what was not yet in the file");
    expect(place.lines.map((line) => [line.event, line.fields?.["moved"]])).toEqual([
      ["database-moved-aside", aside],
    ]);
    writeFileSync(place.path, cut);
    place.open(true).close();
    expect(readFileSync(`${aside}-2`).equals(cut)).toBe(true);
  });

  test("that is sound is not moved, whatever the operator says", () => {
    filled();
    place.open(true).close();
    expect(place.names).toEqual(["sub2api.sqlite"]);
    expect(place.exchanges()).toHaveLength(300);
  });

  test("that lacks a column is refused, and closed again", () => {
    filled();
    const database = new Database(place.path, { readwrite: true });
    database.run("ALTER TABLE exchanges RENAME COLUMN took_ms TO tooc_ms");
    database.close(true);
    expect(place.refusal()).toContain("lacks what it should hold");
    expect(place.names).toEqual(["sub2api.sqlite"]);
  });

  test("of which only the journal is left is refused", () => {
    filled();
    rmSync(place.path);
    writeFileSync(`${place.path}-wal`, "rows");
    expect(place.refusal()).toContain("is missing, but its journal");
    expect(readFileSync(`${place.path}-wal`, "utf8")).toBe("rows");
    expect(place.names).toEqual(["sub2api.sqlite-wal"]);
    place.open(true).close();
    expect(place.names).toEqual(["sub2api.sqlite", "sub2api.sqlite.corrupt-2026-01-01T000000Z-wal"]);
  });
});

describe("a foreign file", () => {
  test("is refused, whatever it is", () => {
    mkdirSync(dirname(place.path));
    expectRefused(Buffer.from('{"accounts": {}}'), "is not an SQLite database");
    expectRefused(Buffer.alloc(10_000), "is not an SQLite database");
    const other = new Database(join(place.folder, "other.sqlite"), { create: true });
    other.run("CREATE TABLE mine (a)");
    other.close(true);
    expectRefused(readFileSync(join(place.folder, "other.sqlite")), "belongs to another program");
  });

  test("of a newer version is refused and never moved", () => {
    filled();
    const database = new Database(place.path, { readwrite: true });
    database.run("PRAGMA user_version = 1000");
    database.close(true);
    expect(place.refusal()).toContain("was written by a newer version");
    expect(() => place.open(true)).toThrow("was written by a newer version");
    expect(place.names).toContain("sub2api.sqlite");
    expect(place.exchanges()).toHaveLength(300);
  });

  test("behind a link is not touched", () => {
    filled();
    const target = join(place.folder, "target");
    const bytes = place.bytes();
    writeFileSync(target, bytes);
    rmSync(place.path);
    symlinkSync(target, place.path);
    expect(place.refusal()).toContain("is a link or a folder");
    expect(() => place.open(true)).toThrow("is a link or a folder");
    expect(readFileSync(target).equals(bytes)).toBe(true);
  });
});

describe("modes", () => {
  test("are 0600 and 0700 from the start, whatever the umask", () => {
    const before = process.umask(0);
    try {
      const records = place.open();
      records.append(exchangeOf("a"));
      records.flush();
      expect(place.modes).toEqual({
        ".": "700",
        "sub2api.sqlite": "600",
        "sub2api.sqlite-shm": "600",
        "sub2api.sqlite-wal": "600",
      });
      records.close();
    } finally {
      process.umask(before);
    }
    expect(place.lines).toEqual([]);
  });

  test("that are too wide are narrowed, with a warning", () => {
    filled();
    chmodSync(place.path, 0o644);
    chmodSync(dirname(place.path), 0o755);
    place.open().close();
    expect(place.modes).toEqual({ ".": "700", "sub2api.sqlite": "600" });
    expect(
      place.lines.map(({ level, event, fields }) => [level, event, fields?.["mode"], fields?.["now"]]),
    ).toEqual([
      ["warn", "mode-narrowed", "0755", "0700"],
      ["warn", "mode-narrowed", "0644", "0600"],
    ]);
  });

  test("of a folder that others use are only warned of", () => {
    filled();
    mkdirSync(join(dirname(place.path), "somebody's"));
    chmodSync(dirname(place.path), 0o755);
    place.open().close();
    expect(place.modes["."]).toBe("755");
    expect(place.events).toEqual(["folder-open-to-others"]);
  });
});

describe("a folder that cannot be written", () => {
  test("is named, with what to do", () => {
    writeFileSync(dirname(place.path), "a file where the folder should be");
    expect(place.refusal()).toMatch(/the data folder .* cannot be made; set data_dir/);
  });

  test("is named when it is there but closed", () => {
    const open = (): string => asOrdinaryUser(() => place.refusal());
    mkdirSync(dirname(place.path), { mode: 0o700 });
    chmodSync(place.folder, 0o755);
    chmodSync(dirname(place.path), 0o555);
    expect(open()).toMatch(/the database .* cannot be used; see that its folder can be written/);
    chmodSync(dirname(place.path), 0o700);
    const whole = filled();
    chmodSync(dirname(place.path), 0o555);
    chmodSync(place.path, 0o444);
    expect(open()).toMatch(/the database .* cannot be used|cannot be read/);
    expect(place.bytes().equals(whole)).toBe(true);
  });
});

/** Root may write anywhere. */
function asOrdinaryUser<T>(work: () => T): T {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    return work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
