// Which proxy of the environment a request without one of its own goes by. Bun decides that; this is its rule in our
// words, to name who is in the way.

import { BlockList, isIP } from "node:net";
import type { Io } from "./io.ts";

export interface EnvironmentProxy {
  readonly variable: string;
  /** With its scheme. */
  readonly url: string;
}

const ALL = ["all_proxy", "ALL_PROXY"];

export function environmentProxy(target: string, env: Io["env"]): EnvironmentProxy | undefined {
  const url = new URL(target.replace(/^ws/, "http"));
  const own = url.protocol === "https:" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy", "HTTP_PROXY"];
  const variable = [...own, ...ALL].find((name) => (env[name] ?? "") !== "");
  if (variable === undefined || isExcepted(url, env)) return undefined;
  const given = env[variable] ?? "";
  return { variable, url: given.includes("://") ? given : `http://${given}` };
}

function isExcepted({ hostname, port, protocol }: URL, env: Io["env"]): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = `:${port || (protocol === "https:" ? 443 : 80)}`;
  const list = env["no_proxy"] || env["NO_PROXY"] || "";
  return list
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .map((entry) => (entry.endsWith(at) ? entry.slice(0, -at.length) : entry))
    .some((entry) => entry === "*" || isWithin(host, entry.replace(/^\./, "")));
}

function isWithin(host: string, entry: string): boolean {
  if (entry === "") return false;
  if (isIP(host) === 0 || !entry.includes("/")) return host === entry || host.endsWith(`.${entry}`);
  const [address = "", bits] = entry.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const range = new BlockList();
  try {
    range.addSubnet(address, Number(bits), family);
  } catch {
    return false;
  }
  return range.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}
