// An account as the configuration describes it, and what it can serve. Live state is the pool's.

/** The wire formats there are: whoever lists them lists these. */
export const PROTOCOLS = ["messages", "responses", "chat"] as const;
export type Protocol = (typeof PROTOCOLS)[number];
export type Platform = "anthropic" | "openai";

/** How the gateway proves to the upstream who the account is. Never logged, never shown. */
export type Credential =
  | Access
  /** A login that the gateway keeps and renews (core/login.ts). Another generation is another sign-in. */
  | { readonly kind: "login"; readonly generation: number };

/** What a request presents to an upstream. Secret: it goes to that account's own service and nowhere else. */
export interface Access {
  readonly kind: "api_key" | "bearer";
  readonly secret: string;
  /** ChatGPT's id of the workspace, sent beside the token. */
  readonly accountId?: string | undefined;
}

export interface Account {
  readonly name: string;
  readonly platform: Platform;
  readonly type: "api_key" | "oauth";
  /** The provider file that serves it. */
  readonly provider: string;
  /** Undefined while somebody has to log it in. */
  readonly credential: Credential | undefined;
  /** Why somebody has to, in words for the operator. */
  readonly loginNeeded?: string | undefined;
  readonly baseUrl: string;
  /** Scheme, host and port of `baseUrl`: what shares a fate on the network. */
  readonly origin: string;
  readonly proxy: string | undefined;
  readonly apis: readonly Protocol[];
  /** Hard limit of requests in flight. */
  readonly concurrency: number;
  /** Lower goes first. */
  readonly priority: number;
  /** Share within a priority. */
  readonly weight: number;
  /** Names or globs of upstream models; undefined: its platform's family. */
  readonly models: readonly string[] | undefined;
  /** Client's name -> this account's name. */
  readonly modelMap: Readonly<Record<string, string>>;
  readonly disabled: boolean;
  readonly allowExtraUsage: boolean;
}

const FAMILIES: Readonly<Record<Platform, RegExp>> = {
  anthropic: /^claude-/,
  openai: /^(gpt-|o[1-9]|codex-|chatgpt-)/,
};

/** The platform a model name belongs to by its form; undefined for a name of no known family. */
function familyOf(model: string): Platform | undefined {
  if (FAMILIES.anthropic.test(model)) return "anthropic";
  return FAMILIES.openai.test(model) ? "openai" : undefined;
}

function platformOf(protocol: Protocol): Platform {
  return protocol === "messages" ? "anthropic" : "openai";
}

/** Whether a name matches a list of exact names and globs with `*`. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => pattern === name || (pattern.includes("*") && glob(pattern).test(name)));
}

const globs = new Map<string, RegExp>();
function glob(pattern: string): RegExp {
  let compiled = globs.get(pattern);
  if (compiled === undefined) {
    const escaped = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    compiled = new RegExp(`^${escaped.join(".*")}$`, "s");
    // Patterns come from the configuration only, so the map is as small as the configuration.
    globs.set(pattern, compiled);
  }
  return compiled;
}

/**
 * The model name to send to this account for a client's `model` that came by `protocol`'s endpoint, or
 * undefined when the account does not offer it.
 */
export function upstreamModel(account: Account, model: string, protocol: Protocol): string | undefined {
  const mapped = Object.hasOwn(account.modelMap, model) ? account.modelMap[model] : undefined;
  const sent = mapped ?? model;
  if (account.models !== undefined) return matchesAny(account.models, sent) ? sent : undefined;
  if (mapped !== undefined) return mapped;
  const family = familyOf(model) ?? platformOf(protocol);
  return family === account.platform ? model : undefined;
}
