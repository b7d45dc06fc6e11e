// For tests of commands: an Io that keeps what is written, in a folder of its own.

import { onTestFinished } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Io } from "./io.ts";

export interface TestIo extends Io {
  out(): string;
  err(): string;
}

/** `answers` are the lines of stdin; without any, nobody can be asked. */
export async function testIo(env: Io["env"] = {}, answers?: readonly string[]): Promise<TestIo> {
  let out = "";
  let err = "";
  const cwd = await mkdtemp(join(tmpdir(), "cli-"));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  return {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    stdin: answers === undefined ? undefined : Readable.from(answers.map((line) => `${line}\n`)),
    // A home of its own, where nobody has signed in to anything.
    env: { HOME: cwd, ...env },
    cwd,
    out: () => out,
    err: () => err,
  };
}
