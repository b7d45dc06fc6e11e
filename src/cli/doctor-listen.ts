// Checks of the ports the gateway listens on, and of the gateway itself where it runs.

import { createServer } from "node:net";
import { arrayAt, parseObject, stringAt } from "../core/json.ts";
import { hostKind } from "../config/addresses.ts";
import { AskError, askGateway } from "./asking.ts";
import { type Target, targetFor } from "./configured.ts";
import { about, codeOf, type Finding, type Patient, type Pen } from "./doctor-finding.ts";
import { programName } from "./io.ts";
import { printable } from "./who.ts";

const CALLBACK_PORT = 1455;
const LIVE_MS = 3_000;

export async function checkListen(patient: Patient): Promise<readonly Finding[]> {
  const { host, port } = patient.config.listen;
  const pen = about("listen_addr", `${named(host)}:${port}`);
  if (port === 0) return [pen.ok("lets the system choose a port"), ...checkExposed(patient)];
  const code = await cannotListen(host ?? "::", port);
  const found = code === undefined ? [pen.ok("is free")] : await taken(code, pen, patient);
  return [...found, ...checkExposed(patient)];
}

/** Clients would send their keys as plain text. */
function checkExposed({ config: { listen, publicUrl } }: Patient): readonly Finding[] {
  const { host, port } = listen;
  const isOpen = host === undefined || host === "0.0.0.0" || host === "::" || hostKind(host) !== "loopback";
  if (!isOpen || publicUrl?.startsWith("https:") === true) return [];
  const where =
    host === undefined || host === "0.0.0.0" || host === "::" ? "on every interface" : "on the network";
  const advice = `listen on 127.0.0.1:${port}, or put a proxy with TLS before it and name its https:// address in public_url`;
  return [
    about("listen_addr", `${named(host)}:${port}`).warn(
      `listens ${where} without TLS: keys travel as plain text`,
      advice,
    ),
  ];
}

async function taken(code: string, pen: Pen, patient: Patient): Promise<readonly Finding[]> {
  const { io, config, configPath } = patient;
  if (code === "EADDRINUSE") {
    const target = await targetFor(io, configPath, {});
    return (await isGateway(target))
      ? askHealth(target, pen, patient)
      : [pen.fail("is taken by another program", otherProgram(config.listen.port))];
  }
  if (code === "EACCES")
    return [
      pen.fail(
        "may not be used by this user (EACCES)",
        "take a port above 1023, or grant CAP_NET_BIND_SERVICE",
      ),
    ];
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAFNOSUPPORT")
    return [
      pen.fail(
        `is no address of this machine (${code})`,
        "set listen_addr to 127.0.0.1 or to an address that `ip addr` shows",
      ),
    ];
  return [pen.fail(`cannot be listened on (${code})`, "set listen_addr to another address or port")];
}

function otherProgram(port: number): string {
  const look =
    process.platform === "linux" ? `ss -ltnp 'sport = :${port}'` : `lsof -nP -iTCP:${port} -sTCP:LISTEN`;
  return `stop it, or set listen_addr to another port; this shows who it is: ${look}`;
}

/** Only an answer of ours says both. */
async function isGateway({ url }: Target): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/live`, {
      signal: AbortSignal.timeout(LIVE_MS),
      redirect: "manual",
    });
    const status = stringAt(parseObject(await answer.text()), "status");
    return answer.headers.has("x-request-id") && status === "ok";
  } catch {
    return false;
  }
}

const SERVING = ["ready", "busy"];

async function askHealth(target: Target, pen: Pen, { io }: Patient): Promise<readonly Finding[]> {
  try {
    const health = await askGateway(target, "/health", io);
    const accounts = arrayAt(health, "account_details") ?? [];
    const serving = accounts.filter((each) => SERVING.includes(stringAt(each, "state") ?? ""));
    const version = printable(stringAt(health, "version") ?? "of an unknown version");
    const words = `is our own gateway, running (${version}): ${serving.length} of ${accounts.length} accounts can serve now`;
    const idle = accounts.flatMap((each) => {
      const state = stringAt(each, "state") ?? "";
      if (SERVING.includes(state) || state === "disabled") return [];
      const name = printable(stringAt(each, "name") ?? "");
      const why = printable(stringAt(each, "reason") ?? "no reason given");
      const advice =
        state === "needs_login"
          ? `sign it in: ${programName(io.env)} login ${name}`
          : `${programName(io.env)} status tells when it is back`;
      return [
        about("gateway", name).warn(
          `${state === "needs_login" ? "needs a login" : `is ${state}`}: ${why}`,
          advice,
        ),
      ];
    });
    const status = stringAt(health, "status");
    const head =
      status === "down"
        ? pen.fail(words, "see the accounts below; nothing is served until one of them is well")
        : pen.ok(words);
    return [head, ...idle];
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    const advice = "restart it with this config, or run doctor with the config it runs on";
    return [
      pen.fail("is our own gateway, running with another config: it refuses this one's client key", advice),
    ];
  }
}

/** Where the browser brings a sign-in back to. */
export async function checkCallback({ config, io, tools }: Patient): Promise<readonly Finding[]> {
  const signing = config.accounts.find(
    ({ platform, type, oauthToken, disabled }) =>
      platform === "openai" && type === "oauth" && oauthToken === undefined && !disabled,
  );
  if (signing === undefined) return [];
  const port = tools.callbackPort ?? CALLBACK_PORT;
  const pen = about("login port", `localhost:${port}`);
  for (const host of ["127.0.0.1", "::1"]) {
    const code = await cannotListen(host, port);
    // Not every machine has both loopbacks.
    if (code === undefined || (host === "::1" && code !== "EADDRINUSE")) continue;
    const advice = `end the other sign-in (codex login, a gateway with one open), or sign in with: ${programName(io.env)} login ${signing.name} --device`;
    return [pen.warn(`is taken (${code}): a browser cannot bring a sign-in back`, advice)];
  }
  return [pen.ok("is free for a sign-in by browser")];
}

/** Why nobody can listen there now; undefined when it is free. */
function cannotListen(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once("error", (error) => resolve(codeOf(error) || "unknown"));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

function named(host: string | undefined): string {
  if (host === undefined) return "*";
  return host.includes(":") ? `[${host}]` : host;
}
