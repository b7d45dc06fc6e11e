// What is known of the network behind accounts, by route: the proxy if there is one, else the origin. Two uses:
// a connect timeout, which fetch has not, and whether a connection that died was one kept from before.

import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import type { Account } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import { BrokenUpstream, UNREACHED } from "./broken.ts";

/** An answer this recent proves that the route can be connected to. */
const FRESH_MS = 30_000;
/** fetch keeps idle connections about this long. */
const IDLE_MS = 300_000;

interface Route {
  answeredAt: number;
  idle: number;
  idleAt: number;
}

export class Routes {
  // Bounded by the number of origins and proxies in the configuration.
  readonly #routes = new Map<string, Route>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  answered(account: Account): void {
    this.#of(account).answeredAt = this.#clock.now();
  }

  /** A connection was left in good order and may be used again. */
  putIdle(account: Account): void {
    const route = this.#of(account);
    route.idle++;
    route.idleAt = this.#clock.now();
  }

  /** True when the next request probably goes out on a kept connection. */
  takeIdle(account: Account): boolean {
    const route = this.#of(account);
    if (route.idle === 0 || this.#clock.now() - route.idleAt > IDLE_MS) return false;
    route.idle--;
    return true;
  }

  /**
   * Breaks a request whose route cannot be connected to in time. Upstreams may take minutes to answer, so a
   * slow one is told from an unreachable one by dialing the route once, when half of the time has gone and
   * nothing else has proved it alive. Returns what ends the guard.
   */
  guard(account: Account, timeoutMs: number, onUnreachable: (broken: BrokenUpstream) => void): () => void {
    let hangUp = (): void => {};
    const look = (): void => {
      const age = this.#clock.now() - this.#of(account).answeredAt;
      if (age < FRESH_MS) {
        stop = this.#clock.after(FRESH_MS - age, look);
        return;
      }
      const socket = dial(account.proxy ?? account.origin, () => {
        this.answered(account);
        stop();
        hangUp();
      });
      hangUp = () => socket.destroy();
      socket.on("error", hangUp);
      stop = this.#clock.after(timeoutMs / 2, () => {
        hangUp();
        onUnreachable(unreachable());
      });
    };
    let stop = this.#clock.after(timeoutMs / 2, look);
    return () => {
      stop();
      hangUp();
    };
  }

  #of(account: Account): Route {
    const name = account.proxy ?? account.origin;
    let route = this.#routes.get(name);
    if (route === undefined) {
      route = { answeredAt: Number.NEGATIVE_INFINITY, idle: 0, idleAt: 0 };
      this.#routes.set(name, route);
    }
    return route;
  }
}

function unreachable(): BrokenUpstream {
  const failure = new GatewayError("upstream_timeout", "the upstream could not be connected to in time");
  return new BrokenUpstream(failure, UNREACHED);
}

/** Where TLS is spoken, whoever takes the connection has to take part in that, too; as whom is for fetch to judge. */
function dial(address: string, onConnected: () => void): Socket {
  const { hostname, protocol, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol === "http:") return connect({ host, port: Number(port || 80) }, onConnected);
  const name = isIP(host) === 0 ? { servername: host } : {};
  const to = { host, port: Number(port || 443), ...name, rejectUnauthorized: false };
  return connectSecurely(to, onConnected);
}
