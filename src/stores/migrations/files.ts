// The files under a database: private to their owner, never followed through a link, moved aside but never
// overwritten.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import type { Log } from "../../core/ports.ts";
import { failure } from "../common.ts";

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const STICKY = 0o1000;
/** Windows has no modes to speak of. */
const HAS_MODES = process.platform !== "win32";

/** What SQLite lays beside a database and replays into it. */
const JOURNALS = ["-wal", "-journal"];
const SIDECARS = [...JOURNALS, "-shm"];

/** Makes the folder, or narrows it where it is wider than its owner. @throws when it cannot be made */
export function privateFolder(folder: string, log: Log): void {
  try {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    throw failure(
      `the data folder ${folder} cannot be made; set data_dir to a folder that this user may write`,
      error,
    );
  }
  if (!HAS_MODES) return;
  const { mode } = statSync(folder);
  if ((mode & 0o077) === 0) return;
  if (isShared(folder, mode)) {
    log({ level: "warn", event: "folder-open-to-others", fields: { folder, mode: octal(mode) } });
  } else narrow(folder, FOLDER_MODE, log);
}

/** A folder that others use as well (a home, /tmp, /etc) is not ours to close. */
function isShared(folder: string, mode: number): boolean {
  if ((mode & STICKY) !== 0) return true;
  return readdirSync(folder, { withFileTypes: true }).some((entry) => !entry.isFile());
}

/** Narrows a database and what lies beside it. */
export function privateFiles(path: string, log: Log): void {
  if (!HAS_MODES) return;
  for (const file of existing(path, ["", ...SIDECARS])) {
    if ((lstatSync(file).mode & 0o077) !== 0) narrow(file, FILE_MODE, log);
  }
}

/** Some mounts keep no modes: that is worth a warning, not a refusal. */
function narrow(path: string, mode: number, log: Log): void {
  const before = statSync(path).mode;
  try {
    chmodSync(path, mode);
  } catch (error) {
    log({
      level: "warn",
      event: "mode-too-wide",
      fields: { path, mode: octal(before), error: String(error) },
    });
    return;
  }
  const after = statSync(path).mode;
  const event = (after & 0o077) === 0 ? "mode-narrowed" : "mode-too-wide";
  log({ level: "warn", event, fields: { path, mode: octal(before), now: octal(after) } });
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}

function existing(path: string, endings: readonly string[]): string[] {
  return endings.map((ending) => path + ending).filter((file) => sizeOf(file) !== undefined);
}

/** Undefined when there is nothing. @throws for a link or anything else that is no plain file */
export function sizeOf(file: string): number | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw new Error(`${file} is a link or a folder, not a plain file; move it away`);
  return found.size;
}

/** A journal with content: without its database it is all that is left of it. */
export function journalOf(path: string): string | undefined {
  return existing(path, JOURNALS).find((file) => (sizeOf(file) ?? 0) > 0);
}

/** An empty file that no other can have prepared, and that only its owner may read, whatever the umask. */
export function privateEmptyFile(path: string): void {
  closeSync(openSync(path, "wx", FILE_MODE));
}

/** Gives a finished file its name, unless another process was first; the file then goes. */
export function publish(made: string, path: string): void {
  try {
    linkSync(made, path);
    rmSync(made);
  } catch (error) {
    if (sizeOf(path) !== undefined) rmSync(made);
    // Some file systems have no hard links.
    else if (codeOf(error) === "ENOENT") throw error;
    else renameSync(made, path);
  }
  syncFolder(dirname(path));
}

/** Renames a database with all that belongs to it, so that it can still be opened and saved from. */
export function moveAside(path: string, wall: number): string {
  const time = new Date(wall).toISOString().replaceAll(":", "").replace(/\.\d+/, "");
  const taken = new Set(readdirSync(dirname(path)));
  let aside = `${path}.corrupt-${time}`;
  for (let count = 2; taken.has(basename(aside)); count++) aside = `${path}.corrupt-${time}-${count}`;
  for (const file of existing(path, ["", ...SIDECARS])) renameSync(file, aside + file.slice(path.length));
  syncFolder(dirname(path));
  return aside;
}

export function remove(path: string): void {
  for (const ending of ["", ...SIDECARS]) rmSync(path + ending, { force: true });
}

function syncFolder(folder: string): void {
  let file: number | undefined;
  try {
    file = openSync(folder, "r");
    fsyncSync(file);
  } catch {
    // Not every system can sync a folder (Windows); the name is then as durable as it gets.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
