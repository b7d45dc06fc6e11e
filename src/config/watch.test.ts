import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { good, minimal } from "./fixtures.ts";
import type { Problem } from "./problems.ts";
import type { Config } from "./schema.ts";
import { type ConfigWatch, watchConfig, type WatchOptions } from "./watch.ts";

type Report = { readonly config: Config } | { readonly problems: readonly Problem[] };

let folder = "";
let file = "";
let open: ConfigWatch[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "config-"));
  file = join(folder, "config.json");
  await writeFile(file, textWith(1));
});

afterEach(async () => {
  for (const each of open) each.close();
  open = [];
  await rm(folder, { recursive: true, force: true });
});

/** Configs are told apart by their number of account switches. */
function textWith(switches: number): string {
  return JSON.stringify({ ...minimal({ max_account_switches: switches }), data_dir: "/data" });
}

/** A watch that begins with the config 1, and its reports in their order. */
async function startWatch(more: Partial<WatchOptions> = {}) {
  const reports: Report[] = [];
  const waiting: ((report: Report) => void)[] = [];
  const report = (each: Report): void => {
    const next = waiting.shift();
    if (next === undefined) reports.push(each);
    else next(each);
  };
  const watch = watchConfig({
    path: file,
    current: await good(textWith(1)),
    env: {},
    onConfig: (config) => report({ config }),
    onProblems: (problems) => report({ problems }),
    debounceMs: 50,
    pollMs: 3_600_000,
    ...more,
  });
  open.push(watch);
  const next = (): Promise<Report> => {
    const first = reports.shift();
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
  };
  const switches = async (): Promise<number | string> => {
    const each = await next();
    return "config" in each
      ? each.config.maxAccountSwitches
      : each.problems.map(({ message }) => message).join();
  };
  return { watch, switches, reports };
}

async function replaceBy(text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}

test("a file that is written in place is taken into use", async () => {
  const { switches } = await startWatch();
  await writeFile(file, textWith(2));
  expect(await switches()).toBe(2);
  await writeFile(file, textWith(3));
  expect(await switches()).toBe(3);
});

test("a file that is replaced, as editors do, is taken into use again and again", async () => {
  const { switches } = await startWatch();
  for (const count of [2, 3, 4]) {
    await replaceBy(textWith(count));
    expect(await switches()).toBe(count);
  }
});

test("a link that is turned to another folder, as orchestrators do, is followed", async () => {
  for (const count of [1, 2]) {
    await mkdir(join(folder, `v${count}`));
    await writeFile(join(folder, `v${count}`, "config.json"), textWith(count));
  }
  await symlink("v1", join(folder, "live"));
  await rm(file);
  await symlink("live/config.json", file);
  const { switches } = await startWatch();
  await symlink("v2", join(folder, "live.tmp"));
  await rename(join(folder, "live.tmp"), join(folder, "live"));
  expect(await switches()).toBe(2);
});

test("a bad file is reported and never replaces the good one; the next good one does", async () => {
  const { switches } = await startWatch();
  await writeFile(file, textWith(-1));
  expect(await switches()).toBe("must be at least 0");
  await writeFile(file, textWith(1));
  expect(await switches()).toBe(1);
});

test("a file that is gone is reported, and taken up when it comes back", async () => {
  const { switches } = await startWatch();
  await rm(file);
  expect(await switches()).toBe("does not exist");
  await writeFile(file, textWith(2));
  expect(await switches()).toBe(2);
});

test("a half-written file is looked at a second time before anything is said", async () => {
  const { watch, switches, reports } = await startWatch({ debounceMs: 400 });
  await writeFile(file, textWith(2).slice(0, 30));
  const done = watch.reload();
  await Bun.sleep(50);
  await writeFile(file, textWith(2));
  await done;
  expect(await switches()).toBe(2);
  expect(reports).toEqual([]);
});

test("a change made before the watch began is noticed", async () => {
  await writeFile(file, textWith(7));
  const { switches } = await startWatch();
  expect(await switches()).toBe(7);
});

test("a file that was only touched, or a neighbour that changed, is no news", async () => {
  const { switches, reports } = await startWatch();
  await writeFile(file, `${textWith(1)} // the same`);
  await writeFile(join(folder, "neighbour"), "x");
  const other = await startWatch();
  await other.watch.reload();
  expect(await other.switches()).toBe(1);
  await writeFile(file, textWith(2));
  expect(await switches()).toBe(2);
  expect(reports).toEqual([]);
});

test("SIGHUP reads the file again and reports it even when nothing changed", async () => {
  const { switches } = await startWatch({ env: {} });
  process.kill(process.pid, "SIGHUP");
  expect(await switches()).toBe(1);
});

test("without events from the file system the poll sees a change", async () => {
  const { switches } = await startWatch({ pollMs: 20 });
  await replaceBy(textWith(5));
  expect(await switches()).toBe(5);
});

test("reports come in the order of the changes, the last one last", async () => {
  const { watch, reports } = await startWatch();
  const looks: Promise<void>[] = [];
  for (let count = 2; count < 12; count++) {
    await replaceBy(textWith(count));
    looks.push(watch.reload());
  }
  await Promise.all(looks);
  const seen = reports.map((each) => ("config" in each ? each.config.maxAccountSwitches : -1));
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(11);
});

test("a config that cannot be taken into use counts as a bad one, and the next one is tried again", async () => {
  const tried: number[] = [];
  const refused: string[] = [];
  const { watch } = await startWatch({
    debounceMs: 3_600_000,
    onConfig: ({ maxAccountSwitches }) => {
      tried.push(maxAccountSwitches);
      if (tried.length === 1) throw new Error("the port is taken");
    },
    onProblems: (problems) => refused.push(...problems.map(({ message }) => message)),
  });
  await writeFile(file, textWith(2));
  await watch.reload();
  await watch.reload();
  expect(tried).toEqual([2, 2]);
  expect(refused).toEqual(["could not be taken into use: the port is taken"]);
});

test("after close nothing is reported and nothing is left behind", async () => {
  const before = process.listenerCount("SIGHUP");
  const closed = await startWatch();
  expect(process.listenerCount("SIGHUP")).toBe(before + 1);
  closed.watch.close();
  expect(process.listenerCount("SIGHUP")).toBe(before);
  const { switches } = await startWatch();
  await writeFile(file, textWith(2));
  expect(await switches()).toBe(2);
  await closed.watch.reload();
  expect(closed.reports).toEqual([]);
});
