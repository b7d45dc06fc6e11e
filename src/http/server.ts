// The listening socket and its table of routes.

import type { Protocol } from "../core/account.ts";
import { plain, requestId } from "./answers.ts";
import { createPeerFinder, type Peer } from "./guard.ts";
import { createSockets, type Sockets, type Visitor } from "./websocket.ts";
import type { SocketRoutes } from "./websocket-session.ts";

/** What answers a request; `id` is the rest of the path for routes that take one. */
export type Handle = (request: Request, id?: string) => Promise<Response> | Response;
/** For routes to which it matters who asks. */
export type PeerHandle = (request: Request, peer: Peer) => Promise<Response> | Response;

export interface Routes {
  /** Client requests in one of the protocols. */
  readonly exchange: (request: Request, protocol: Protocol) => Promise<Response>;
  /** What is passed on as it is: the path behind the address of whoever it goes to. */
  readonly errand: (request: Request, path: string) => Promise<Response>;
  /** Responses over WebSocket. */
  readonly sockets: SocketRoutes;
  readonly models: Handle;
  readonly health: Handle;
  readonly live: Handle;
  readonly ready: Handle;
  readonly login: PeerHandle;
  readonly paste: PeerHandle;
  readonly confirm: PeerHandle;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: Routes;
  /** Addresses and ranges whose `x-forwarded-for` counts. */
  readonly trustedProxies: () => readonly string[];
  /** Bytes that a body may have. */
  readonly maxBodyBytes: () => number;
  /** A failure nobody caught: the client gets a plain 500. */
  readonly onError: (error: unknown) => void;
}

export interface Server {
  readonly url: string;
  readonly port: number;
  /** Requests whose answer has not left in full. */
  readonly pending: () => number;
  /** Sends the clients of WebSockets away, each as soon as nothing is under way on its socket. */
  leave(): void;
  /** Stops listening; with `now` open connections are closed as well. */
  stop(now: boolean): Promise<void>;
}

/** Paths of the services that the gateway does not speak itself: they are passed on. */
const ERRAND = /^(\/v1(\/[\w.-]+)+|\/responses\/compact)$/;

/** One host with or without a port, or none, as in HTTP/1.0. Anything else is refused (RFC 9112 §3.2); two come joined by a comma. */
const HOST = /^(?:[\w.~!$&'()*+;=%-]*|\[[\da-f:.]+\])(?::\d{0,5})?$/i;

/** Bun would enforce a limit of its own on bodies; ours is kept where they are read, in the client's protocol. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export function startServer(options: ServerOptions): Server {
  const table = routeTable(options.routes);
  const peerOf = createPeerFinder(options.trustedProxies);
  const sockets = createSockets(options.routes.sockets);
  const server = Bun.serve<Visitor>({
    hostname: options.host,
    port: options.port,
    // Streams may be silent for minutes; silence is the relay's business.
    idleTimeout: 0,
    maxRequestBodySize: NO_LIMIT,
    development: false,
    // Outside development Bun would let a second gateway share the port without a word.
    reusePort: false,
    fetch: (request, bun) => {
      if (!HOST.test(request.headers.get("host") ?? ""))
        return plain(400, "invalid_request", "this is no host, or more than one", { connection: "close" });
      const peer = (): Peer => peerOf(request, bun);
      const answer = dispatch({ table, errand: options.routes.errand, sockets, bun, peer }, request);
      return mayBeEndless(request.headers, options.maxBodyBytes())
        ? partingIfUnread(request, answer)
        : answer;
    },
    websocket: sockets.handler,
    error: (error) => {
      options.onError(error);
      return plain(500, "internal", "the gateway failed to handle this request");
    },
  });
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${server.port}`,
    port: server.port ?? options.port,
    pending: () => server.pendingRequests + sockets.busy(),
    leave: () => sockets.leave(),
    stop: (now) => server.stop(now),
  };
}

interface Route {
  readonly method: "GET" | "POST";
  readonly protocol?: Protocol;
  readonly handle: (
    request: Request,
    id: string | undefined,
    peer: () => Peer,
  ) => Promise<Response> | Response;
}

type Table = ReadonlyMap<string, Route>;

/** Every path there is, but for those that are passed on as they are. */
export function routeTable(routes: Routes): Table {
  const post = (protocol: Protocol): Route => ({
    method: "POST",
    protocol,
    handle: (request) => routes.exchange(request, protocol),
  });
  const get = (handle: Handle): Route => ({ method: "GET", handle: (request, id) => handle(request, id) });
  const withPeer = (method: Route["method"], handle: PeerHandle): Route => ({
    method,
    handle: (request, _id, peer) => handle(request, peer()),
  });
  return new Map([
    ["/v1/messages", post("messages")],
    ["/v1/responses", post("responses")],
    ["/responses", post("responses")],
    ["/v1/chat/completions", post("chat")],
    ["/v1/models", get(routes.models)],
    ["/v1/models/", get(routes.models)],
    ["/health", get(routes.health)],
    ["/health/live", get(routes.live)],
    ["/health/ready", get(routes.ready)],
    ["/auth/login", withPeer("GET", routes.login)],
    ["/auth/paste", withPeer("POST", routes.paste)],
    ["/auth/confirm", withPeer("POST", routes.confirm)],
  ]);
}

interface Arrival {
  readonly table: Table;
  readonly errand: Routes["errand"];
  readonly sockets: Sockets;
  readonly bun: Bun.Server<Visitor>;
  readonly peer: () => Peer;
}

type Answer = Promise<Response> | Response | undefined;

/** Whether more may come in than anybody would read. */
function mayBeEndless(headers: Headers, maxBytes: number): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > maxBytes;
}

/** Bun would take in whatever is left of a body that nobody read, for as long as it comes: the connection ends instead. */
async function partingIfUnread(request: Request, answer: Answer): Promise<Response | undefined> {
  const response = await answer;
  if (!request.bodyUsed || response?.status === 413) response?.headers.set("connection", "close");
  return response;
}

/** Undefined when the connection has become a WebSocket. */
function dispatch(arrival: Arrival, request: Request): Answer {
  const path = pathOf(request.url);
  const model = path.startsWith("/v1/models/") ? path.slice("/v1/models/".length) : undefined;
  const route = arrival.table.get(model === undefined ? path : "/v1/models/");
  if (route === undefined) {
    return request.method === "POST" && ERRAND.test(path)
      ? arrival.errand(request, path)
      : unknownPath(request, path);
  }
  const { method } = request;
  const isRead = method === "HEAD" && route.method === "GET";
  if (method === route.method || isRead) return route.handle(request, model, arrival.peer);
  if (method === "GET" && isUpgrade(request)) return upgrade(arrival, request, route);
  return plain(405, "method_not_allowed", `use ${route.method} here`, { allow: route.method });
}

/** The path of a URL, which is absolute unless no host was named, without building a URL object for every request. */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

function unknownPath(request: Request, path: string): Response {
  // Claude Code asks this at each start and does not look at the answer.
  if (path === "/" && request.method === "HEAD") {
    return new Response(null, { status: 200, headers: { "x-request-id": requestId() } });
  }
  return plain(404, "not_found", "there is nothing at this path");
}

function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

function upgrade({ sockets, bun }: Arrival, request: Request, { protocol }: Route): Response | undefined {
  const refusal = sockets.upgrade(request, protocol === "responses" ? bun : undefined);
  // Codex goes on with POST within 60 ms of a 426; a kept connection would poison the client's pool.
  if (refusal?.status === 426) refusal.headers.set("upgrade", "websocket");
  refusal?.headers.set("connection", "close");
  return refusal;
}
