// Standard output as a log may use it: a reader that does not read stops nobody.

import { closeSync, openSync, constants, writeSync } from "node:fs";
import type { Write } from "./outlet.ts";

/** A terminal that takes nothing is asked again this often. */
const STUCK_MS = 50;
/** Characters of one turn that are worth a write of their own. */
const MAX_PENDING = 64 * 1024;

/** The part of `process.stdout` that is needed. */
export interface OutputStream {
  readonly fd?: number;
  readonly isTTY?: boolean;
  write(text: string): boolean;
  once(event: "drain" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** What is written after the reader has gone is thrown away. */
export function outputSink(stream: OutputStream): Write {
  const terminal = stream.isTTY === true ? openTerminal(stream.fd ?? 1) : undefined;
  return terminal === undefined ? streamSink(stream) : terminalSink(terminal);
}

/** Lines of one turn of the event loop go out in one write: under load a write costs more than its lines. */
function streamSink(stream: OutputStream): Write {
  let gone = false;
  let pending = "";
  let blocked: Promise<void> | undefined;
  let release: (() => void) | undefined;
  const free = (): void => {
    release?.();
    release = undefined;
  };
  stream.on("error", () => {
    gone = true;
    free();
  });
  const flush = (): void => {
    const text = pending;
    pending = "";
    if (gone || text === "" || stream.write(text)) return;
    stream.once("drain", free);
    blocked = new Promise<void>((resolve) => (release = resolve)).then(() => void (blocked = undefined));
  };
  return (text) => {
    if (gone) return undefined;
    if (pending === "") setImmediate(flush);
    pending += text;
    if (pending.length > MAX_PENDING) flush();
    return blocked;
  };
}

/**
 * Bun writes to a terminal synchronously, and a terminal that is stopped (Ctrl-S, a marked text) would stop the
 * whole gateway. The same terminal, opened once more without blocking, says instead that it is full.
 */
function openTerminal(fd: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

function terminalSink(fd: number): Write {
  let gone = false;
  const give = (bytes: Uint8Array): Uint8Array | undefined => {
    if (gone) return undefined;
    try {
      const written = writeSync(fd, bytes);
      return written < bytes.length ? bytes.subarray(written) : undefined;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return bytes;
      gone = true;
      closeSync(fd);
      return undefined;
    }
  };
  const giveAll = async (bytes: Uint8Array): Promise<void> => {
    let left: Uint8Array | undefined = bytes;
    let moved = true;
    while (left !== undefined) {
      // Its own timer, not Clock's: this is about a terminal, not about requests.
      const wait = moved ? 1 : STUCK_MS;
      await new Promise((resolve) => void setTimeout(resolve, wait).unref());
      const before: number = left.length;
      left = give(left);
      moved = left?.length !== before;
    }
  };
  return (text) => {
    const left = give(Buffer.from(text));
    return left === undefined ? undefined : giveAll(left);
  };
}
