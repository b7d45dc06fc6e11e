// The config a command works with, and from it the way to the gateway that runs on it.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import { nearest } from "../config/nearest.ts";
import { formatProblems } from "../config/problems.ts";
import type { Config } from "../config/schema.ts";
import { UsageError } from "./arguments.ts";
import { type Io, programName } from "./io.ts";

/** A config that cannot be used: the message says why, and the command exits 2. */
export class ConfigError extends Error {}

/** @throws ConfigError */
export async function readConfigFor(io: Io, configPath: string): Promise<Config> {
  const path = resolve(io.cwd, configPath);
  if (!existsSync(path)) {
    const make = `${programName(io.env)} init -config ${path}`;
    throw new ConfigError(`There is no config at ${path}.\nMake one with: ${make}`);
  }
  const loaded = await loadConfig(path, io.env);
  if (!loaded.ok) throw new ConfigError(formatProblems(path, loaded.problems).trimEnd());
  return loaded.config;
}

/** Options of every command that speaks to a gateway. */
export const TARGET_OPTIONS = { url: { type: "string" }, key: { type: "string" } } as const;

export const TARGET_HELP = `  --url URL                    the gateway; default: where the config makes it listen on this machine
  --key NAME                   the client key of this name in client_keys; default: the first key of the config.
                               With --url and $SUB2API_KEY no config is needed`;

export interface Target {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

export interface TargetWish {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
}

/** Where the gateway is and with which key it is asked. @throws ConfigError, UsageError */
export async function targetFor(io: Io, configPath: string, wish: TargetWish): Promise<Target> {
  const url = wish.url === undefined ? undefined : checkedUrl(wish.url);
  const given = io.env["SUB2API_KEY"];
  if (url !== undefined && given !== undefined && given !== "" && wish.key === undefined)
    return { url, key: given };
  const config = await readConfigFor(io, configPath);
  return { url: url ?? localUrl(config), key: keyOf(config, wish.key) };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError("--url needs an address such as http://127.0.0.1:8080");
  return url.href.replace(/\/+$/, "").replace(/\/v1$/, "");
}

const EVERYWHERE = new Set(["", "0.0.0.0", "::"]);

/** How this machine reaches a gateway with this config. @throws UsageError when only the gateway knows its port */
function localUrl({ listen: { host = "", port } }: Config): string {
  if (port === 0) throw new UsageError("listen_addr lets the system choose the port; say where with --url");
  const named = EVERYWHERE.has(host) ? "127.0.0.1" : host;
  return `http://${named.includes(":") ? `[${named}]` : named}:${port}`;
}

function keyOf({ authTokens, clientKeys }: Config, name: string | undefined): string {
  if (name !== undefined) {
    const found = clientKeys.find((each) => each.name === name);
    if (found !== undefined) return found.token;
    const near = nearest(
      name,
      clientKeys.map((each) => each.name),
    );
    throw new UsageError(
      `client_keys has no key named "${name}"${near === undefined ? "" : `; did you mean "${near}"?`}`,
    );
  }
  const key = authTokens[0] ?? clientKeys[0]?.token;
  if (key === undefined) throw new ConfigError("The config has no client key: add one to auth_tokens.");
  return key;
}
