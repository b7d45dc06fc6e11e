// A scripted issuer in another process, in the words of the one in this process.

import { join } from "node:path";
import type { ControlInput } from "./issuer-control.ts";
import type {
  IssuerAccount,
  IssuerLedger,
  IssuerOptions,
  IssuerScript,
  IssuerSettings,
  Seed,
  SeededLogin,
} from "./issuer-types.ts";
import { isObject, parseJson, pickText } from "./json-pick.ts";

export interface RemoteIssuer {
  readonly url: string;
  seed(seed?: Seed): Promise<SeededLogin>;
  script(...scripts: readonly IssuerScript[]): Promise<void>;
  always(script: IssuerScript): Promise<void>;
  release(): Promise<void>;
  settings(changes: Partial<IssuerSettings>): Promise<IssuerSettings>;
  state(): Promise<{ readonly waiting: number; readonly scriptsLeft: number }>;
  ledger(): Promise<IssuerLedger>;
  presentations(refresh: string): Promise<number>;
  access(token: string): Promise<{ readonly valid: boolean; readonly account?: IssuerAccount }>;
  liveRefresh(family: string): Promise<string | undefined>;
  revokeAccess(token: string): Promise<void>;
  expireRefresh(token: string): Promise<void>;
  revokeFamily(family: string): Promise<void>;
  approveDevice(userCode: string): Promise<void>;
  secrets(): Promise<readonly string[]>;
}

export interface IssuerProcess extends RemoteIssuer, AsyncDisposable {
  readonly pid: number;
  close(): Promise<void>;
}

/** The issuer that listens at `url`, whoever started it. */
export function remoteIssuer(url: string): RemoteIssuer {
  const ask = async <Value>(command: string, input: ControlInput = {}): Promise<Value> => {
    const answer = await fetch(`${url}/control/${command}`, { method: "POST", body: JSON.stringify(input) });
    const body: unknown = await answer.json();
    if (!answer.ok || !isObject(body)) throw new Error(`issuer, ${command}: ${pickText(body, "error")}`);
    return body["value"] as Value;
  };
  return {
    url,
    seed: (seed = {}) => ask("seed", { seed }),
    script: (...scripts) => ask("script", { scripts }),
    always: (script) => ask("always", { script }),
    release: () => ask("release"),
    settings: (settings) => ask("settings", { settings }),
    state: () => ask("state"),
    ledger: () => ask("ledger"),
    presentations: (text) => ask("presentations", { text }),
    access: (text) => ask("access", { text }),
    liveRefresh: (text) => ask("live-refresh", { text }),
    revokeAccess: (text) => ask("revoke-access", { text }),
    expireRefresh: (text) => ask("expire-refresh", { text }),
    revokeFamily: (text) => ask("revoke-family", { text }),
    approveDevice: (text) => ask("approve-device", { text }),
    secrets: () => ask("secrets"),
  };
}

/** Ends with `close`, or with this process. */
export async function startIssuerProcess(options: Omit<IssuerOptions, "now"> = {}): Promise<IssuerProcess> {
  const file = join(import.meta.dirname, "issuer-process.ts");
  const child = Bun.spawn([process.execPath, file, JSON.stringify(options)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const url = pickText(parseJson(await firstLine(child.stdout)), "url");
  if (url === undefined) throw new Error("the issuer did not start");
  const close = async (): Promise<void> => {
    child.kill();
    await child.exited;
  };
  return { ...remoteIssuer(url), pid: child.pid, close, [Symbol.asyncDispose]: close };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n")) break;
  }
  return text.split("\n", 1)[0] ?? "";
}
