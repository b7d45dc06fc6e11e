// Addresses at which nobody answers: a port that refuses, and one that swallows every SYN.
import { dlopen, ptr } from "bun:ffi";
import { connect, createServer, type Socket } from "node:net";

/** Below those that Linux gives to whoever asks for any port, and above those that have a meaning. */
const OURS = { from: 20_000, to: 32_000 } as const;

/**
 * A port of this machine that is free: connecting is refused. It is not one that others are given meanwhile, so whoever
 * asks there, such as for a gateway that is starting, does not ask somebody else.
 */
export async function closedPort(): Promise<number> {
  for (;;) {
    const port = OURS.from + Math.floor(Math.random() * (OURS.to - OURS.from));
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return port;
  }
}

export interface BlackHole extends Disposable {
  readonly url: string;
  readonly port: number;
  close(): void;
}

const AF_INET = 2;
const SOCK_STREAM = 1;
const ADDRESS_BYTES = 16;
const FILLERS = 4;

/**
 * A listening socket that nobody accepts from and whose backlog is full, so that further SYNs get no answer.
 * node:net always accepts, hence libc. Linux with glibc only.
 */
export async function blackHole(): Promise<BlackHole> {
  const libc = dlopen("libc.so.6", {
    socket: { args: ["int", "int", "int"], returns: "int" },
    bind: { args: ["int", "ptr", "u32"], returns: "int" },
    listen: { args: ["int", "int"], returns: "int" },
    getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
    close: { args: ["int"], returns: "int" },
  });
  const { socket, bind, listen, getsockname, close } = libc.symbols;
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_INET, 0);
  address.set([127, 0, 0, 1], 4);
  const length = new Uint32Array([ADDRESS_BYTES]);
  const listener = socket(AF_INET, SOCK_STREAM, 0);
  const failed =
    bind(listener, ptr(address), ADDRESS_BYTES) +
    listen(listener, 0) +
    getsockname(listener, ptr(address), ptr(length));
  if (listener < 0 || failed !== 0) throw new Error("no listening socket from libc");
  const port = address.readUInt16BE(2);
  const fillers = await fill(port);
  const release = (): void => {
    for (const filler of fillers) filler.destroy();
    close(listener);
    libc.close();
  };
  return { url: `http://127.0.0.1:${port}`, port, close: release, [Symbol.dispose]: release };
}

/** Takes the places of the accept queue, until a connection no longer comes about. */
async function fill(port: number): Promise<Socket[]> {
  const fillers: Socket[] = [];
  for (let taken = 0; taken < FILLERS; taken += 1) {
    const filler = connect({ port, host: "127.0.0.1" });
    filler.on("error", () => undefined);
    fillers.push(filler);
    const connected = await Promise.race([
      new Promise<boolean>((resolve) => filler.once("connect", () => resolve(true))),
      Bun.sleep(100).then(() => false),
    ]);
    if (!connected) return fillers;
  }
  throw new Error("the backlog does not fill");
}
