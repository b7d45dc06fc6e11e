// What a command may touch of the process it runs in, so that tests need no child process.

import { existsSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import process from "node:process";

const NAME = "sub2api_simple";

export interface Output {
  write(text: string): unknown;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Missing when nobody can be asked. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** What a command answers to its shell. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** How this program is called, as it was started: for lines that are to be typed. */
export function programName(env: Io["env"]): string {
  const by = env["npm_lifecycle_event"];
  if (by === "start") return "npm start --";
  if (by === "npx") return `npx ${NAME}`;
  // A compiled program is its own runtime; it may lie outside the PATH.
  const own = process.execPath;
  if (!basename(own).startsWith(NAME) || realOf(Bun.which(NAME)) === realOf(own)) return NAME;
  return dirname(own) === process.cwd() ? `./${basename(own)}` : own;
}

function realOf(path: string | null): string | undefined {
  return path === null || !existsSync(path) ? undefined : realpathSync(path);
}
