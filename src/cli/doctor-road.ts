// The road to an upstream, step by step, so that the first step that fails can be named: the name, the connection, the
// proxy, TLS, an answer. It is the road requests take (core/proxy.ts).

import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import type { Clock } from "../core/ports.ts";
import { fetchThrough } from "../core/proxy.ts";
import { codeOf } from "./doctor-finding.ts";
import { distrust } from "./doctor-trust.ts";
import { environmentProxy } from "./doctor-proxies.ts";
import type { Io } from "./io.ts";

export interface Road {
  readonly url: string;
  readonly headers?: Headers;
  /** The account's own. */
  readonly proxy: string | undefined;
}

export interface Traveller {
  readonly env: Io["env"];
  readonly clock: Clock;
  /** For all steps together. */
  readonly withinMs: number;
}

export interface Arrived {
  readonly status: number;
  /** A page for people, where a service would answer JSON. */
  readonly isPage: boolean;
  /** By how much this machine's clock is ahead of theirs, in ms; undefined when they do not tell the time. */
  readonly aheadMs: number | undefined;
}

export interface Lost {
  readonly message: string;
  readonly advice: string;
}

/** Who takes the connection. */
interface Hop {
  readonly host: string;
  readonly port: number;
  /** `its proxy HOST:PORT`, or only `HOST:PORT`. Without its password. */
  readonly name: string;
  /** Where it is configured. */
  readonly key: string;
  readonly isProxy: boolean;
}

/** One GET that is never redirected, and whose answer's body is not read. Never throws. */
export async function travel(road: Road, traveller: Traveller): Promise<Arrived | Lost> {
  const signal = AbortSignal.timeout(traveller.withinMs);
  const hop = hopOf(road, traveller.env);
  if (hop === undefined)
    return {
      message: "has a proxy in the environment that is no address",
      advice: "see the check of the environment",
    };
  const seconds = `${traveller.withinMs / 1_000} s`;
  const lost = (await resolves(hop, signal, seconds)) ?? (await connects(hop, signal, seconds));
  return lost ?? (await asks(road, hop, signal, traveller));
}

function hopOf({ url, proxy }: Road, env: Io["env"]): Hop | undefined {
  const ofMachine = proxy === undefined ? environmentProxy(url, env) : undefined;
  const first = proxy ?? ofMachine?.url ?? url;
  if (!URL.canParse(first)) return undefined;
  const { hostname, host, port, protocol } = new URL(first);
  const isProxy = first !== url;
  const key = ofMachine?.variable ?? (isProxy ? "the account's proxy" : "base_url");
  const whose = ofMachine === undefined ? "its proxy " : `the proxy of ${ofMachine.variable} `;
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
    name: isProxy ? whose + host : host,
    key,
    isProxy,
  };
}

async function resolves(
  { host, key, isProxy }: Hop,
  signal: AbortSignal,
  seconds: string,
): Promise<Lost | undefined> {
  if (isIP(host) !== 0) return undefined;
  const whose = isProxy ? " of its proxy" : "";
  try {
    await Promise.race([lookup(host), aborted(signal)]);
    return undefined;
  } catch (error) {
    if (signal.aborted)
      return {
        message: `the name ${host}${whose} does not resolve within ${seconds}`,
        advice: "see that this machine's DNS answers (resolvectl status, /etc/resolv.conf)",
      };
    const advice = `see how the name is spelled in ${key}, and that this machine has DNS and a network: getent hosts ${host}`;
    return { message: `the name ${host}${whose} does not resolve (${codeOf(error)})`, advice };
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(new Error("too late")), { once: true });
  if (signal.aborted) reject(new Error("too late"));
  return promise;
}

async function connects(hop: Hop, signal: AbortSignal, seconds: string): Promise<Lost | undefined> {
  const { host, port, name, key, isProxy } = hop;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect({ host, port }, () => resolve(undefined));
  socket.on("error", (error) => resolve(codeOf(error) || "unknown"));
  const code = await Promise.race([promise, aborted(signal)]).catch(() => "late");
  socket.destroy();
  if (code === undefined) return undefined;
  if (code === "ECONNREFUSED") {
    const advice = isProxy
      ? `start the proxy, or change ${key}; nothing goes past it`
      : `see host and port in ${key}, and that something listens there`;
    return { message: `${name} is down: it refuses connections`, advice };
  }
  const advice = `see that a firewall lets this machine out to port ${port} of ${host}, and ${key}`;
  if (code === "late") return { message: `${name} takes no connection within ${seconds}`, advice };
  return { message: `${name} cannot be connected to (${code})`, advice };
}

async function asks(
  road: Road,
  hop: Hop,
  signal: AbortSignal,
  { clock, withinMs }: Traveller,
): Promise<Arrived | Lost> {
  const before = clock.wall();
  try {
    const { url, headers = new Headers(), proxy } = road;
    const answer = await fetchThrough(proxy, url, { headers, redirect: "manual", signal });
    const wall = (before + clock.wall()) / 2;
    void answer.body?.cancel();
    if (answer.status === 407) return refusedByProxy(hop);
    const date = Date.parse(answer.headers.get("date") ?? "");
    return {
      status: answer.status,
      isPage: /^text\/html/i.test(answer.headers.get("content-type") ?? ""),
      // A date is cut to its second.
      aheadMs: Number.isNaN(date) ? undefined : wall - (date + 500),
    };
  } catch (error) {
    if (signal.aborted) return tooSlow(road, hop, withinMs);
    return brokenBy(error, road, hop);
  }
}

function refusedByProxy({ name, key }: Hop): Lost {
  return {
    message: `${name} refuses us (407): it wants a user name and password`,
    advice: `put them into ${key}: http://USER:PASSWORD@HOST:PORT`,
  };
}

function tooSlow({ url }: Road, { name, isProxy }: Hop, withinMs: number): Lost {
  const via = isProxy ? ` by way of ${name}` : "";
  return {
    message: `${new URL(url).host} takes the connection${via}, and does not answer within ${withinMs / 1_000} s`,
    advice: "try again; if it stays so, ask whoever runs it, or see what a firewall does to TLS",
  };
}

function brokenBy(error: unknown, { url }: Road, hop: Hop): Lost {
  const { host, hostname } = new URL(url);
  const code = codeOf(error);
  if (code === "ERR_PROXY_TUNNEL") {
    const status = /\b[1-5]\d\d\b/.exec(error instanceof Error ? error.message : "")?.[0] ?? "no status";
    if (status === "407") return refusedByProxy(hop);
    return {
      message: `${hop.name} lets nobody through to ${host} (${status})`,
      advice: `allow ${host} there; or it is no proxy, then change ${hop.key}`,
    };
  }
  const trust = distrust(code, hostname, hop.key);
  if (trust !== undefined) return { ...trust, message: `${host} ${trust.message} (${code})` };
  if (hop.isProxy)
    return {
      message: `${hop.name} broke the way to ${host} off (${code || "unknown"}): it is no HTTP proxy, or cuts the connection`,
      advice: `see that ${hop.key} names an HTTP proxy and its port`,
    };
  return {
    message: `${host} broke the connection off before an answer (${code || "unknown"})`,
    advice: `see that ${hop.key} names an HTTP service and its port`,
  };
}
