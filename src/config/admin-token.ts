// The token that opens what clients may not see. One that the config does not name is made once and kept.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Config } from "./schema.ts";

const BYTES = 32;
const FILE = "admin.token";
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/** @throws with a message for the operator, when the file in `data_dir` can be neither read nor made */
export function adminTokenOf({ adminToken, dataDir }: Pick<Config, "adminToken" | "dataDir">): string {
  if (adminToken !== undefined) return adminToken;
  const path = join(dataDir, FILE);
  try {
    return kept(path) ?? made(path, dataDir);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the admin token ${path} cannot be used: ${why}`, { cause });
  }
}

/** The token of an earlier start. A file that others may read is closed to them. */
function kept(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    if ((fstatSync(file).mode & 0o077) !== 0) fchmodSync(file, 0o600);
    const token = readFileSync(file, "utf8").trim();
    if (token.length < BYTES)
      throw new Error("it is too short; remove it, and the next start makes a new one");
    return token;
  } finally {
    closeSync(file);
  }
}

function made(path: string, dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const token = randomBytes(BYTES).toString("base64url");
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeSync(file, `${token}\n`);
  } finally {
    closeSync(file);
  }
  return token;
}
