// The one source of what a config may hold: from these schemas come the checks of single values, the types,
// config.schema.json and the advice in error messages. Rules between values are in rules.ts.

import { z } from "zod";
import type { JsonObject } from "../core/json.ts";
import { type Account, accountSchema } from "./account.ts";
import { ipRange, type Listen, listenAddress, publicUrl } from "./addresses.ts";
import {
  amount,
  checked,
  count,
  describe,
  durationOf,
  HOUR_MS,
  model,
  models,
  name,
  weight,
} from "./leaves.ts";
import { clientToken } from "./secrets.ts";
import { size } from "./units.ts";

const LARGEST_BODY = 1024 ** 3;
const STREAM_READ_TIMEOUT_MS = 300_000;

export const clientKeySchema = z.strictObject({
  name: describe(name.optional(), "Unique. Default: key-N, counted from 1.", "alice"),
  token: describe(checked(z.string(), clientToken), "At least 16 characters.", "${ALICE_KEY}"),
  models: describe(models.optional(), "Exact names or globs this key may ask for. Default: all.", ["gpt-*"]),
  concurrency: describe(count.optional(), "Requests at once. Default: no limit."),
  requests_per_minute: describe(count.optional(), "Default: no limit."),
  weight: describe(weight, "Share of the queue when the pool is busy."),
});

const aliasTarget = z.union(
  [model.transform((only) => ({ models: [only] })), z.strictObject({ models: models.min(1) })],
  { error: 'must be a model\'s name or { "models": [...] }' },
);

export const configSchema = z.strictObject({
  $schema: describe(z.string().optional(), "Where an editor finds this schema."),
  listen_addr: describe(
    checked(z.string(), listenAddress).prefault("127.0.0.1:8080"),
    "Host and port; without a host, all interfaces.",
    ":8080",
  ),
  auth_tokens: describe(
    z.array(checked(z.string(), clientToken)).prefault([]),
    "Client keys without limits, at least 16 characters each. Required unless client_keys has one.",
    ["${GATEWAY_KEY}"],
  ),
  client_keys: describe(z.array(clientKeySchema).prefault([]), "Client keys with limits."),
  admin_token: describe(
    checked(z.string(), clientToken).optional(),
    "Opens the dashboard. Default: made at first start and kept in data_dir.",
    "${ADMIN_TOKEN}",
  ),
  accounts: describe(z.array(accountSchema).min(1), "The pool. At least one."),
  openai_default_instructions: describe(
    z.record(z.string(), z.string()).default({}),
    'Instructions by model for requests that bring none; "*" when nothing else matches.',
    { "*": "You are a helpful assistant." },
  ),
  model_extra_params: describe(
    z.record(z.string(), z.record(z.string(), z.json())).default({}),
    'Body fields by model, merged where the client left them out; "*" when nothing else matches.',
    { "gpt-5": { reasoning: { effort: "high" } } },
  ),
  model_aliases: describe(
    z.record(model, aliasTarget).prefault({}),
    "The name a client asks for to a model, or to several that are tried in order, across platforms.",
    { fast: "gpt-5-mini", best: { models: ["claude-opus-5", "gpt-5"] } },
  ),
  enable_request_log: describe(z.boolean().default(true), "One line a request, without bodies."),
  enable_stream_debug_log: describe(z.boolean().default(false), "Logs the lines of streams, secrets masked."),
  enable_model_debug_log: describe(z.boolean().default(false), "Logs payloads both ways, secrets masked."),
  log_error_bodies: describe(z.boolean().default(false), "Logs the bodies of requests that failed."),
  max_account_switches: describe(
    z.int().min(0).default(5),
    "How many further accounts a request may try; 0 means none.",
  ),
  sticky_session_ttl: describe(
    durationOf("1h", 0, 366 * 24 * HOUR_MS),
    "How long a quiet conversation keeps its account.",
  ),
  stream_read_timeout: describe(
    durationOf("5m", 0).transform((ms) => ms || STREAM_READ_TIMEOUT_MS),
    "Silence between two events of a stream. 0: the default.",
  ),
  connect_timeout: describe(durationOf("10s"), "Connecting to an upstream."),
  first_event_timeout: describe(durationOf("2m"), "Stream headers and first event."),
  response_timeout: describe(durationOf("15m"), "A whole answer that is not streamed."),
  queue_timeout: describe(durationOf("30s", 0), "Waiting for a free slot; 0 means not at all."),
  queue_size: describe(
    z.int().min(0).optional(),
    "Requests that may wait. Default: twice the slots, at least 64.",
  ),
  max_body_size: describe(
    checked(amount, (value) => size(value, LARGEST_BODY)).prefault("32MiB"),
    "Of a request.",
  ),
  shutdown_grace: describe(durationOf("2m", 0), "How long running requests may go on after SIGTERM."),
  data_dir: describe(z.string().default("data"), "State and made keys; relative to the config file."),
  trusted_proxies: describe(
    z.array(checked(z.string(), ipRange)).prefault([]),
    "Addresses and ranges whose x-forwarded-for counts.",
    ["10.0.0.0/8"],
  ),
  public_url: describe(
    checked(z.string(), publicUrl).optional(),
    "Where people reach the gateway, when that is not the listen address.",
    "https://gateway.example.com",
  ),
});

/** What the file says, checked, with durations in milliseconds and sizes in bytes, still in its own words. */
export type Settings = z.output<typeof configSchema>;

export interface ClientKey {
  readonly name: string;
  readonly token: string;
  /** Undefined: all. */
  readonly models?: readonly string[] | undefined;
  readonly concurrency?: number | undefined;
  readonly requestsPerMinute?: number | undefined;
  readonly weight: number;
}

/** A config with every default filled in. Records have no prototype, so that any name may be looked up. */
export interface Config {
  readonly listen: Listen;
  readonly authTokens: readonly string[];
  readonly clientKeys: readonly ClientKey[];
  readonly adminToken?: string | undefined;
  readonly accounts: readonly Account[];
  readonly openaiDefaultInstructions: Readonly<Record<string, string>>;
  readonly modelExtraParams: Readonly<Record<string, JsonObject>>;
  /** Alias to the models that are tried in this order. */
  readonly modelAliases: Readonly<Record<string, readonly string[]>>;
  readonly enableRequestLog: boolean;
  readonly enableStreamDebugLog: boolean;
  readonly enableModelDebugLog: boolean;
  readonly logErrorBodies: boolean;
  readonly maxAccountSwitches: number;
  readonly stickySessionTtlMs: number;
  readonly streamReadTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly firstEventTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly queueSize: number;
  readonly maxBodyBytes: number;
  readonly shutdownGraceMs: number;
  /** Absolute. */
  readonly dataDir: string;
  readonly trustedProxies: readonly string[];
  readonly publicUrl?: string | undefined;
}
