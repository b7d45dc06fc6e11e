// Checks of `data_dir`: whether the gateway can keep its records and logins there, and nobody else read them.

import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { octal } from "./doctor-config.ts";
import { about, codeOf, type Finding, type Patient, type Pen } from "./doctor-finding.ts";
import type { Io } from "./io.ts";
import { count } from "./units.ts";
import { wordsOf } from "./who.ts";

const MIB = 1_048_576;
const LITTLE_BYTES = 500 * MIB;
/** A journal grows to a few MiB before it is brought into the database. */
const FULL_BYTES = 20 * MIB;
const OTHERS = 0o077;
const HAS_MODES = process.platform !== "win32";
const DATABASE = "sub2api.sqlite";
/** What the gateway makes there. */
const OWN = /^(?:sub2api\.sqlite.*|master\.key.*|admin\.token)$/;

export function checkDataDir({ config: { dataDir }, tools, io }: Patient): readonly Finding[] {
  const pen = about("data_dir", dataDir);
  const there = nearest(dataDir);
  const wrong = notWritable(there, dataDir, { pen, user: userName(io) });
  if (wrong !== undefined) return [wrong];
  const isNew = there !== dataDir;
  const found = isNew ? [pen.ok(`is not there yet, and will be made in ${there}`)] : checkModes(dataDir, pen);
  return [...found, checkDisk(there, (tools.freeBytes ?? freeBytes)(there))];
}

/** The folder, or the nearest above it that is there. */
function nearest(folder: string): string {
  let there = folder;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  return there;
}

function notWritable(
  there: string,
  dataDir: string,
  { pen, user }: { readonly pen: Pen; readonly user: string },
): Finding | undefined {
  if (!statSync(there).isDirectory()) {
    const what = there === dataDir ? "is no folder" : `cannot be made: ${there} is no folder`;
    return pen.fail(what, "set data_dir to a folder, or move that file away");
  }
  try {
    accessSync(there, constants.W_OK | constants.X_OK | constants.R_OK);
    return undefined;
  } catch (error) {
    const what = there === dataDir ? "cannot be written" : `cannot be made in ${there}`;
    const advice = `give the folder to ${user} (chown), or set data_dir to one that this user may write`;
    return pen.fail(`${what} (${codeOf(error)})`, advice);
  }
}

function checkModes(dataDir: string, pen: Pen): readonly Finding[] {
  if (!HAS_MODES) return [pen.ok("can be written")];
  const files = readdirSync(dataDir).filter((name) => OWN.test(name));
  const own = ownerTrouble([dataDir, ...files.map((name) => join(dataDir, name))]);
  if (own !== undefined) return [own];
  const wide = files.flatMap((name) => openFile(join(dataDir, name)) ?? []);
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & OTHERS) === 0)
    return [pen.ok(`can be written, and is closed to others (${octal(mode)})`), ...wide];
  return [pen.warn(`is open to others (${octal(mode)}, not 0700)`, `chmod 700 ${dataDir}`), ...wide];
}

function openFile(path: string): Finding | undefined {
  const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
  if ((mode & OTHERS) === 0) return undefined;
  const isKey = path.includes("master.key");
  const then = isKey ? "; others may have read it: sub2api_simple rekey puts a new one in its place" : "";
  return about("data_dir", path).warn(
    `is open to others (${octal(mode)}, not 0600)`,
    `chmod 600 ${path}${then}`,
  );
}

/** A file of another user's is one the gateway cannot open, or that this run would spoil for it. */
function ownerTrouble(paths: readonly string[]): Finding | undefined {
  const user = process.getuid?.();
  const path = paths.find((each) => statSync(each, { throwIfNoEntry: false })?.uid !== user);
  if (user === undefined || path === undefined) return undefined;
  const owner = statSync(path, { throwIfNoEntry: false })?.uid ?? "nobody";
  const advice = `run this and the gateway as that user (sudo -u '#${owner}' ...), or give the folder away: chown -R ${user} ${paths[0]}`;
  return about("data_dir", path).fail(`belongs to user ${owner}, and this runs as user ${user}`, advice);
}

function userName({ env }: Io): string {
  return env["USER"] ?? `user ${process.getuid?.() ?? "of the gateway"}`;
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return Number(bavail) * Number(bsize);
}

function checkDisk(folder: string, free: number): Finding {
  const pen = about("disk", folder);
  const advice = "make room there, or set data_dir to another disk";
  const left = `has ${count(Math.floor(free / MIB))} MiB free`;
  if (free < FULL_BYTES) return pen.fail(`${left}: logins and records cannot be kept safely`, advice);
  return free < LITTLE_BYTES ? pen.warn(`${left}, which may not last`, advice) : pen.ok(left);
}

/** Whether a look into the database finds something, and leaves nothing: SQLite lays files beside it that are ours. */
export function isOurs(dataDir: string): "ours" | "foreign" | "no folder" {
  const there = nearest(dataDir);
  if (!statSync(there).isDirectory()) return "no folder";
  const paths = [dataDir, join(dataDir, DATABASE)].filter((each) => existsSync(each));
  return ownerTrouble(paths) === undefined ? "ours" : "foreign";
}

export function checkDatabase({ config: { dataDir }, desk }: Patient): readonly Finding[] {
  const pen = about("database", join(dataDir, DATABASE));
  const whose = isOurs(dataDir);
  if (whose === "no folder") return [];
  if (whose === "foreign")
    return [pen.warn("is not looked at, as it is another user's", "run this as the user of the gateway")];
  let look: ReturnType<typeof desk.database>;
  try {
    look = desk.database();
  } catch (error) {
    return [unread(wordsOf(error).replace(/^the database \S+ /, ""), pen)];
  }
  const { bytes, trouble } = look;
  const recover =
    "stop the gateway and put a backup in its place; without one: serve --recover moves it aside and begins anew (docs/storage.md)";
  if (trouble !== undefined) return [pen.fail(trouble, recover)];
  if (bytes === undefined) return [pen.ok("is not there yet; the first start makes it")];
  return [
    pen.ok(
      `is sound (${bytes < MIB ? `${Math.ceil(bytes / 1_024)} KiB` : `${count(Math.round(bytes / MIB))} MiB`})`,
    ),
  ];
}

function unread(words: string, pen: Pen): Finding {
  const [what = words] = words.split(". ");
  if (/newer version/.test(what))
    return pen.fail(what, "start the newer version of this program, or set another data_dir");
  return pen.fail(what, "run this as the user of the gateway, and see docs/storage.md");
}
