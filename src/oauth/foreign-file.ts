// Reads a file in which another program keeps its logins. Nothing of its content ever gets into an error.

import { open } from "node:fs/promises";
import { constants } from "node:fs";
import { type Json, parseJson } from "../core/json.ts";

export type FileProblem =
  | "missing"
  /** The system does not let this user read it. */
  | "denied"
  /** No plain file, too big, or a disk at fault. */
  | "unreadable"
  /** Not JSON, which it may also be for a moment while its program writes it. */
  | "malformed"
  | "no_login"
  | "api_key_only";

/** A file from which no login can be taken. The message is for the operator and holds no secret. */
export class LoginFileError extends Error {
  readonly problem: FileProblem;
  readonly path: string;

  constructor(problem: FileProblem, path: string, message: string) {
    super(message);
    this.name = "LoginFileError";
    this.problem = problem;
    this.path = path;
  }
}

const MAX_BYTES = 1024 * 1024;

/** The JSON in a file. Follows links: people keep such files under version control. @throws LoginFileError */
export async function readForeignFile(path: string): Promise<Json> {
  const value = parseJson(await textOf(path));
  if (value === undefined) throw new LoginFileError("malformed", path, `${path} is not JSON`);
  return value;
}

async function textOf(path: string): Promise<string> {
  try {
    // A pipe in its place must not hold the gateway.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const about = await file.stat();
      if (!about.isFile()) throw new LoginFileError("unreadable", path, `${path} is not a regular file`);
      if (about.size > MAX_BYTES) throw new LoginFileError("unreadable", path, `${path} is over 1 MiB`);
      // Some editors begin their files with a mark.
      return (await file.readFile("utf8")).replace(/^\uFEFF/, "");
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof LoginFileError ? error : refused(path, error);
  }
}

function refused(path: string, error: unknown): LoginFileError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code === "ENOENT" || code === "ENOTDIR")
    return new LoginFileError("missing", path, `there is no ${path}`);
  if (code === "EACCES" || code === "EPERM")
    return new LoginFileError(
      "denied",
      path,
      `this user may not read ${path} (${code}); let the user it belongs to do this, or let this one read it`,
    );
  return new LoginFileError("unreadable", path, `${path} cannot be read (${code})`);
}
