// Changes to a config file by a command: what people wrote, comments and order included, stays as it is.

import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { findNodeAtLocation, type Node, parseTree } from "jsonc-parser";
import { arrayAt, isObject, type Json, type JsonObject } from "../core/json.ts";
import { append } from "./append.ts";
import { parseConfig } from "./parse.ts";
import { errorCode } from "./substitute.ts";

/** A config that cannot be changed by a command; the message says why and holds nothing of the config. */
export class ConfigEditError extends Error {}

/**
 * The text of a config with one account more, behind the others.
 * @throws ConfigEditError when the text is no config that an account could be put into
 */
export function addAccount(text: string, account: JsonObject): string {
  const before = valueOf(text);
  const root = parseTree(text, [], { allowTrailingComma: true });
  if (root === undefined || before === undefined) throw new ConfigEditError("it is not a valid config");
  const edited = edit(text, root, account);
  // What was meant, or nothing: a slip here would be a slip in somebody's config.
  const meant = { ...before, accounts: [...(arrayAt(before, "accounts") ?? []), account] };
  if (!isDeepStrictEqual(plain(valueOf(edited)), plain(meant)))
    throw new ConfigEditError("an account cannot be put into it without changing something else");
  return edited;
}

function edit(text: string, root: Node, account: JsonObject): string {
  const entry = oneLine(account);
  const accounts = findNodeAtLocation(root, ["accounts"]);
  if (accounts === undefined) return append(text, root, `"accounts": [${entry}]`);
  if (accounts.type === "array") return append(text, accounts, entry);
  // Null and "" mean that a key is not given.
  if (accounts.value !== null && accounts.value !== "")
    throw new ConfigEditError("its accounts are not a list");
  const { offset, length } = accounts;
  return `${text.slice(0, offset)}[${entry}]${text.slice(offset + length)}`;
}

function valueOf(text: string): JsonObject | undefined {
  const parsed = parseConfig(text);
  return parsed.ok && parsed.findings.length === 0 && isObject(parsed.value) ? parsed.value : undefined;
}

/** Objects of the config's reader have no prototype, which counts as a difference. */
function plain(value: Json | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** `{ "name": "codex", "type": "oauth" }`: as people write it. */
function oneLine(account: JsonObject): string {
  const members = Object.entries(account).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  );
  return `{ ${members.join(", ")} }`;
}

/**
 * Puts `text` in place of a config file's content in one step, so that a gateway that watches it sees the one or the
 * other. A link stays a link. The file keeps its owner; nobody gets to read it who could not, and not the whole world.
 * @param expected what the file is to hold now: an editor's change in between is not overwritten
 * @throws ConfigEditError
 */
export async function replaceConfig(path: string, text: string, expected: string): Promise<void> {
  try {
    const file = await realpath(path);
    const before = await stat(file);
    const made = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
    try {
      await writeLike(made, text, before);
      if ((await readConfigText(file)) !== expected)
        throw new ConfigEditError("it has been changed meanwhile; try again");
      await rename(made, file);
    } finally {
      await rm(made, { force: true });
    }
    await syncFolder(dirname(file));
  } catch (error) {
    if (error instanceof ConfigEditError) throw error;
    throw new ConfigEditError(`it cannot be written (${errorCode(error)})`, { cause: error });
  }
}

/** The text of a config as it is checked: UTF-8 without a mark. @throws TypeError when it is no UTF-8 */
export async function readConfigText(path: string): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
}

interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

async function writeLike(path: string, text: string, like: Owned): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await keepOwner(file, like);
    // Somebody chose these; a file that all the world could read has only been left so.
    if ((like.mode & 0o007) === 0) await file.chmod((like.mode & 0o660) | 0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Root may run a command on the config of a gateway that runs as somebody else. */
async function keepOwner(file: FileHandle, { uid, gid }: Owned): Promise<void> {
  const own = await file.stat();
  if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
}

async function syncFolder(folder: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(folder, "r");
    await file.sync();
  } catch {
    // Not every system can sync a folder; the name is then as durable as it gets.
  } finally {
    await file?.close();
  }
}
