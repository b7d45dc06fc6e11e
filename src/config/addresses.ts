// Which URLs and addresses a config may name. Base URLs and proxies come from the operator, but a mistake
// in them would send credentials in clear text, or to a cloud's metadata service.

import { BlockList, isIP } from "node:net";
import type { Checked, Flaw } from "./problems.ts";

type HostKind = "loopback" | "private" | "forbidden" | "public";

function blockList(...subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = "", prefix] = subnet.split("/");
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

/** Link-local (RFC 3927, RFC 4291), multicast, unspecified, and the metadata addresses of AWS, Alibaba and
 * Oracle; `64:ff9b::` is the same behind NAT64. IPv4-mapped IPv6 is checked as IPv4 by BlockList. */
const FORBIDDEN = blockList(
  "169.254.0.0/16",
  "fe80::/10",
  "64:ff9b::a9fe:0/112",
  "0.0.0.0/8",
  "::/128",
  "224.0.0.0/3",
  "ff00::/8",
  "100.100.100.200/32",
  "192.0.0.192/32",
  "fd00:ec2::254/128",
);
const METADATA_NAMES: readonly string[] = [
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
];
const LOOPBACK = blockList("127.0.0.0/8", "::1/128");
/** RFC 1918, RFC 6598 (also used by overlay networks), RFC 4193. */
const PRIVATE = blockList("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7");
const PRIVATE_NAME = /\.(?:local|internal|localdomain|home\.arpa)$/;

/** `hostname` as URL gives it: lower case, numeric forms of IPv4 made plain, IPv6 in brackets. */
export function hostKind(hostname: string): HostKind {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const version = isIP(host);
  if (version === 0) {
    if (METADATA_NAMES.includes(host)) return "forbidden";
    if (host === "localhost" || host.endsWith(".localhost")) return "loopback";
    return !host.includes(".") || PRIVATE_NAME.test(host) ? "private" : "public";
  }
  const family = version === 6 ? "ipv6" : "ipv4";
  if (FORBIDDEN.check(host, family)) return "forbidden";
  if (LOOPBACK.check(host, family)) return "loopback";
  return PRIVATE.check(host, family) ? "private" : "public";
}

function webUrl(text: string): { readonly url: URL } | Flaw {
  // URL drops spaces and line breaks without a word.
  const url = /[\s\p{Cc}]/u.test(text) ? null : URL.parse(text);
  if (url === null) return { message: "is not a URL", suggestion: '"https://HOST" or "https://HOST/PATH"' };
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return { message: "must begin with https:// or http://", suggestion: '"https://HOST"' };
  if (hostKind(url.hostname) === "forbidden")
    return { message: "points at a link-local, metadata or multicast address, which is refused" };
  return { url };
}

function trimmed(url: URL): string {
  return url.href.replace(/\/+$/, "");
}

/** An upstream server's base, without a slash at its end. */
export function upstreamUrl(text: string): Checked<string> {
  // What holds for a web address holds for a socket's.
  const isSocket = /^wss?:\/\//i.test(text);
  const parsed = webUrl(isSocket ? text.replace(/^ws/i, "http") : text);
  if ("message" in parsed) return parsed;
  const { url } = parsed;
  if (url.username !== "" || url.password !== "")
    return {
      message: "must not hold a user name or password",
      suggestion: "put the key into api_key",
    };
  if (url.search !== "" || url.hash !== "") return { message: "must not have a query or fragment" };
  if (/\/(?:messages|responses|chat\/completions)\/?$/.test(url.pathname))
    return {
      message: "names an endpoint; it must be the base, to which the endpoint's path is added",
      suggestion: "leave the endpoint's path off",
    };
  if (url.protocol === "http:" && hostKind(url.hostname) === "public")
    return {
      message: "must begin with https://; http:// is for loopback and private hosts only",
      suggestion: '"https://HOST"',
    };
  return { value: isSocket ? trimmed(url).replace(/^http/, "ws") : trimmed(url) };
}

/** A proxy's URL, with or without a user name and password. */
export function proxyUrl(text: string): Checked<string> {
  if (/^socks/i.test(text))
    return {
      message: "is a SOCKS proxy, which is not supported yet",
      suggestion: "use the proxy's http:// port",
    };
  const parsed = /^https?:\/\//i.test(text) ? webUrl(text) : undefined;
  if (parsed === undefined)
    return { message: "must begin with http:// or https://", suggestion: '"http://HOST:PORT"' };
  if ("message" in parsed) return parsed;
  const { url } = parsed;
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return { message: "must be a host and port only", suggestion: '"http://HOST:PORT"' };
  return { value: trimmed(url) };
}

/** The address people reach the gateway at, without a slash at its end. */
export function publicUrl(text: string): Checked<string> {
  const parsed = webUrl(text);
  if ("message" in parsed) return parsed;
  const { url } = parsed;
  if (url.username !== "" || url.search !== "" || url.hash !== "")
    return {
      message: "must be an origin, or an origin and a path",
      suggestion: '"https://gateway.example.com"',
    };
  return { value: trimmed(url) };
}

export interface Listen {
  /** Undefined means every interface. */
  readonly host: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
}

const LISTEN = /^(?:\[([^\]]*)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/;

export function listenAddress(text: string): Checked<Listen> {
  const [, ipv6, name, digits] = LISTEN.exec(text.trim()) ?? [];
  const port = Number(digits ?? Number.NaN);
  const wrongIpv6 = ipv6 !== undefined && isIP(ipv6) !== 6;
  const wrongIpv4 = name !== undefined && /^[\d.]+$/.test(name) && isIP(name) !== 4;
  if (!(port <= 65_535) || wrongIpv6 || wrongIpv4)
    return {
      message: "is not an address to listen on",
      suggestion: '"127.0.0.1:8080", "[::1]:8080" or ":8080"',
    };
  const host = ipv6 ?? name;
  return { value: { host: host === "" ? undefined : host, port } };
}

/** An IP address, or a range such as `10.0.0.0/8`. */
export function ipRange(text: string): Checked<string> {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? 0 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (version === 0 || address.includes("%") || rest.length > 0 || !(bits <= (version === 6 ? 128 : 32)))
    return { message: "is not an IP address or range", suggestion: '"10.0.0.0/8" or "::1"' };
  return { value: text };
}
