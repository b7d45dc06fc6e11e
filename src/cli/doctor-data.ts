// Of data_dir: whether it can be written, who may look into it, room on its disk, and the database.

import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import type { Finding, World } from "./doctor-findings.ts";
import { sentence, wordsOf } from "./who.ts";

const MIB = 1 << 20;
const LITTLE_MIB = 200;

export function checkDataFolder({ config: { dataDir } }: World): Finding[] {
  const subject = dataDir;
  const exists = existsSync(dataDir);
  const place = exists ? dataDir : nearestFolder(dataDir);
  if (!statSync(place).isDirectory())
    return [
      failed(subject, `cannot be a folder: ${place} is a file`, "move the file away, or change data_dir"),
    ];
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch {
    const what = exists ? "cannot be written" : `cannot be made: ${place} cannot be written`;
    return [failed(subject, what, `run the gateway as its owner, or change data_dir`)];
  }
  const { bavail, bsize } = statfsSync(place);
  const free = Math.floor((bavail * bsize) / MIB);
  if (free < LITTLE_MIB)
    return [
      failed(subject, `has only ${free} MiB of room left on its disk`, "make room, or change data_dir"),
    ];
  const wide = exists && process.platform !== "win32" && (statSync(dataDir).mode & 0o077) !== 0;
  if (!wide)
    return [{ check: "data", state: "ok", subject, what: exists ? "can be written" : "will be made" }];
  const what = "may be read by others on this machine";
  return [{ check: "data", state: "warn", subject, what, todo: `chmod 700 ${dataDir}` }];
}

export function checkDatabase({ config, desk }: World): Finding[] {
  const subject = "database";
  try {
    const trouble = desk.databaseTrouble(config);
    if (trouble === undefined)
      return [{ check: "data", state: "ok", subject, what: "is sound, or not there yet" }];
    const todo = "put a backup in its place, or start once with: serve --recover, which moves it aside";
    return [failed(subject, trouble, todo)];
  } catch (error) {
    return [failed(subject, `cannot be used. ${sentence(wordsOf(error))}`, "see what the message says")];
  }
}

/** How each account that signs in stands. */
export async function checkLogins({ config, desk, io }: World): Promise<Finding[]> {
  try {
    const standings = await desk.standings(config, io.env);
    return config.accounts
      .filter((account) => account.platform === "openai" && account.type === "oauth" && !account.disabled)
      .flatMap(({ name, oauthToken, refreshToken }): Finding[] => {
        if (oauthToken !== undefined) return [];
        const standing = standings.get(name);
        if (standing?.state === "ready")
          return [{ check: "login", state: "ok", subject: name, what: "is signed in" }];
        if (standing === undefined && refreshToken !== undefined)
          return [{ check: "login", state: "ok", subject: name, what: "has a refresh token, not used yet" }];
        const what = `needs somebody to sign in: ${standing?.reason ?? "nobody has yet"}`;
        return [{ check: "login", state: "fail", subject: name, what, todo: `sub2api_simple login ${name}` }];
      });
  } catch (error) {
    const todo = "put the master key back: docs/logins.md says where it lies";
    return [
      {
        check: "login",
        state: "fail",
        subject: "logins",
        what: `cannot be read. ${sentence(wordsOf(error))}`,
        todo,
      },
    ];
  }
}

function nearestFolder(path: string): string {
  let place = path;
  while (!existsSync(place)) place = dirname(place);
  return place;
}

function failed(subject: string, what: string, todo: string): Finding {
  return { check: "data", state: "fail", subject, what, todo };
}
