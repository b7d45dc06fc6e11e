// Of the addresses the gateway listens on: free, taken by itself, or by somebody else.

import { createServer } from "node:net";
import { stringAt } from "../core/json.ts";
import { AskError, askGateway } from "./asking.ts";
import { targetFor } from "./configured.ts";
import type { Finding, World } from "./doctor-findings.ts";

const CALLBACK_PORT = 1455;

export async function checkListen(world: World): Promise<Finding[]> {
  const { config, configPath, io } = world;
  const { host, port } = config.listen;
  const subject = `${host ?? "*"}:${port}`;
  const findings: Finding[] = [];
  if (isOpen(host) && config.publicUrl === undefined)
    findings.push({
      check: "listen",
      state: "warn",
      subject,
      what: "is open to the network, and keys go over it as plain text",
      todo: "put TLS in front of it and say where in public_url, or listen on 127.0.0.1",
    });
  const free = port === 0 || (await isFree(port, host));
  if (free === true) return [...findings, { check: "listen", state: "ok", subject, what: "is free" }];
  if (free === "forbidden") {
    const todo = "take a port above 1023, or let systemd give it (AmbientCapabilities=CAP_NET_BIND_SERVICE)";
    return [...findings, { check: "listen", state: "fail", subject, what: "may not be listened on", todo }];
  }
  try {
    const answer = await askGateway(await targetFor(io, configPath, {}), "/health", io);
    const status = stringAt(answer, "status");
    if (status === undefined) throw new AskError("no status");
    return [
      ...findings,
      { check: "listen", state: "ok", subject, what: `is taken by the gateway, which is ${status}` },
    ];
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    const what = "is taken by another program, or by a gateway with another config";
    const todo = `end it, or change listen_addr; to see who it is: ss -ltnp 'sport = :${port}'`;
    return [...findings, { check: "listen", state: "fail", subject, what, todo }];
  }
}

/** The issuer sends browsers back to that port and no other. */
export async function checkCallback({ config }: World): Promise<Finding[]> {
  const signsIn = config.accounts.some(({ platform, type }) => platform === "openai" && type === "oauth");
  if (!signsIn) return [];
  const subject = `localhost:${CALLBACK_PORT}`;
  if ((await isFree(CALLBACK_PORT, "127.0.0.1")) === true)
    return [{ check: "listen", state: "ok", subject, what: "is free for signing in with a browser" }];
  const what = "is taken, so a browser that signs in cannot come back (Codex may be signing in)";
  return [
    { check: "listen", state: "warn", subject, what, todo: "end that program, or sign in with --device" },
  ];
}

function isOpen(host: string | undefined): boolean {
  return host === undefined || host === "0.0.0.0" || host === "::";
}

function isFree(port: number, host: string | undefined): Promise<boolean | "forbidden"> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error) =>
      resolve("code" in error && error.code === "EACCES" ? "forbidden" : false),
    );
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
