// Checked settings to the config the gateway runs with: defaults that depend on other values, our own names.

import { resolve } from "node:path";
import type { Account, AccountSettings, AccountType, Platform } from "./account.ts";
import { apisOf, defaultName, typeOf } from "./rules.ts";
import type { Config, Settings } from "./schema.ts";

const SMALLEST_QUEUE = 64;

function baseUrlOf(platform: Platform, type: AccountType): string {
  if (platform === "anthropic") return "https://api.anthropic.com";
  return type === "oauth" ? "https://chatgpt.com/backend-api/codex" : "https://api.openai.com";
}

/** Looked up by names that clients choose, so `constructor` must not be found in a prototype. */
function bare<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.assign(Object.create(null), record);
}

/** An empty list means all, as a missing one does. */
function anyOr(models: readonly string[] | undefined): readonly string[] | undefined {
  return models === undefined || models.length === 0 ? undefined : models;
}

function resolveAccount(settings: AccountSettings, index: number): Account {
  const { platform } = settings;
  const type = typeOf(settings);
  return {
    name: settings.name ?? defaultName("account", index),
    platform,
    type,
    apiKey: settings.api_key,
    oauthToken: settings.oauth_token,
    refreshToken: settings.refresh_token,
    clientId: settings.client_id,
    chatgptAccountId: settings.chatgpt_account_id,
    baseUrl: settings.base_url ?? baseUrlOf(platform, type),
    apis: [...new Set(settings.apis ?? apisOf(platform, type))],
    proxy: settings.proxy,
    concurrency: settings.concurrency,
    priority: settings.priority,
    weight: settings.weight,
    models: anyOr(settings.models),
    modelMap: bare(settings.model_map),
    disabled: settings.disabled,
    reserve: bare(settings.reserve),
    allowExtraUsage: settings.allow_extra_usage,
    oauthIssuer: settings.oauth_issuer,
  };
}

/** `folder` is the config file's. */
export function resolveConfig(settings: Settings, folder: string): Config {
  const accounts = settings.accounts.map(resolveAccount);
  const slots = accounts.reduce((sum, account) => sum + (account.disabled ? 0 : account.concurrency), 0);
  const aliases = Object.entries(settings.model_aliases).map(
    ([alias, { models }]) => [alias, models] as const,
  );
  return {
    listen: settings.listen_addr,
    authTokens: settings.auth_tokens,
    clientKeys: settings.client_keys.map((key, index) => ({
      name: key.name ?? defaultName("key", index),
      token: key.token,
      models: anyOr(key.models),
      concurrency: key.concurrency,
      requestsPerMinute: key.requests_per_minute,
      weight: key.weight,
    })),
    adminToken: settings.admin_token,
    accounts,
    openaiDefaultInstructions: bare(settings.openai_default_instructions),
    modelExtraParams: bare(settings.model_extra_params),
    modelAliases: bare(Object.fromEntries(aliases)),
    enableRequestLog: settings.enable_request_log,
    enableStreamDebugLog: settings.enable_stream_debug_log,
    enableModelDebugLog: settings.enable_model_debug_log,
    logErrorBodies: settings.log_error_bodies,
    maxAccountSwitches: settings.max_account_switches,
    stickySessionTtlMs: settings.sticky_session_ttl,
    streamReadTimeoutMs: settings.stream_read_timeout,
    connectTimeoutMs: settings.connect_timeout,
    firstEventTimeoutMs: settings.first_event_timeout,
    responseTimeoutMs: settings.response_timeout,
    queueTimeoutMs: settings.queue_timeout,
    queueSize: settings.queue_size ?? Math.max(SMALLEST_QUEUE, 2 * slots),
    maxBodyBytes: settings.max_body_size,
    shutdownGraceMs: settings.shutdown_grace,
    dataDir: resolve(folder, settings.data_dir),
    trustedProxies: settings.trusted_proxies,
    publicUrl: settings.public_url,
  };
}
