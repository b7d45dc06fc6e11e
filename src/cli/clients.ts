// How each client is pointed at a gateway by its environment alone: variables, and words on its command line.

import type { JsonObject } from "../core/json.ts";
import type { Target } from "./configured.ts";

/** Names of settings made in clients' configs, and of the variable that carries the client key. */
export const PROVIDER = "sub2api";
const KEY_VARIABLE = "SUB2API_KEY";

export interface Pointing {
  readonly set: Readonly<Record<string, string>>;
  /** Variables that would send the client, or a second key, elsewhere. */
  readonly unset: readonly string[];
  /** Words before the user's own, for what the client takes from no variable. */
  readonly args: readonly string[];
}

export interface Wanted extends Target {
  /** The model to begin with, if somebody chose one. */
  readonly model: string | undefined;
  /** Every model that is known: some clients show only what they are told of. */
  readonly models: readonly string[];
}

interface Client {
  /** Its program; undefined when there is none to start. */
  readonly program?: string;
  readonly install?: string;
  readonly needsModels?: boolean;
  readonly takesModel: boolean;
  readonly point: (wanted: Wanted) => Pointing;
}

const claude: Client = {
  program: "claude",
  install: "npm install -g @anthropic-ai/claude-code",
  takesModel: true,
  point: ({ url, key, model }) => ({
    set: {
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: key,
      ...(model === undefined ? {} : { ANTHROPIC_MODEL: model }),
    },
    // It would come as a second, different key, which the gateway refuses.
    unset: ["ANTHROPIC_API_KEY"],
    args: [],
  }),
};

/** Codex takes a provider from its config or its command line only. What is no TOML it reads as text. */
const codex: Client = {
  program: "codex",
  install: "npm install -g @openai/codex",
  takesModel: true,
  point({ url, key, model }) {
    const provider = Object.entries({ ...codexProvider(url), env_key: KEY_VARIABLE });
    const settings = [
      `model_provider=${PROVIDER}`,
      ...provider.map(([name, value]) => `model_providers.${PROVIDER}.${name}=${value}`),
      ...(model === undefined ? [] : [`model=${model}`]),
    ];
    return { set: { [KEY_VARIABLE]: key }, unset: [], args: settings.flatMap((each) => ["-c", each]) };
  },
};

/** Any name but "OpenAI", which makes Codex ask for compactions that only OpenAI can make. */
export function codexProvider(url: string): Readonly<Record<string, string>> {
  return { name: PROVIDER, base_url: `${url}/v1`, wire_api: "responses" };
}

const openai: Client = {
  takesModel: false,
  point: ({ url, key }) => ({
    set: { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key },
    unset: [],
    args: [],
  }),
};

const opencode: Client = {
  program: "opencode",
  install: "npm install -g opencode-ai",
  needsModels: true,
  takesModel: true,
  point: (wanted) => ({
    set: { OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(wanted)) },
    unset: [],
    args: [],
  }),
};

export function opencodeConfig(wanted: Wanted): { readonly provider: JsonObject; readonly model?: string } {
  const { model, models } = wanted;
  const all = model === undefined || models.includes(model) ? models : [model, ...models];
  const first = model ?? all[0];
  return {
    provider: { [PROVIDER]: opencodeProvider(wanted, all) },
    ...(first === undefined ? {} : { model: `${PROVIDER}/${first}` }),
  };
}

/** Claude models are asked for in their own protocol, which loses nothing; all others by Chat Completions. */
function opencodeProvider({ url, key }: Target, models: readonly string[]): JsonObject {
  const entries = models.map((name) => {
    const own = name.startsWith("claude") ? { provider: { npm: "@ai-sdk/anthropic" } } : {};
    return [name, { name, attachment: true, tool_call: true, modalities: MODALITIES, ...own }];
  });
  return {
    name: "sub2api_simple",
    npm: "@ai-sdk/openai-compatible",
    options: { baseURL: `${url}/v1`, apiKey: key },
    models: Object.fromEntries(entries),
  };
}

const MODALITIES = { input: ["text", "image"], output: ["text"] };

const CLIENTS = { claude, codex, openai, opencode } as const satisfies Record<string, Client>;
export type ClientName = keyof typeof CLIENTS;
export const CLIENT_NAMES: readonly ClientName[] = ["claude", "codex", "openai", "opencode"];

/** With the optional members that a single client may lack. */
export function clientOf(name: ClientName): Client {
  return CLIENTS[name];
}
