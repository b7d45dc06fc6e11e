// Configs for gateways under test: short times, made-up credentials that are easy to find again in any output.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "./json-pick.ts";

/** Stands in every credential the kit makes; see `secretsIn`. */
export const CANARY = "canary-5d0f2c71";

export const CLIENT_KEY = `${CANARY}-client-key-one`;
export const SECOND_CLIENT_KEY = `${CANARY}-client-key-two`;

export interface AccountOptions {
  readonly platform?: "anthropic" | "openai";
  /** Further members of the account, in the words of the config file. */
  readonly more?: JsonObject;
}

/** The credential with which an account of this name reaches its upstream. */
export function credentialOf(account: string): string {
  return `${CANARY}-account-${account}`;
}

export function account(name: string, baseUrl: string, options: AccountOptions = {}): JsonObject {
  return {
    name,
    platform: options.platform ?? "anthropic",
    type: "api_key",
    api_key: credentialOf(name),
    base_url: baseUrl,
    ...options.more,
  };
}

/** A config in the words of the config file; `more` replaces top-level members. */
export function gatewayConfig(accounts: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return {
    listen_addr: "127.0.0.1:0",
    auth_tokens: [CLIENT_KEY, SECOND_CLIENT_KEY],
    admin_token: `${CANARY}-admin-token-of-a-gateway-under-test`,
    accounts,
    connect_timeout: "300ms",
    first_event_timeout: "500ms",
    response_timeout: "1s",
    stream_read_timeout: "300ms",
    queue_timeout: "2s",
    ...more,
  };
}

/** Credentials of this kit that stand in a text, each with what surrounds it. */
export function secretsIn(text: string): readonly string[] {
  const found: string[] = [];
  for (let at = text.indexOf(CANARY); at >= 0; at = text.indexOf(CANARY, at + 1))
    found.push(text.slice(Math.max(0, at - 40), at + 60));
  return found;
}

export interface ConfigFile {
  readonly folder: string;
  readonly path: string;
  write(config: JsonObject | string): Promise<void>;
  remove(): Promise<void>;
}

/** A config file in a folder of its own, where the gateway also keeps its data. */
export async function writeConfig(config: JsonObject | string): Promise<ConfigFile> {
  const folder = await mkdtemp(join(tmpdir(), "gateway-test-"));
  const path = join(folder, "config.json");
  const write = (content: JsonObject | string): Promise<void> =>
    writeFile(path, typeof content === "string" ? content : JSON.stringify(content, null, 2), {
      mode: 0o600,
    });
  await write(config);
  return { folder, path, write, remove: () => rm(folder, { recursive: true, force: true }) };
}
