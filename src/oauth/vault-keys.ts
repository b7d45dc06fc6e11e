// Where the master key lies. In this order: the environment, systemd's credential, a file in `data_dir`.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../core/ports.ts";

export interface VaultOptions {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told when the key could be read by others. */
  readonly log?: Log;
  /** True for whoever only looks: a key file that is open to others stays so. */
  readonly looksOnly?: boolean;
}

/** Several keys at one place, one a line: the first seals, the others open what was sealed before a change. */
export interface KeyRing {
  /** In words: a path, or the name of a variable. */
  readonly place: string;
  /** The file that holds them; undefined where only the operator can put others. */
  readonly path: string | undefined;
  /**
   * The key that seals.
   * @param isFirst nothing is sealed yet: where there is no key, one is made
   * @throws with words for the operator
   */
  current(isFirst: boolean): Buffer;
  /** @throws with words for the operator */
  find(wanted: (key: Buffer) => boolean): Buffer | undefined;
  /** As they are now; none when there is no file yet. @throws with words for the operator */
  all(): readonly Buffer[];
}

const VARIABLE = "SUB2API_MASTER_KEY";
const CREDENTIAL = "master_key";
const FILE = "master.key";
const FILE_MODE = 0o600;
const ADVICE = "it is used from memory until this process ends; put a backup of it in its place before that";
const LOST =
  "Put a backup of it there; or, if it is lost, a new one (32 random bytes in base64), and sign every account in anew";
const KEY_BYTES = 32;
const MAX_FILE_BYTES = 65_536;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Windows has no modes to speak of. */
const HAS_MODES = process.platform !== "win32";

export function openKeyRing({ dataDir, env, log, looksOnly = false }: VaultOptions): KeyRing {
  const given = env[VARIABLE];
  if (given !== undefined && given !== "") return fixedRing(VARIABLE, () => given);
  const folder = env["CREDENTIALS_DIRECTORY"];
  if (folder !== undefined && folder !== "") {
    const path = join(folder, CREDENTIAL);
    // systemd makes it readable for the service alone, by means of its own.
    const text = readIfThere(path, { links: true });
    if (text !== undefined) return fixedRing(path, () => text);
  }
  const path = join(dataDir, FILE);
  return fileRing(path, log, looksOnly ? () => {} : (file) => narrow(file, path, log));
}

function fixedRing(place: string, read: () => string): KeyRing {
  let keys: readonly Buffer[] | undefined;
  const all = (): readonly Buffer[] => (keys ??= keysIn(read(), place));
  return {
    place,
    path: undefined,
    all,
    current: () => firstOf(all(), place),
    find: (wanted) => all().find(wanted),
  };
}

function fileRing(path: string, log: Log | undefined, look: (file: number) => void): KeyRing {
  // Another process may put a new key in place at any time, and sealing is rare: the file is read each time. What is
  // opened is mostly sealed with a key that has been seen. A file that vanishes takes no key with it: another one in its
  // place would open nothing of what is there, and hide that the first is lost.
  let seen: readonly Buffer[] = [];
  let isMissed = false;
  const all = (): readonly Buffer[] => {
    const text = readIfThere(path, { look });
    if (text !== undefined) seen = keysIn(text, path);
    else if (seen.length > 0 && !isMissed)
      log?.({ level: "error", event: "master-key-missing", fields: { path, advice: ADVICE } });
    isMissed = text === undefined;
    return seen;
  };
  return {
    place: path,
    path,
    all,
    current(isFirst) {
      const [key] = all();
      if (key !== undefined) return key;
      if (isFirst) return makeKeyFile(path);
      throw new Error(`the master key ${path} is missing, and logins are sealed with it. ${LOST}`);
    },
    find: (wanted) => seen.find(wanted) ?? all().find(wanted),
  };
}

function firstOf(keys: readonly Buffer[], place: string): Buffer {
  const [key] = keys;
  if (key === undefined) throw new Error(`${place} holds no master key`);
  return key;
}

export function newKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** One key a line, or separated by commas; each 32 bytes in hex or base64. Never quotes what it refuses. */
function keysIn(text: string, place: string): readonly Buffer[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const keys = words.map((word) => Buffer.from(word, /^[0-9a-f]{64}$/i.test(word) ? "hex" : "base64"));
  if (keys.length === 0 || keys.some((key) => key.length !== KEY_BYTES))
    throw new Error(`${place} holds no master key: 32 bytes in base64 or hex are due, one key a line`);
  return keys;
}

/** Undefined when there is no such file. @throws with words for the operator */
function readIfThere(
  path: string,
  { links = false, look = (_file: number): void => {} } = {},
): string | undefined {
  let file: number;
  try {
    file = openSync(path, O_RDONLY | (links ? 0 : (O_NOFOLLOW ?? 0)) | (O_NONBLOCK ?? 0));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    const why = code === "ELOOP" ? "is a link; put the file itself in its place" : `cannot be read (${code})`;
    throw new Error(`the master key ${path} ${why}`, { cause: error });
  }
  try {
    const about = fstatSync(file);
    if (!about.isFile() || about.size > MAX_FILE_BYTES)
      throw new Error(`the master key ${path} is not a plain small file`);
    look(file);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** What others can read is closed to them, and said: they may have read it. */
function narrow(file: number, path: string, log: Log | undefined): void {
  if (!HAS_MODES) return;
  const before = fstatSync(file).mode & 0o777;
  if ((before & 0o077) === 0) return;
  const fields = { path, mode: octal(before) };
  try {
    fchmodSync(file, FILE_MODE);
  } catch (error) {
    log?.({ level: "warn", event: "mode-too-wide", fields: { ...fields, error: codeOf(error) } });
    return;
  }
  log?.({ level: "warn", event: "mode-narrowed", fields: { ...fields, now: octal(FILE_MODE) } });
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

/** Makes the first key, unless another process was first. @throws with words for the operator */
function makeKeyFile(path: string): Buffer {
  const key = newKey();
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const made = writeBeside(path, [key]);
    try {
      linkSync(made, path);
    } finally {
      rmSync(made, { force: true });
    }
    syncFolder(dirname(path));
    return key;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return firstOf(keysIn(readIfThere(path) ?? "", path), path);
    throw new Error(`the master key ${path} cannot be made (${codeOf(error)})`, { cause: error });
  }
}

/** Puts keys in place of those in the file, wholly or not at all. @throws with words for the operator */
export function replaceKeyFile(path: string, keys: readonly Buffer[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const made = writeBeside(path, keys);
    try {
      renameSync(made, path);
    } catch (error) {
      rmSync(made, { force: true });
      throw error;
    }
    syncFolder(dirname(path));
  } catch (error) {
    throw new Error(`the master key ${path} cannot be changed (${codeOf(error)})`, { cause: error });
  }
}

/** On the disk, with a name of its own, for its owner alone whatever the umask. */
function writeBeside(path: string, keys: readonly Buffer[]): string {
  const made = `${path}.${randomBytes(6).toString("hex")}.new`;
  const file = openSync(made, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), FILE_MODE);
  try {
    if (HAS_MODES) fchmodSync(file, FILE_MODE);
    writeFileSync(file, keys.map((key) => `${key.toString("base64")}\n`).join(""));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return made;
}

function syncFolder(folder: string): void {
  let file: number | undefined;
  try {
    file = openSync(folder, O_RDONLY);
    fsyncSync(file);
  } catch {
    // Not every system can sync a folder (Windows); the name is then as durable as it gets.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
