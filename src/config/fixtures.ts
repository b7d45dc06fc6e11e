// For tests: the least a config needs, and short ways to load a changed one.

import type { Json } from "../core/json.ts";
import { readConfig } from "./load.ts";
import type { Problem } from "./problems.ts";
import type { Config } from "./schema.ts";
import type { Env } from "./substitute.ts";

export const TOKEN = "client-token-0123456789";

export interface Entries {
  readonly [key: string]: Json;
}

export function minimal(more: Entries = {}): Entries {
  return { auth_tokens: [TOKEN], accounts: [{ api_key: "sk-ant-0123456789" }], ...more };
}

/** A config with these accounts only. */
export function withAccounts(...accounts: readonly Json[]): Entries {
  return minimal({ accounts });
}

function textOf(config: Json | string): string {
  return typeof config === "string" ? config : JSON.stringify(config);
}

/** Loads what must be good. */
export async function good(config: Json | string, env: Env = {}): Promise<Config> {
  const loaded = await readConfig(textOf(config), "/etc/gateway", env);
  if (loaded.ok) return loaded.config;
  throw new Error(`a good config was refused: ${JSON.stringify(loaded.problems)}`);
}

/** The first account of a config with this one only. */
export async function goodAccount(account: Json): Promise<Config["accounts"][number]> {
  const [first] = (await good(withAccounts(account))).accounts;
  if (first === undefined) throw new Error("the account was lost");
  return first;
}

/** Loads what must be bad. */
export async function bad(config: Json | string, env: Env = {}): Promise<readonly Problem[]> {
  const loaded = await readConfig(textOf(config), "/etc/gateway", env);
  if (!loaded.ok) return loaded.problems;
  throw new Error("a bad config was taken");
}

/** Problems as `path message` and, behind an arrow, the suggestion. */
export async function complaints(config: Json | string, env: Env = {}): Promise<string[]> {
  const problems = await bad(config, env);
  return problems.map(({ path, message, suggestion }) =>
    `${path} ${message}${suggestion === undefined ? "" : ` -> ${suggestion}`}`.trim(),
  );
}
