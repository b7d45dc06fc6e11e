// Who stands at the gateway's own port: the peer's address, the host it asked for, and whether it holds the admin token.

import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { Clock } from "../core/ports.ts";

export interface Peer {
  /** The client's IP address; "" when it has gone already. */
  readonly address: string;
  /** Whether a proxy says that it passed the request on. */
  readonly forwarded: boolean;
}

/** The part of Bun's server that knows where a request came from. */
interface AddressSource {
  requestIP(request: Request): { readonly address: string } | null;
}

const FORWARDING =
  /^(?:forwarded|via|x-forwarded(?:-.+)?|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/;
const LOOPBACK = listOf(["127.0.0.0/8", "::1"]);
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Tells where requests come from. `x-forwarded-for` is believed only as far as the proxies in `trusted` (addresses
 * and ranges) have written it: the last address in it that is none of theirs.
 */
export function createPeerFinder(
  trusted: () => readonly string[],
): (request: Request, server: AddressSource) => Peer {
  let named = trusted();
  let proxies = listOf(named);
  return (request, server) => {
    // A reload brings another list.
    if (named !== trusted()) proxies = listOf((named = trusted()));
    let address = server.requestIP(request)?.address ?? "";
    const hops = (request.headers.get("x-forwarded-for") ?? "").split(",").map((hop) => hop.trim());
    while (contains(proxies, address)) {
      const before = hops.pop() ?? "";
      if (isIP(before) === 0) break;
      address = before;
    }
    return { address, forwarded: [...request.headers.keys()].some((name) => FORWARDING.test(name)) };
  };
}

export interface GuardOptions {
  readonly clock: Clock;
  readonly adminToken: () => string | undefined;
  /** Where people reach the gateway, when that is not the listen address. */
  readonly publicUrl: () => string | undefined;
  /** Undefined: every interface. */
  readonly listenHost: () => string | undefined;
}

export interface Guard {
  /** Whether the request names a host of ours: no other name may lead a browser here (DNS rebinding). */
  ownHost(request: Request): boolean;
  /** A browser on this machine that asked for localhost, and no proxy between. */
  isLocal(request: Request, peer: Peer): boolean;
  /** `limited`: too many wrong tokens came from there, so none is looked at for a minute. */
  admin(request: Request, peer: Peer): "none" | "right" | "wrong" | "limited";
}

export function createGuard(options: GuardOptions): Guard {
  const tries = createTries(options.clock);
  return {
    ownHost(request) {
      const host = hostOf(request);
      if (host === undefined) return false;
      const home = URL.parse(options.publicUrl() ?? "")?.hostname;
      return LOCAL_HOSTS.includes(host) || host === home || host === bracketed(options.listenHost());
    },
    isLocal(request, peer) {
      const host = hostOf(request);
      if (host === undefined || peer.forwarded) return false;
      return contains(LOOPBACK, peer.address) && LOCAL_HOSTS.includes(host);
    },
    admin(request, peer) {
      const header = request.headers.get("authorization");
      if (header === null) return "none";
      if (!tries.mayTry(peer.address)) return "limited";
      const given = /^Bearer +(\S+)$/i.exec(header)?.[1];
      if (given !== undefined && isSame(given, options.adminToken())) return "right";
      tries.count(peer.address);
      return "wrong";
    },
  };
}

/** The name in `Host`, without its port; undefined when there is none that a URL could hold. */
function hostOf(request: Request): string | undefined {
  const host = request.headers.get("host");
  if (host === null || !/^[\w.:[\]-]+$/.test(host)) return undefined;
  return URL.parse(`http://${host}/`)?.hostname;
}

function bracketed(host: string | undefined): string | undefined {
  if (host === undefined) return undefined;
  return URL.parse(`http://${host.includes(":") ? `[${host}]` : host}/`)?.hostname;
}

function isSame(given: string, token: string | undefined): boolean {
  // Digests have one length, so that the comparison tells nothing about the token's.
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return token !== undefined && token !== "" && timingSafeEqual(digest(given), digest(token));
}

const MAX_TRIES = 5;
const TRIES_MS = 60_000;
const MAX_ADDRESSES = 4_096;

interface Tries {
  mayTry(address: string): boolean;
  count(address: string): void;
}

/** Wrong tokens by address. It fails closed: where it cannot count another address, that address may not try. */
function createTries(clock: Clock): Tries {
  /** `until` is monotonic; the oldest stand first. */
  const wrong = new Map<string, { readonly until: number; tries: number }>();
  const current = (address: string): { readonly until: number; tries: number } | undefined => {
    for (const [key, { until }] of wrong) {
      if (until > clock.now()) break;
      wrong.delete(key);
    }
    return wrong.get(neighbourhood(address));
  };
  return {
    mayTry(address) {
      const found = current(address);
      return found === undefined ? wrong.size < MAX_ADDRESSES : found.tries < MAX_TRIES;
    },
    count(address) {
      const found = current(address);
      if (found === undefined) wrong.set(neighbourhood(address), { until: clock.now() + TRIES_MS, tries: 1 });
      else found.tries += 1;
    },
  };
}

/** One customer has a whole /64 of IPv6 addresses: they count as one. */
function neighbourhood(address: string): string {
  if (isIP(address) !== 6 || /^::ffff:/i.test(address)) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(":").length;
  return [...groups, ...Array.from({ length: missing }, () => "0"), ...(tail ?? "").split(":")]
    .slice(0, 4)
    .map((group) => Number.parseInt(group || "0", 16).toString(16))
    .join(":");
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const version = isIP(address);
    if (version === 0) continue;
    list.addSubnet(
      address,
      bits === undefined ? (version === 6 ? 128 : 32) : Number(bits),
      `ipv${version === 6 ? 6 : 4}`,
    );
  }
  return list;
}

/** IPv4 in IPv6 (`::ffff:127.0.0.1`) counts as IPv4. */
function contains(list: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const version = isIP(plain);
  return version !== 0 && list.check(plain, version === 6 ? "ipv6" : "ipv4");
}
