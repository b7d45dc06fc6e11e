// Killed at any moment, the SQLite store keeps what it acknowledged, and each batch whole or not at all.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { SLOW_DISK_MS } from "./records.ts";
import { ROWS } from "./records-writer.ts";
import { Place } from "./sqlite-files.ts";

const KILLS = 20;
const LONGEST_MS = 300;

/** Runs the writer for a while and kills it. Returns the last batch it acknowledged, or 0. */
async function writeAndKill(path: string, afterMs: number): Promise<number> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "records-writer.ts"), path], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = child.stdout.text();
  await Bun.sleep(afterMs);
  child.kill("SIGKILL");
  await child.exited;
  const lines = (await output).split("\n");
  // The last line may be cut.
  return Number(lines.at(-2) ?? 0);
}

interface Found {
  readonly check: unknown;
  readonly rows: number;
  readonly batches: number;
  readonly last: number;
}

function look(path: string): Found {
  const database = new Database(path, { readwrite: true });
  const one = <T>(sql: string): T | undefined => database.query(sql).values()[0]?.[0] as T | undefined;
  const found = {
    check: one("PRAGMA integrity_check"),
    rows: one<number>("SELECT count(*) FROM exchanges") ?? 0,
    batches: one<number>("SELECT count(DISTINCT substr(id, 1, instr(id, '-'))) FROM exchanges") ?? 0,
    last: Number(one<string>("SELECT value FROM state WHERE key = 'batch'") ?? 0),
  };
  database.close(true);
  return found;
}

test(
  `keeps what it acknowledged over ${KILLS} kills`,
  async () => {
    const place = new Place();
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      // Some fall into the opening, most into the writing.
      const last = await writeAndKill(place.path, 30 + Math.random() * LONGEST_MS);
      acknowledged = Math.max(acknowledged, last);
      if (acknowledged === 0) continue;
      const found = look(place.path);
      expect(found.check).toBe("ok");
      expect(found.last).toBeGreaterThanOrEqual(acknowledged);
      expect(found).toMatchObject({ batches: found.last, rows: found.last * ROWS });
    }
    expect(acknowledged).toBeGreaterThan(KILLS);
    place.open().close();
    place.remove();
  },
  SLOW_DISK_MS,
);
