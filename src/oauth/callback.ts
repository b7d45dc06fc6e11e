// The listener the issuer sends the browser back to: on this machine's loopback only, and only while a sign-in is open.

import { networkInterfaces } from "node:os";

export interface CallbackListener {
  readonly port: number;
  /** Answers that have not left in full, also after `stop`. */
  pending(): number;
  /** Takes no more connections; answers under way are finished. */
  stop(): void;
}

/** Somebody else has the port. */
export class PortBusyError extends Error {
  readonly port: number;

  constructor(port: number, cause: unknown) {
    super(`port ${port} is in use`, { cause });
    this.name = "PortBusyError";
    this.port = port;
  }
}

export type CallbackHandle = (request: Request) => Promise<Response> | Response;

const MAX_BODY_BYTES = 16_384;
const IDLE_SECONDS = 30;

/**
 * Listens on 127.0.0.1 and, where the machine has it, ::1: browsers take either for `localhost`.
 * @throws PortBusyError when either is taken
 */
export function listenForCallback(port: number, handle: CallbackHandle): CallbackListener {
  const first = listen("127.0.0.1", port, handle);
  const chosen = first.port ?? port;
  let second: Bun.Server<undefined> | undefined;
  try {
    second = hasIpv6Loopback() ? listen("::1", chosen, handle) : undefined;
  } catch (error) {
    // Another program there would get the browser's answer, and with it the code.
    void first.stop(true);
    throw error;
  }
  return {
    port: chosen,
    pending: () => first.pendingRequests + (second?.pendingRequests ?? 0),
    stop() {
      void first.stop(false);
      void second?.stop(false);
    },
  };
}

function listen(hostname: string, port: number, handle: CallbackHandle): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname,
      port,
      // Outside development Bun would let two programs share the port without a word.
      reusePort: false,
      development: false,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: MAX_BODY_BYTES,
      async fetch(request, server) {
        const local = isOwnHost(request.headers.get("host"), server.port ?? port);
        const response = local ? await handle(request) : new Response("not for this host\n", { status: 421 });
        // The listener goes with the last sign-in; a kept connection would hold it.
        response.headers.set("connection", "close");
        return response;
      },
      error: () => new Response("the sign-in failed inside the gateway\n", { status: 500 }),
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    throw code === "EADDRINUSE" ? new PortBusyError(port, error) : error;
  }
}

/** Against names that somebody points at 127.0.0.1 (DNS rebinding). */
function isOwnHost(host: string | null, port: number): boolean {
  return [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`].includes(host?.toLowerCase() ?? "");
}

/** A sandbox without netlink sockets does not let anybody ask; browsers try 127.0.0.1 as well. */
function hasIpv6Loopback(): boolean {
  try {
    return Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));
  } catch {
    return false;
  }
}
