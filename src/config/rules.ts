// Rules between values: names, tokens and credentials that must fit together. They read the file's own
// JSON and not the checked settings, so that they speak up even where single values are wrong.

import { PROTOCOLS } from "../core/account.ts";
import { arrayAt, booleanAt, isObject, type Json, type JsonObject, stringAt } from "../core/json.ts";
import type { AccountType, Api, Platform } from "./account.ts";
import type { Finding, Path } from "./problems.ts";
import { isSample } from "./secrets.ts";

const SECRETS = ["api_key", "oauth_token", "refresh_token"] as const;

export function findConflicts(config: Json): Finding[] {
  const accounts = objectsAt(config, "accounts");
  return [
    ...clientTokens(config),
    ...accounts.flatMap(([account, at]) => accountConflicts(account, at)),
    ...repeated(names(accounts, "account"), "is already the name of"),
    ...repeated(names(objectsAt(config, "client_keys"), "key"), "is already the name of"),
    ...repeated(
      accounts.map(([account, at]) => [stringAt(account, "refresh_token"), [...at, "refresh_token"]]),
      "is also the refresh token of",
    ),
  ];
}

type Named = readonly [value: string | undefined, at: Path];

function objectsAt(config: Json, key: string): (readonly [JsonObject, Path])[] {
  const list = arrayAt(config, key) ?? [];
  return list.flatMap((each, i) => (isObject(each) ? [[each, [key, i]] as const] : []));
}

/** The name an entry has when it is given none; counted from 1. */
export function defaultName(kind: "account" | "key", index: number): string {
  return `${kind}-${index + 1}`;
}

function names(list: readonly (readonly [JsonObject, Path])[], kind: "account" | "key"): Named[] {
  return list.map(([each, at]) => [
    stringAt(each, "name") ?? defaultName(kind, Number(at[1])),
    [...at, "name"],
  ]);
}

function repeated(list: readonly Named[], message: string): Finding[] {
  const seen = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const [value, at] of list) {
    const first = value === undefined ? undefined : seen.get(value);
    if (first !== undefined) findings.push({ at, message: `${message} ${first[0]}[${first[1]}]` });
    else if (value !== undefined) seen.set(value, at);
  }
  return findings;
}

function clientTokens(config: Json): Finding[] {
  const plain = (arrayAt(config, "auth_tokens") ?? []).map((token, i): Named => [
    typeof token === "string" ? token : undefined,
    ["auth_tokens", i],
  ]);
  const keys = objectsAt(config, "client_keys").map(([key, at]): Named => [
    stringAt(key, "token"),
    [...at, "token"],
  ]);
  const none = plain.length + (arrayAt(config, "client_keys") ?? []).length === 0;
  const missing: Finding = {
    at: ["auth_tokens"],
    message: "has no client key, and neither has client_keys: nobody could use the gateway",
    suggestion: "sub2api_simple init writes a config with a random client key",
  };
  const admin: Named = [stringAt(config, "admin_token"), ["admin_token"]];
  return [...(none ? [missing] : []), ...repeated([...plain, ...keys, admin], "is the same token as")];
}

/**
 * The type of an account that names none: whoever gives OAuth tokens means OAuth; the fields that only
 * accompany them count when there is no API key.
 */
export function typeOf(account: { readonly [key: string]: unknown }): AccountType {
  const given = (key: string): boolean => account[key] !== undefined;
  if (account["type"] === "api_key" || account["type"] === "oauth") return account["type"];
  if (given("oauth_token") || given("refresh_token")) return "oauth";
  return !given("api_key") && (given("client_id") || given("chatgpt_account_id")) ? "oauth" : "api_key";
}

/** What an upstream speaks when the account does not say; it cannot be said to speak anything else. */
export function apisOf(platform: Platform, type: AccountType): readonly Api[] {
  if (platform === "anthropic") return ["messages"];
  return type === "oauth" ? ["responses"] : ["responses", "chat"];
}

function accountConflicts(account: JsonObject, at: Path): Finding[] {
  const platform = stringAt(account, "platform") ?? "anthropic";
  if (platform !== "anthropic" && platform !== "openai") return [];
  const type = typeOf(account);
  return [
    ...credentialConflicts(account, at, platform, type),
    ...apiConflicts(account, at, platform, type),
    ...(booleanAt(account, "disabled") === true ? [] : samples(account, at)),
  ];
}

function credentialConflicts(
  account: JsonObject,
  at: Path,
  platform: Platform,
  type: AccountType,
): Finding[] {
  const has = (key: string): boolean => account[key] !== undefined;
  const variable = platform === "anthropic" ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY";
  if (type === "api_key" && !has("api_key"))
    return [
      {
        at: [...at, "api_key"],
        message: "is missing: an account of type api_key needs one",
        suggestion: `"api_key": "\${${variable}}"`,
      },
    ];
  if (platform === "openai" || type !== "oauth" || has("oauth_token")) return [];
  return [
    {
      at: [...at, "oauth_token"],
      message: has("refresh_token")
        ? "is missing: refresh_token works with openai accounts only"
        : "is missing: an anthropic account of type oauth needs one",
      suggestion: has("refresh_token")
        ? '"platform": "openai", or an oauth_token'
        : '"oauth_token": "${CLAUDE_OAUTH_TOKEN}"',
    },
  ];
}

function apiConflicts(account: JsonObject, at: Path, platform: Platform, type: AccountType): Finding[] {
  const usual = apisOf(platform, type);
  return (arrayAt(account, "apis") ?? []).flatMap((each, i) => {
    const api = PROTOCOLS.find((protocol) => protocol === each);
    if (api === undefined || usual.includes(api)) return [];
    const message = `is not spoken by ${platform} accounts of type ${type}`;
    const other = api === "messages" ? "anthropic" : "openai";
    const suggestion = other === platform ? `"apis": ${JSON.stringify(usual)}` : `"platform": "${other}"`;
    return [{ at: [...at, "apis", i], message, suggestion }];
  });
}

function samples(account: JsonObject, at: Path): Finding[] {
  return SECRETS.filter((key) => isSample(stringAt(account, key) ?? "")).map((key) => ({
    at: [...at, key],
    message: "is a sample value",
    suggestion: 'put the real one here, or "disabled": true into the account',
  }));
}
