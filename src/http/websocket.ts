// Responses over WebSocket: which sockets are open, whose they are, and how much they may hold.

import { GatewayError } from "../core/errors.ts";
import { createMemory } from "./websocket-memory.ts";
import { Session, type SocketRoutes } from "./websocket-session.ts";

const MAX_SOCKETS = 1_024;
const MAX_SOCKETS_PER_KEY = 64;
/** All conversations together. */
const MEMORY_BYTES = 256 << 20;
/** Pings go out before; a client that does not answer them is gone. */
const IDLE_SECONDS = 120;
/** What may wait for a client beyond the frame that told the session to stop: answers to its pings, mostly. */
const BACKLOG_BYTES = 64 << 20;
/** A message's own members beside the body, so that a body that is a little too large is still told so. */
const ENVELOPE_BYTES = 64 << 10;

/** What is known of a socket from its upgrade on. */
export interface Visitor {
  readonly key: string;
  readonly url: string;
  readonly headers: Headers;
  session: Session | undefined;
}

export interface Sockets {
  /**
   * Undefined when the connection is a socket now, else the answer to the request for one. `server` is undefined
   * where only POST is served.
   */
  upgrade(request: Request, server: Bun.Server<Visitor> | undefined): Response | undefined;
  readonly handler: Bun.WebSocketHandler<Visitor>;
  /** Sockets with an answer under way. */
  busy(): number;
  /** Closes each socket as soon as nothing is under way on it. */
  leave(): void;
}

export function createSockets(routes: SocketRoutes): Sockets {
  const open = new Set<Visitor>();
  const memory = createMemory(MEMORY_BYTES);

  function upgrade(request: Request, server: Bun.Server<Visitor> | undefined): Response | undefined {
    try {
      if (server === undefined) throw unserved("only Responses come over one");
      const key = routes.admit(request.headers).name;
      const own = [...open].filter((visitor) => visitor.key === key).length;
      if (own >= MAX_SOCKETS_PER_KEY || open.size >= MAX_SOCKETS) throw unserved("too many of them are open");
      const { url } = request;
      const data: Visitor = { key, url, headers: new Headers(request.headers), session: undefined };
      if (!server.upgrade(request, { data })) throw unserved("this is no proper request for one");
      open.add(data);
      return undefined;
    } catch (thrown) {
      return routes.refuse(thrown);
    }
  }

  const handler: Bun.WebSocketHandler<Visitor> = {
    perMessageDeflate: true,
    idleTimeout: IDLE_SECONDS,
    maxPayloadLength: routes.maxBytes() + ENVELOPE_BYTES,
    backpressureLimit: BACKLOG_BYTES,
    closeOnBackpressureLimit: true,
    open(line) {
      const { url, headers } = line.data;
      line.data.session = new Session({ line, routes, memory, url, headers });
    },
    message: (line, message) => line.data.session?.take(message),
    drain: (line) => line.data.session?.drained(),
    close(line) {
      open.delete(line.data);
      line.data.session?.ended();
    },
  };
  return {
    upgrade,
    handler,
    busy: () => [...open].filter(({ session }) => session?.busy === true).length,
    leave: () => [...open].forEach(({ session }) => session?.leave("the gateway is shutting down")),
  };
}

/** Clients go on with POST when they are told this. */
function unserved(why: string): GatewayError {
  return new GatewayError("websocket_unsupported", `no WebSocket: ${why}; use POST`);
}
