// One accepted connection of the scripted upstream: writes that say when the kernel took the bytes, the three ways
// to go away, and a single notice when the other side has gone.
import type { Socket } from "node:net";
import type { Random } from "../../src/core/ports.ts";

/** Thrown into an answer that still wants to write or wait after the other side has left; the upstream swallows it. */
export class ConnectionGone extends Error {
  override readonly name = "ConnectionGone";
}

export interface Connection {
  readonly id: number;
  readonly socket: Socket;
  readonly open: boolean;
  /** Bytes of this connection that the kernel has taken. */
  readonly sentBytes: number;
  /** Resolves when the kernel has taken the bytes. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Like `write`, for the bytes that finish an answer: its request stops counting as active before they leave. */
  finish(bytes: Uint8Array | string): Promise<void>;
  /** FIN after everything written; `answered` when the FIN is the proper end of the answer. */
  end(how?: "answered" | "broken"): void;
  /** RST; what the other side has not read yet is lost. */
  reset(): void;
  sleep(durationMs: number): Promise<void>;
  /** Waits until the other side leaves. */
  hang(): Promise<void>;
  readonly closed: Promise<void>;
}

export interface ConnectionHooks {
  /** The answer in progress is about to be complete, or is broken off by the script. */
  ending(how: "answered" | "broken"): void;
  /** The socket has gone, whoever wanted it. */
  gone(): void;
}

/** What is written in one piece may be read in so many, by what chance says. */
const MOST_PIECES = 4;

function piecesOf(bytes: Uint8Array, chance: Random): readonly Uint8Array[] {
  const places = Array.from({ length: Math.floor(chance() * MOST_PIECES) }, () =>
    Math.floor(chance() * bytes.length),
  );
  const cuts = [0, ...places.filter((place) => place > 0), bytes.length].toSorted((a, b) => a - b);
  return cuts.slice(1).map((to, index) => bytes.subarray(cuts[index], to));
}

/** With `chance` each write becomes some, so that the other side reads other pieces with each seed. */
export function wrapConnection(
  id: number,
  socket: Socket,
  hooks: ConnectionHooks,
  chance?: Random,
): Connection {
  const waiting = new Set<(error: ConnectionGone) => void>();
  const closed = Promise.withResolvers<void>();
  let open = true;
  let sentBytes = 0;

  const leave = (): void => {
    if (!open) return;
    open = false;
    for (const reject of waiting) reject(new ConnectionGone(`connection ${id} is gone`));
    waiting.clear();
    hooks.gone();
    closed.resolve();
  };

  const untilGone = <T>(start: (resolve: (value: T) => void) => (() => void) | undefined): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (!open) {
        reject(new ConnectionGone(`connection ${id} is gone`));
        return;
      }
      const settle = (value: T): void => {
        waiting.delete(fail);
        resolve(value);
      };
      const cancel = start(settle);
      const fail = (error: ConnectionGone): void => {
        cancel?.();
        reject(error);
      };
      waiting.add(fail);
    });

  const write = (bytes: Uint8Array | string): Promise<void> =>
    untilGone((resolve) => {
      const buffer = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
      const pieces = chance === undefined ? [buffer] : piecesOf(buffer, chance);
      for (const piece of pieces.slice(0, -1)) socket.write(piece);
      socket.write(pieces.at(-1) ?? buffer, (error) => {
        if (error !== undefined && error !== null) return;
        sentBytes += buffer.byteLength;
        resolve(undefined);
      });
      return undefined;
    });

  socket.setNoDelay(true);
  socket.on("error", leave);
  socket.on("close", leave);
  // A FIN from an HTTP client that still waits for its answer means it has left.
  socket.on("end", () => {
    leave();
    socket.destroy();
  });

  return {
    id,
    socket,
    get open() {
      return open;
    },
    get sentBytes() {
      return sentBytes;
    },
    write,
    finish(bytes) {
      hooks.ending("answered");
      return write(bytes);
    },
    end(how = "broken") {
      hooks.ending(how);
      socket.end();
    },
    reset() {
      hooks.ending("broken");
      socket.resetAndDestroy();
    },
    sleep(durationMs) {
      return untilGone((resolve) => {
        const timer = setTimeout(() => resolve(undefined), durationMs);
        return () => clearTimeout(timer);
      });
    },
    hang: () => closed.promise,
    closed: closed.promise,
  };
}
