// The configuration in the words of those who use it.

import type { Account as AccountConfig } from "./config/account.ts";
import type { Config } from "./config/schema.ts";
import type { Account, Credential } from "./core/account.ts";
import type { ClientKey } from "./core/exchange.ts";
import { hashToken } from "./gateway/authenticate.ts";
import type { Settings } from "./gateway/deps.ts";
import { identityOf } from "./oauth/claims.ts";
import { CODEX_CLIENT } from "./oauth/codex-file.ts";
import type { LoginAccount, LoginStanding } from "./oauth/login.ts";
import type { PoolSettings } from "./pool/pool.ts";

/** A client that sends its body this slowly is refused. */
const BODY_TIMEOUT_MS = 60_000;

/** How the logins of accounts stand, by account name. */
export type Standings = (name: string) => LoginStanding;

/** @param standing asked for accounts that sign in */
export function accountOf(config: AccountConfig, standing: Standings): Account {
  const { name, platform, type, baseUrl, apis, concurrency, priority, weight, modelMap, disabled } = config;
  const login = signsIn(config) ? standing(name) : undefined;
  return {
    name,
    platform,
    type,
    provider: platform === "openai" && type === "oauth" ? "chatgpt" : platform,
    credential: credentialOf(config, login),
    loginNeeded: login?.state === "needs_login" ? login.reason : undefined,
    baseUrl,
    origin: new URL(baseUrl.replace(/^ws/, "http")).origin,
    proxy: config.proxy,
    apis,
    concurrency,
    priority,
    weight,
    models: config.models,
    modelMap,
    disabled,
    allowExtraUsage: config.allowExtraUsage,
  };
}

function credentialOf(config: AccountConfig, login: LoginStanding | undefined): Credential | undefined {
  const { apiKey, oauthToken } = config;
  if (login !== undefined)
    return login.state === "ready" ? { kind: "login", generation: login.generation } : undefined;
  if (config.type === "api_key")
    return apiKey === undefined ? undefined : { kind: "api_key", secret: apiKey };
  if (oauthToken === undefined) return undefined;
  // The token itself says which workspace it is for, unless the configuration does.
  const accountId = config.chatgptAccountId ?? identityOf(undefined, oauthToken).accountId;
  return { kind: "bearer", secret: oauthToken, accountId };
}

/** Whether the gateway keeps a login for it: a fixed token is used as it is. */
function signsIn({ platform, type, oauthToken }: AccountConfig): boolean {
  return platform === "openai" && type === "oauth" && oauthToken === undefined;
}

/** The accounts for which the gateway keeps a login. */
export function loginAccountsOf(config: Config): readonly LoginAccount[] {
  return config.accounts.filter(signsIn).map((account) => ({
    name: account.name,
    issuer: account.oauthIssuer,
    clientId: account.clientId ?? CODEX_CLIENT,
    proxy: account.proxy,
    seed: account.refreshToken,
    accountId: account.chatgptAccountId,
  }));
}

export function settingsOf(config: Config): Settings {
  return {
    keys: keysOf(config),
    aliases: config.modelAliases,
    defaultInstructions: config.openaiDefaultInstructions,
    extraParams: config.modelExtraParams,
    maxBodyBytes: config.maxBodyBytes,
    bodyTimeoutMs: BODY_TIMEOUT_MS,
    maxAccountSwitches: config.maxAccountSwitches,
    connectTimeoutMs: config.connectTimeoutMs,
    firstEventTimeoutMs: config.firstEventTimeoutMs,
    streamReadTimeoutMs: config.streamReadTimeoutMs,
    responseTimeoutMs: config.responseTimeoutMs,
    logRequests: config.enableRequestLog,
    logStreams: config.enableStreamDebugLog,
    logPayloads: config.enableModelDebugLog,
    logErrorBodies: config.logErrorBodies,
  };
}

function keysOf(config: Config): ReadonlyMap<string, ClientKey> {
  const keys = new Map<string, ClientKey>();
  const open = { models: undefined, concurrency: undefined, requestsPerMinute: undefined, weight: 1 };
  for (const token of config.authTokens) {
    // Named by what it is, not by its place: removing one must not turn another into it.
    const hash = hashToken(token);
    keys.set(hash, { name: `token-${hash.slice(0, 8)}`, ...open });
  }
  for (const { name, token, models, concurrency, requestsPerMinute, weight } of config.clientKeys) {
    keys.set(hashToken(token), { name, models, concurrency, requestsPerMinute, weight });
  }
  return keys;
}

export function poolSettingsOf(config: Config): PoolSettings {
  return {
    maxQueue: config.queueSize,
    queueTimeoutMs: config.queueTimeoutMs,
    stickyTtlMs: config.stickySessionTtlMs,
    keys: config.authTokens.length + config.clientKeys.length,
  };
}

/** Every secret of the configuration, for the log's mask. */
export function secretsOf(config: Config): readonly string[] {
  const ofAccounts = config.accounts.flatMap((each) => [each.apiKey, each.oauthToken, each.refreshToken]);
  const ofKeys = config.clientKeys.map((each) => each.token);
  return [...config.authTokens, ...ofKeys, config.adminToken, ...ofAccounts].filter(
    (each) => each !== undefined,
  );
}
