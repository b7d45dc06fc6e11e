// `doctor` on a config of its own: with what the program gives it, but for the waits, the login port and the disk.

import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createDoctorCommand } from "../../src/cli/doctor.ts";
import type { DoctorTools, Finding } from "../../src/cli/doctor-finding.ts";
import type { Io } from "../../src/cli/io.ts";
import { type TestIo, testIo } from "../../src/cli/test-io.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openDoctorDesk, openImportDesk } from "../../src/desks.ts";
import { json } from "./answers.ts";
import { gatewayConfig, secretsIn } from "./gateway-config.ts";
import { MAIN } from "./gateway.ts";
import type { JsonObject } from "./json-pick.ts";
import { closedPort } from "./ports.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

export interface Examined {
  readonly code: number;
  readonly findings: readonly Finding[];
  /** Those that are not well, in order. */
  readonly wrong: readonly Finding[];
  readonly out: string;
}

export interface DoctorRig {
  readonly io: TestIo;
  readonly folder: string;
  readonly config: string;
  readonly data: string;
  /** Throws if a credential of the kit is shown. */
  examine(...args: readonly string[]): Promise<Examined>;
  /** As people see it. */
  page(io?: Partial<Io>): Promise<string>;
  /** As users start it, after these shell words. */
  spawn(env: Readonly<Record<string, string>>, shell?: string): Promise<Examined>;
  /** Keeps a login for this account, as an import does. */
  signIn(
    account: string,
    login: { readonly expiresAt: number; readonly refresh?: string },
    follow?: string,
  ): Promise<void>;
}

export interface RigOptions {
  readonly config?: JsonObject | string;
  readonly env?: Io["env"];
  readonly tools?: Partial<DoctorTools>;
}

const ROOM_BYTES = 2 ** 32;

/** Answers a list of models, as a provider that knows the time. */
export async function healthyUpstream(aheadMs = 0): Promise<Upstream> {
  const upstream = await startUpstream();
  upstream.otherwise((request, connection) =>
    json(200, { data: [] }, { date: new Date(Date.now() - aheadMs).toUTCString() })(request, connection),
  );
  return upstream;
}

/** A private config file in a folder of its own. */
export async function doctorRig({ config = {}, env, tools = {} }: RigOptions = {}): Promise<DoctorRig> {
  const io = await testIo(env);
  const path = join(io.cwd, "config.json");
  const data = join(io.cwd, "data");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config, null, 2), {
    mode: 0o600,
  });
  const callbackPort = tools.callbackPort ?? (await closedPort());
  const all = {
    open: openDoctorDesk,
    clock: systemClock,
    callbackPort,
    freeBytes: () => ROOM_BYTES,
    ...tools,
  };
  const run = createDoctorCommand(all);
  return {
    io,
    folder: io.cwd,
    config: path,
    data,
    async examine(...args) {
      const before = io.out().length;
      const code = await run(["--json", ...args], io);
      return read(code, io.out().slice(before));
    },
    async page(more = {}) {
      let text = "";
      const stdout = { ...more.stdout, write: (piece: string) => (text += piece) };
      await run([], { ...io, ...more, stdout });
      return shown(text);
    },
    async spawn(more, shell = ":") {
      const command = ["sh", "-c", `${shell}; exec "$@"`, "sh", process.execPath, MAIN, "doctor", "--json"];
      const child = Bun.spawn([...command, "-config", path], {
        env: { ...process.env, ...more },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      });
      const out = await new Response(child.stdout).text();
      return read(await child.exited, out);
    },
    async signIn(account, { expiresAt, refresh }, follow) {
      const loaded = await loadConfig(path, io.env);
      if (!loaded.ok) throw new Error("the config of the test is bad");
      await mkdir(data, { mode: 0o700, recursive: true });
      await chmod(data, 0o700);
      const desk = await openImportDesk(loaded.config, io.env);
      const tokens = { access: "canary-5d0f2c71-access", refresh, expiresAt };
      const identity = { accountId: "w1", userId: "u1", email: "ann@example.com", plan: "plus" };
      const usual = { issuer: true, clientId: false };
      const site = { issuer: "https://auth.openai.com", clientId: "app", usual };
      await desk.signIn(
        account,
        { tokens, identity, site },
        follow === undefined ? "import" : "follow",
        follow,
      );
      await desk.close();
    },
  };
}

/** A config of these accounts, on a free port. */
export async function configOf(accounts: readonly JsonObject[], more: JsonObject = {}): Promise<JsonObject> {
  return gatewayConfig(accounts, { listen_addr: `127.0.0.1:${await closedPort()}`, ...more });
}

function shown(text: string): string {
  const secrets = secretsIn(text);
  if (secrets.length > 0) throw new Error(`credential in the output: ${secrets.join("; ")}`);
  return text;
}

function read(code: number, text: string): Examined {
  const { ok, findings } = JSON.parse(shown(text)) as { ok: boolean; findings: Finding[] };
  if (ok !== (code === 0)) throw new Error(`ok is ${ok}, and the exit code ${code}`);
  return { code, findings, wrong: findings.filter(({ state }) => state !== "ok"), out: text };
}
