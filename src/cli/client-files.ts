// Clients' own configs: a change is written beside the file and takes its place in one step, and a backup lies there
// until it is put back. The backup's name holds a digest of what was written, so that later changes are noticed.

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, realpath, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { UsageError } from "./arguments.ts";
import { EditError, editClaude, editCodex, editOpencode } from "./client-edits.ts";
import type { ClientName, Wanted } from "./clients.ts";
import { codexHome } from "./init-found.ts";
import type { Io } from "./io.ts";

/** A client's config that cannot be changed; the message says why. */
export class FileError extends Error {}

export interface ClientConfig {
  readonly client: ClientName;
  readonly path: string;
  /** @throws EditError */
  readonly edit: (text: string, wanted: Wanted) => string;
  /** What in this environment stands against it. */
  readonly warning?: string | undefined;
}

/** @throws UsageError for a client that has none */
export function configOfClient(client: ClientName, env: Io["env"]): ClientConfig {
  const home = env["HOME"] || homedir();
  if (client === "claude") {
    const path = join(env["CLAUDE_CONFIG_DIR"] || join(home, ".claude"), "settings.json");
    const warning = env["ANTHROPIC_API_KEY"]
      ? "ANTHROPIC_API_KEY is set in your environment and would come as a second key, which the gateway refuses: unset it."
      : undefined;
    return { client, path, edit: editClaude, warning };
  }
  if (client === "codex") return { client, path: join(codexHome(env), "config.toml"), edit: editCodex };
  if (client === "opencode") {
    const folder = join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "opencode");
    const commented = join(folder, "opencode.jsonc");
    const path = existsSync(commented) ? commented : join(folder, "opencode.json");
    return { client, path, edit: editOpencode };
  }
  throw new UsageError(`${client} has no config of its own to write to; use the lines that env prints`);
}

export interface Written {
  readonly file: string;
  readonly backup: string;
  readonly told: string;
}

/** @throws FileError */
export async function write(config: ClientConfig, wanted: Wanted): Promise<Written> {
  return telling(config.path, async () => {
    const file = await realOf(config.path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const before = await textOf(file);
    const after = config.edit(before ?? "", wanted);
    const old = await backupOf(file);
    const isOurs = old === undefined || old.endsWith(digest(before ?? ""));
    const backup = isOurs ? `${file}${MARK}${digest(after)}` : old;
    if (old === undefined) await (before === undefined ? put(backup, "") : copyFile(file, backup));
    else if (old !== backup) await rename(old, backup);
    await replace(file, after);
    const undoing = `sub2api_simple env ${config.client} --undo`;
    const told = [
      `${file} points ${config.client} at ${wanted.url} from now on.`,
      `What was there is kept in ${backup}; to put it back: ${undoing}`,
      ...(config.warning === undefined ? [] : [config.warning]),
    ];
    return { file, backup, told: told.join("\n") };
  });
}

export interface Undone {
  readonly file: string;
  /** Where the file went that had been changed after it was written. */
  readonly kept?: string;
  readonly told: string;
}

/** @throws FileError */
export async function undo(config: ClientConfig): Promise<Undone> {
  return telling(config.path, async () => {
    const file = await realOf(config.path);
    const backup = await backupOf(file);
    if (backup === undefined)
      throw new FileError(
        `There is no backup beside ${file}: env ${config.client} --write has not been used.`,
      );
    const now = await textOf(file);
    const isChanged = now !== undefined && !backup.endsWith(digest(now));
    const kept = `${file}.with-sub2api`;
    if (isChanged) await rename(file, kept);
    if ((await textOf(backup)) === "") {
      await rm(file, { force: true });
      await rm(backup);
    } else await rename(backup, file);
    const told = `${file} is as it was before.`;
    if (!isChanged) return { file, told };
    return { file, kept, told: `${told} It had been changed since then: that is kept in ${kept}` };
  });
}

const MARK = ".before-sub2api.";

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

async function backupOf(file: string): Promise<string | undefined> {
  const prefix = basename(file) + MARK;
  const names = existsSync(dirname(file)) ? await readdir(dirname(file)) : [];
  const found = names.find((name) => name.startsWith(prefix));
  return found === undefined ? undefined : join(dirname(file), found);
}

/** A link stays a link. */
async function realOf(path: string): Promise<string> {
  return existsSync(path) ? await realpath(path) : path;
}

async function textOf(path: string): Promise<string | undefined> {
  return existsSync(path) ? await readFile(path, "utf8") : undefined;
}

/** Only its owner reads it, as it holds a key. */
async function put(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function replace(path: string, text: string): Promise<void> {
  const made = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await put(made, text);
    await rename(made, path);
  } finally {
    await rm(made, { force: true });
  }
}

async function telling<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FileError) throw error;
    if (error instanceof EditError) throw new FileError(`${path} is left as it is: ${error.message}`);
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw new FileError(`${path} cannot be changed (${code}); see that you may write there`);
  }
}
