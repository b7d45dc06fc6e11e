// The places a raw request is sent to: the gateway alone, a front alone before a recorder, and the gateway behind a front
// with a tap between the two that counts the requests of the one and the answers of the other.
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { json } from "../support/answers.ts";
import { account, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { provider } from "../support/provider.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { type FrontName, MARK_HEADER, startFront } from "./fronts.ts";
import { CLIENT_KEY } from "./raw-drafts.ts";

export type StandName = "gateway" | FrontName | `${FrontName}+gateway`;

/** What came of one input at one stand. */
export interface Verdict {
  readonly statuses: readonly number[];
  readonly closed: boolean;
  /** What arrived at the end, in order. */
  readonly passed: readonly Passed[];
}

export interface Passed {
  readonly body: string;
  /** Whether it is what the gateway has an account for. */
  readonly isConversation: boolean;
}

export interface Stand {
  readonly name: StandName;
  send(id: number, bytes: Buffer, quietMs: number): Promise<Verdict>;
}

/** Answers of the gateway for which the front had passed on no request. */
export interface Surplus {
  readonly front: FrontName;
  readonly ids: readonly number[];
  readonly asked: number;
  readonly statuses: readonly number[];
}

export interface Stands extends AsyncDisposable {
  readonly list: readonly Stand[];
  readonly missing: readonly FrontName[];
  surplus(id: number): Surplus | undefined;
}

const ID = /fz(\d+)x/g;
const MARK = crypto.randomUUID().replaceAll("-", "");

interface Recorder {
  readonly port: number;
  readonly passed: (id: number) => Passed[];
  readonly close: () => Promise<void>;
}

/** What arrives at an upstream, by the id that stands in it. */
async function recorder(answer: ReturnType<typeof json>): Promise<Recorder> {
  const upstream: Upstream = await startUpstream();
  const seen = new Map<number, Passed[]>();
  upstream.otherwise((request, connection) => {
    const body = request.body.toString("latin1");
    const id = Number([...`${request.target} ${body}`.matchAll(ID)][0]?.[1] ?? -1);
    const keys = request.headers.filter(([name]) => /^(authorization|x-api-key)$/i.test(name));
    const isAllowed = keys.length === 1 && keys[0]?.[1] === `Bearer ${CLIENT_KEY}`;
    const isConversation = request.method === "POST" && request.path === "/v1/messages" && isAllowed;
    seen.set(id, [...(seen.get(id) ?? []), { body, isConversation }]);
    return answer(request, connection);
  });
  return {
    port: upstream.port,
    passed: (id) => seen.get(id) ?? [],
    // A front may pass on what the recorder cannot read; that is no request then.
    close: () => upstream.close().catch(() => undefined),
  };
}

/** All answers' statuses in what a server has sent, but those that only say to go on. */
function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)]
    .map((found) => Number(found[1]))
    .filter((status) => status >= 200);
}

function standAt(name: StandName, port: number, passed: Recorder["passed"]): Stand {
  const send = (id: number, bytes: Buffer, quietMs: number): Promise<Verdict> => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let text = "";
    let over = false;
    let timer = setTimeout(() => done(false), quietMs);
    const done = (closed: boolean): void => {
      over = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ statuses: statusesIn(text), closed, passed: passed(id) });
    };
    socket.on("data", (data: Buffer) => {
      if (over) return;
      text += data.toString("latin1");
      clearTimeout(timer);
      timer = setTimeout(() => done(false), quietMs);
    });
    // What is under way behind it may still arrive.
    const gone = (): void => {
      if (over) return;
      clearTimeout(timer);
      timer = setTimeout(() => done(true), Math.min(quietMs, 30));
    };
    socket.on("end", gone);
    socket.on("error", gone);
    socket.write(bytes);
    return promise;
  };
  return { name, send };
}

interface Tap {
  readonly port: number;
  readonly surplus: Map<number, Surplus>;
  readonly close: () => Promise<void>;
}

async function tap(to: number, name: FrontName): Promise<Tap> {
  const surplus = new Map<number, Surplus>();
  const open = new Set<{ destroy(): void }>();
  const server: Server = createServer((front) => {
    const gateway = connect({ port: to, host: "127.0.0.1", noDelay: true });
    let asked = "";
    let answered = "";
    let told = false;
    for (const socket of [front, gateway]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => (front.destroy(), gateway.destroy(), open.delete(socket)));
    }
    front.on("data", (bytes: Buffer) => {
      asked += bytes.toString("latin1");
      gateway.write(bytes);
    });
    gateway.on("data", (bytes: Buffer) => {
      answered += bytes.toString("latin1");
      const statuses = statusesIn(answered);
      const requests = asked.toLowerCase().split(`${MARK_HEADER}: ${MARK}`).length - 1;
      if (statuses.length > requests && !told) {
        told = true;
        const ids = [...new Set([...asked.matchAll(ID)].map((found) => Number(found[1])))];
        for (const id of ids.slice(-2)) surplus.set(id, { front: name, ids, asked: requests, statuses });
      }
      front.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: (server.address() as AddressInfo).port, surplus, close };
}

/** Those of the fronts that are installed. */
export async function startStands(fronts: readonly FrontName[]): Promise<Stands> {
  const closing: (() => Promise<unknown>)[] = [];
  const list: Stand[] = [];
  const taps: Tap[] = [];
  const missing: FrontName[] = [];
  const gatewayBefore = async (): Promise<{ readonly port: number; readonly passed: Recorder["passed"] }> => {
    const upstream = await recorder(provider());
    const accounts = [
      account("first", `http://127.0.0.1:${upstream.port}`, { more: { concurrency: 1_000 } }),
    ];
    const more = {
      auth_tokens: [CLIENT_KEY],
      first_event_timeout: "20s",
      response_timeout: "20s",
      connect_timeout: "5s",
    };
    const gateway = await startGateway(gatewayConfig(accounts, more));
    closing.unshift(() => gateway.close(), upstream.close);
    return { port: Number(new URL(gateway.url).port), passed: upstream.passed };
  };
  const alone = await gatewayBefore();
  list.push(standAt("gateway", alone.port, alone.passed));
  for (const name of fronts) {
    const recording = await recorder(json(200, { seen: true }));
    closing.unshift(recording.close);
    const behind = await gatewayBefore();
    const between = await tap(behind.port, name);
    closing.unshift(between.close);
    const front = await startFront(name, [recording.port, between.port], MARK);
    if (front === undefined) {
      missing.push(name);
      continue;
    }
    closing.unshift(async () => front[Symbol.asyncDispose]());
    taps.push(between);
    const [bare = 0, before = 0] = front.ports;
    list.push(standAt(name, bare, recording.passed), standAt(`${name}+gateway`, before, behind.passed));
  }
  return {
    list,
    missing,
    surplus: (id) => taps.map((each) => each.surplus.get(id)).find((each) => each !== undefined),
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close();
    },
  };
}

export const QUIET_MS = { first: 120, again: 2_000 };
