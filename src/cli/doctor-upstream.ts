// Of each account's way to its upstream: the name, the connection, the proxy, TLS, and whether its key is taken. It asks
// for the list of models, which costs nothing.

import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import type { Account as AccountConfig } from "../config/account.ts";
import { fetchThrough } from "../core/proxy.ts";
import type { Finding, World } from "./doctor-findings.ts";
import { printable } from "./who.ts";

const WITHIN_MS = 5_000;
const CLOCK_WARN_MS = 60_000;
const CLOCK_FAIL_MS = 300_000;

/** A way that is no way, in words. */
class Fault extends Error {
  readonly todo: string;

  constructor(what: string, todo: string) {
    super(what);
    this.todo = todo;
  }
}

export async function checkUpstreams(world: World): Promise<Finding[]> {
  const accounts = world.config.accounts.filter(({ disabled }) => !disabled);
  return (await Promise.all(accounts.map((account) => checkOne(account, world)))).flat();
}

async function checkOne(account: AccountConfig, { desk, clock }: World): Promise<Finding[]> {
  const subject = account.name;
  const question = desk.question(account);
  const url = question?.url ?? httpOf(account.baseUrl);
  try {
    await checkWay(account, url);
    const response = await answerOf(account, url, question?.headers ?? new Headers());
    const { status } = response;
    const date = Date.parse(response.headers.get("date") ?? "");
    await response.body?.cancel();
    const findings = Number.isNaN(date) ? [] : clockFinding(subject, clock.wall() - date);
    return [...findings, keyFinding(subject, status, { url, asked: question !== undefined })];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [{ check: "upstream", state: "fail", subject, what: error.message, todo: error.todo }];
  }
}

function httpOf(url: string): string {
  return url.replace(/^ws/, "http");
}

/** The first step of the way: to the proxy if there is one, else to the upstream. @throws Fault */
async function checkWay({ proxy }: AccountConfig, url: string): Promise<void> {
  const { hostname, port, protocol } = new URL(proxy ?? url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const whose = proxy === undefined ? "its upstream" : "its proxy";
  const setting = proxy === undefined ? "base_url" : "proxy";
  try {
    if (isIP(host) === 0) await inTime(lookup(host));
  } catch {
    throw new Fault(
      `cannot find ${whose}: the name ${host} is not known`,
      `see whether ${setting} is right, and DNS works`,
    );
  }
  const at = { host, port: Number(port) || (protocol === "https:" ? 443 : 80) };
  const to = `${host}:${at.port}`;
  const outcome = await dialed(at);
  if (outcome === "refused")
    throw new Fault(
      `cannot reach ${whose}: ${to} refuses connections`,
      `see whether it runs, and ${setting} is right`,
    );
  if (outcome === "silent")
    throw new Fault(
      `cannot reach ${whose}: ${to} does not answer within 5 s`,
      "see firewalls on the way, or whether it needs a proxy",
    );
}

function dialed(at: {
  readonly host: string;
  readonly port: number;
}): Promise<"open" | "refused" | "silent"> {
  return new Promise((resolve) => {
    const socket = connect(at);
    const end = (outcome: "open" | "refused" | "silent"): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(WITHIN_MS, () => end("silent"));
    socket.once("connect", () => end("open")).once("error", () => end("refused"));
  });
}

/** @throws Fault */
async function answerOf(account: AccountConfig, url: string, headers: Headers): Promise<Response> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  try {
    const response = await fetchThrough(account.proxy, url, { headers, redirect: "manual", signal });
    if (response.status === 407) throw proxyWary();
    return response;
  } catch (error) {
    throw error instanceof Fault ? error : faultOf(error, account.proxy !== undefined);
  }
}

function proxyWary(): Fault {
  return new Fault(
    "is not let through by its proxy (407)",
    "put the proxy's user and password into its address",
  );
}

function faultOf(error: unknown, hasProxy: boolean): Fault {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const name = error instanceof Error ? error.name : "";
  if (code === "ERR_PROXY_TUNNEL")
    return new Fault(
      "is not let through by its proxy",
      "see whether it is a proxy, and whether it wants a password",
    );
  if (/^CERT_HAS_EXPIRED|^CERT_NOT_YET/.test(code))
    return new Fault(
      `finds a certificate that is not valid now (${code})`,
      "see this machine's clock, else tell who runs the upstream",
    );
  if (/ALTNAME|HOSTNAME_MISMATCH/.test(code))
    return new Fault(
      `finds a certificate for another name (${code})`,
      "use the name that the certificate is for in base_url",
    );
  if (/^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code))
    return new Fault(
      `finds a certificate that nobody known vouches for (${code})`,
      "name its authority in NODE_EXTRA_CA_CERTS, if it is yours",
    );
  if (/^(?:ERR_TLS_|ERR_SSL_|EPROTO)/.test(code))
    return new Fault(`gets no TLS connection (${code})`, "see whether base_url should begin with http://");
  const whose = hasProxy ? "its proxy or its upstream" : "its upstream";
  if (name === "TimeoutError")
    return new Fault(
      `gets no answer from ${whose} within 5 s`,
      "see whether it is well, and whether a firewall is on the way",
    );
  return new Fault(
    `gets no answer from ${whose}: the connection was closed (${printable(code || name)})`,
    "see whether it speaks HTTP there",
  );
}

function keyFinding(
  subject: string,
  status: number,
  { url, asked }: { readonly url: string; readonly asked: boolean },
): Finding {
  const check = "upstream";
  const { host } = new URL(url);
  if (!asked) return { check, state: "ok", subject, what: `reaches ${host}` };
  if (status === 401 || status === 403)
    return {
      check,
      state: "fail",
      subject,
      what: `reaches ${host}, which refuses its key (${status})`,
      todo: "put a new key into the config; it is read again at once",
    };
  if (status >= 500)
    return {
      check,
      state: "warn",
      subject,
      what: `reaches ${host}, which is not well (${status})`,
      todo: "wait, or see its status page",
    };
  if (status === 200) return { check, state: "ok", subject, what: `reaches ${host}, which takes its key` };
  return {
    check,
    state: "ok",
    subject,
    what: `reaches ${host}, which does not say whether it takes the key (${status})`,
  };
}

function clockFinding(subject: string, aheadMs: number): Finding[] {
  const off = Math.round(Math.abs(aheadMs) / 1_000);
  if (Math.abs(aheadMs) < CLOCK_WARN_MS) return [];
  const state = Math.abs(aheadMs) < CLOCK_FAIL_MS ? "warn" : "fail";
  const what = `is ${off} s ${aheadMs > 0 ? "ahead of" : "behind"} the upstream of ${subject}: tokens seem to end at other times`;
  return [
    {
      check: "clock",
      state,
      subject: "this machine's clock",
      what,
      todo: "set it by NTP: timedatectl set-ntp true",
    },
  ];
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("late")), WITHIN_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
