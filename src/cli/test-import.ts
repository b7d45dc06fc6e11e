// For tests of `import`: logins to find, configs to put them into, and a command that keeps what it is told to keep.

import { expect } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createImportCommand } from "./import.ts";
import type { FoundLogin, ImportTools, LoginFile } from "./import-desk.ts";
import type { Io } from "./io.ts";
import { type TestIo, testIo } from "./test-io.ts";
import type { Who } from "./who.ts";

export const SITE = {
  issuer: "https://auth.openai.com",
  clientId: "app_usual",
  usual: { issuer: true, clientId: true },
};
export const ANN: Who = { email: "ann@example.com", accountId: "w1", userId: "u1", plan: "plus" };
export const BOB: Who = { email: "bob@example.com", accountId: "w2", userId: "u2", plan: undefined };
const NOBODY: Who = { email: undefined, accountId: undefined, userId: undefined, plan: undefined };

export function login(more: Partial<FoundLogin> = {}): FoundLogin {
  const tokens = { access: "CANARY-access", refresh: "CANARY-refresh", expiresAt: 1_800_000_000_000 };
  return { tokens, identity: ANN, site: SITE, ...more };
}

export function codex(more: Partial<FoundLogin> = {}): LoginFile {
  return { kind: "codex", logins: new Map([["codex", login(more)]]) };
}

export function state(...names: readonly string[]): LoginFile {
  const entries = names.map((name) => [name, login({ identity: NOBODY, site: undefined })] as const);
  return { kind: "token_state", logins: new Map(entries) };
}

interface Kept {
  readonly name: string;
  readonly source: string;
  readonly follow: string | undefined;
  readonly login: FoundLogin;
}

export interface World {
  readonly io: TestIo;
  readonly config: string;
  readonly kept: Kept[];
  readonly read: string[];
  readonly closed: () => number;
  /** The names in the config that the logins were opened with. */
  readonly known: () => readonly string[];
  run(...args: readonly string[]): Promise<number>;
  text(): Promise<string>;
}

interface Setting {
  /** By account. */
  readonly signedIn?: Readonly<Record<string, Who>>;
  /** What each look at the file finds, the last one again and again. */
  readonly files?: readonly (LoginFile | Error)[];
  /** The lines somebody types at a terminal; undefined: nobody is there. */
  readonly typed?: readonly string[];
  readonly env?: Io["env"];
  readonly failing?: "open" | "signIn";
}

export async function world(accounts: string | undefined, setting: Setting = {}): Promise<World> {
  const { signedIn = {}, files = [codex()], typed, env = {}, failing } = setting;
  const io = await testIo(env);
  const stdin =
    typed === undefined
      ? Readable.from([])
      : Object.assign(Readable.from(typed.map((line) => `${line}\n`)), { isTTY: true });
  const config = join(io.cwd, "config.json");
  if (accounts !== undefined) await writeFile(config, configOf(accounts), { mode: 0o600 });
  const kept: Kept[] = [];
  const read: string[] = [];
  let closed = 0;
  let known: readonly string[] = [];
  const tools: ImportTools = {
    async read(path) {
      read.push(path);
      const found = files[Math.min(read.length, files.length) - 1];
      if (found === undefined || found instanceof Error) throw found;
      return found;
    },
    async open(opened) {
      if (failing === "open") throw new Error("the database is busy");
      known = opened.accounts.map(({ name }) => name);
      return {
        identity: (name) => signedIn[name],
        async signIn(name, login, source, follow) {
          if (failing === "signIn") throw new Error("the disk is full");
          kept.push({ name, login, source, follow });
        },
        async close() {
          closed++;
        },
      };
    },
  };
  const command = createImportCommand(tools);
  const run = async (...args: readonly string[]): Promise<number> => {
    const code = await command([...args], { ...io, stdin });
    // Nothing that is said to anybody, and nothing in the config, holds a token.
    expect(
      io.out() + io.err() + (accounts === undefined ? "" : await readFile(config, "utf8")),
    ).not.toContain("CANARY");
    return code;
  };
  const text = (): Promise<string> => readFile(config, "utf8");
  return { io, config, kept, read, closed: () => closed, known: () => known, run, text };
}

export function configOf(accounts: string): string {
  return `// Mine.\n{\n  "auth_tokens": ["client-token-0123456789"],\n  "accounts": [\n${accounts}  ],\n}\n`;
}

export const KEY = '    { "name": "main", "api_key": "sk-ant-0123456789" }, // paid\n';
export const CODEX = '    { "name": "codex", "platform": "openai", "type": "oauth" },\n';
export const ADDED = '    { "name": "codex", "platform": "openai", "type": "oauth" }';
