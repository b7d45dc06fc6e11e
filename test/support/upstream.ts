// A scripted provider: an HTTP/1.1 server written by hand on node:net, so that every fault can be made exactly.
// It records what it is asked, counts what is under way, and answers each request by the rule that fits it.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Random } from "../../src/core/ports.ts";
import { ConnectionGone, wrapConnection, type Connection, type ConnectionHooks } from "./connection.ts";
import { MessageReader } from "./http-message.ts";
import { Ledger, type Load } from "./upstream-ledger.ts";
import {
  newRequest,
  RuleBook,
  type Answer,
  type LiveRequest,
  type Match,
  type UpstreamRequest,
} from "./upstream-request.ts";

export type { Connection } from "./connection.ts";
export type { Load } from "./upstream-ledger.ts";
export type { Answer, Match, RequestState, UpstreamRequest } from "./upstream-request.ts";

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly UpstreamRequest[];
  /** Requests under way: from the end of their head until their answer ends or the connection goes. */
  readonly active: number;
  readonly peak: number;
  /** Connections accepted since the start, and those open now. */
  readonly connections: number;
  readonly openConnections: number;
  /** The same counts for one account. */
  account(credential: string): Load;
  /** The rule given last is asked first. */
  when(match: Match, answer: Answer): void;
  /** For requests that no rule fits. */
  otherwise(answer: Answer): void;
  /** Called for each new connection before anything is read, e.g. to reset it. */
  onConnection(act: (connection: Connection) => void): void;
  /** Forgets rules, ended requests and peaks; connections stay. */
  clear(): void;
  /** Waits until no request is under way; throws with what is left after `withinMs` (2 s). */
  idle(withinMs?: number): Promise<void>;
  /** Throws if a request is still under way, was no HTTP, had no rule, or if an answer failed. Twice is harmless. */
  close(): Promise<void>;
}

const IDLE_WITHIN_MS = 10_000;
const BACKLOG = 4096;

interface Service {
  readonly rules: RuleBook;
  readonly ledger: Ledger;
  readonly open: Set<Connection>;
  readonly chance: Random | undefined;
  accepted: number;
  greet: (connection: Connection) => void;
}

export interface UpstreamOptions {
  readonly idleWithinMs?: number;
  /** A network of moods: answers begin a little later, and what is written at once is read in pieces. */
  readonly chance?: Random;
}

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const idleWithinMs = options.idleWithinMs ?? IDLE_WITHIN_MS;
  const rules = new RuleBook();
  const ledger = new Ledger();
  const { chance } = options;
  const service: Service = { rules, ledger, open: new Set(), chance, accepted: 0, greet: () => undefined };
  const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket, service));
  const port = await listen(server);
  const stop = async (): Promise<void> => {
    await ledger.idle(idleWithinMs).catch((error: unknown) => ledger.faults.push(String(error)));
    for (const connection of service.open) connection.socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    if (ledger.faults.length > 0) throw new Error(`upstream: ${ledger.faults.join("; ")}`);
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= stop();
    return closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get requests() {
      return ledger.requests;
    },
    get active() {
      return ledger.all.active;
    },
    get peak() {
      return ledger.all.peak;
    },
    get connections() {
      return service.accepted;
    },
    get openConnections() {
      return service.open.size;
    },
    account: (credential) => ledger.account(credential),
    when: (match, answer) => rules.add({ match, answer }),
    otherwise: (answer) => rules.addFallback({ match: {}, answer }),
    onConnection(act) {
      service.greet = act;
    },
    clear() {
      rules.clear();
      ledger.clear();
      service.greet = () => undefined;
    },
    idle: (withinMs = idleWithinMs) => ledger.idle(withinMs),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", BACKLOG, resolve);
  });
  return (server.address() as AddressInfo).port;
}

function serve(socket: Socket, service: Service): void {
  const { ledger } = service;
  const pending: LiveRequest[] = [];
  service.accepted += 1;
  const hooks: ConnectionHooks = {
    ending(how) {
      const [current] = pending;
      if (current !== undefined) ledger.settle(current, how);
    },
    gone() {
      service.open.delete(connection);
      for (const request of pending) ledger.settle(request, "abandoned");
    },
  };
  const connection = wrapConnection(service.accepted, socket, hooks, service.chance);
  service.open.add(connection);
  service.greet(connection);
  const answerPending = answerInOrder(pending, connection, service);
  const reader = receive(connection, ledger, pending, answerPending);
  socket.on("data", (bytes: Buffer) => {
    try {
      reader.push(bytes);
    } catch (error) {
      ledger.faults.push(`connection ${connection.id}: ${String(error)}`);
      socket.resetAndDestroy();
    }
  });
}

function receive(
  connection: Connection,
  ledger: Ledger,
  pending: LiveRequest[],
  changed: () => void,
): MessageReader {
  let parts: Buffer[] = [];
  let current: LiveRequest | undefined;
  return new MessageReader(
    { role: "request" },
    {
      head(head) {
        parts = [];
        current = newRequest(ledger.requests.length + 1, head, connection);
        pending.push(current);
        ledger.begin(current);
        changed();
      },
      body(bytes) {
        parts.push(bytes);
      },
      end() {
        if (current === undefined) return;
        current.body = Buffer.concat(parts);
        if (current.state === "receiving") current.state = "answering";
        changed();
      },
    },
  );
}

/** Requests of one connection are answered one after another, as HTTP/1.1 wants it of pipelined ones. */
function answerInOrder(pending: LiveRequest[], connection: Connection, service: Service): () => void {
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    try {
      for (let next = pending[0]; next !== undefined && connection.open; next = pending[0]) {
        const rule = service.rules.find(next);
        if (next.state === "receiving" && rule?.match.at !== "head") return;
        service.rules.count(next);
        next.state = "answering";
        await answer(next, rule?.answer, service);
        pending.shift();
      }
    } finally {
      working = false;
    }
  };
  return () => {
    if (!working) void work();
  };
}

/** The longest an answer waits by chance. */
const MOOD_MS = 3;

async function answer(request: LiveRequest, chosen: Answer | undefined, service: Service): Promise<void> {
  const { connection } = request;
  const { ledger, chance } = service;
  try {
    if (chosen === undefined) throw new Error("no rule fits");
    if (chance !== undefined) await connection.sleep(chance() * MOOD_MS);
    await chosen(request, connection);
    ledger.settle(request, "answered");
  } catch (error) {
    if (error instanceof ConnectionGone) return;
    ledger.faults.push(
      `${request.method} ${request.target} (${request.credential ?? "no credential"}): ${String(error)}`,
    );
    connection.reset();
  }
}
