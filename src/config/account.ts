// What an account in the config may hold, and what the gateway makes of it.

import { z } from "zod";
import { PROTOCOLS } from "../core/account.ts";
import { proxyUrl, upstreamUrl } from "./addresses.ts";
import { checked, describe, model, models, name, positiveOr, secret, weight } from "./leaves.ts";

const share = z.number().min(0).max(1);

export const accountSchema = z.strictObject({
  name: describe(name.optional(), "Unique. Default: account-N, counted from 1.", "claude-main"),
  platform: describe(z.enum(["anthropic", "openai"]).default("anthropic"), "Whose API the account speaks."),
  type: describe(
    z.enum(["api_key", "oauth"]).optional(),
    "Default: oauth if the account has an OAuth field, else api_key.",
  ),
  api_key: describe(secret.optional(), "The provider's API key.", "${ANTHROPIC_API_KEY}"),
  oauth_token: describe(secret.optional(), "A fixed bearer token, never refreshed.", "${CLAUDE_OAUTH_TOKEN}"),
  refresh_token: describe(
    secret.optional(),
    "OpenAI OAuth: exchanged for access tokens.",
    "${OPENAI_REFRESH_TOKEN}",
  ),
  client_id: describe(
    secret.optional(),
    "OpenAI OAuth: the client of the login. Default: Codex's public client.",
  ),
  chatgpt_account_id: describe(secret.optional(), "OpenAI OAuth: default: what the id token says."),
  base_url: describe(
    checked(z.string(), upstreamUrl).optional(),
    "Default: the provider. API keys: /v1/messages, /v1/responses or /v1/chat/completions is appended (a /v1 at the end is not doubled); OpenAI OAuth: /responses is appended. With wss:// Responses are asked for over a WebSocket, everything else over https.",
    "https://openrouter.ai/api/v1",
  ),
  apis: describe(
    z.array(z.enum(PROTOCOLS)).min(1).optional(),
    "What the upstream speaks. Default: [messages] for anthropic, [responses, chat] for OpenAI API keys, [responses] for OpenAI OAuth.",
    ["chat"],
  ),
  oauth_issuer: describe(
    checked(z.string(), upstreamUrl).prefault("https://auth.openai.com"),
    "OpenAI OAuth: /oauth/authorize and /oauth/token are appended.",
  ),
  proxy: describe(
    checked(z.string(), proxyUrl).optional(),
    "The account's own way out. A proxy that fails never falls back to a direct connection.",
    "http://user:password@proxy.example.com:3128",
  ),
  concurrency: describe(positiveOr(3), "Hard limit of requests at once. 0 or less: the default."),
  priority: describe(positiveOr(50), "Lower goes first. 0 or less: the default."),
  weight: describe(weight, "Share among accounts of one priority, such as the size of the plan."),
  models: describe(
    models.optional(),
    "Exact names or globs; checked on the model that is sent upstream. Default: all.",
    ["claude-*"],
  ),
  model_map: describe(
    z.record(model, model).default({}),
    "The client's name of a model to this account's name.",
    {
      "gpt-5": "my-deployment",
    },
  ),
  disabled: describe(z.boolean().default(false), "Keeps the account in the file but out of the pool."),
  reserve: describe(
    z.strictObject({ "5h": share.optional(), "7d": share.optional() }).default({}),
    "Share of a limit window that the gateway never uses. Checked, but not in force yet.",
    { "5h": 0.05, "7d": 0.1 },
  ),
  allow_extra_usage: describe(
    z.boolean().default(false),
    "Whether requests may go on when the provider says that they now cost extra.",
  ),
});

export type AccountSettings = z.output<typeof accountSchema>;
export type Platform = AccountSettings["platform"];
export type AccountType = NonNullable<AccountSettings["type"]>;
export type Api = NonNullable<AccountSettings["apis"]>[number];

/** An account with every default filled in. */
export interface Account {
  readonly name: string;
  readonly platform: Platform;
  readonly type: AccountType;
  readonly apiKey?: string | undefined;
  readonly oauthToken?: string | undefined;
  readonly refreshToken?: string | undefined;
  readonly clientId?: string | undefined;
  readonly chatgptAccountId?: string | undefined;
  /** Without a slash at its end; a `/v1` at its end is left as it was written. */
  readonly baseUrl: string;
  readonly apis: readonly Api[];
  readonly proxy?: string | undefined;
  readonly concurrency: number;
  readonly priority: number;
  readonly weight: number;
  /** Undefined: all. */
  readonly models?: readonly string[] | undefined;
  /** Without a prototype, so that any name may be looked up. */
  readonly modelMap: Readonly<Record<string, string>>;
  readonly disabled: boolean;
  readonly reserve: Readonly<Partial<Record<"5h" | "7d", number>>>;
  readonly allowExtraUsage: boolean;
  /** Without a slash at its end. */
  readonly oauthIssuer: string;
}
