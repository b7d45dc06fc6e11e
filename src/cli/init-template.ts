// The config that `init` writes.

export type AccountChoice =
  | { readonly kind: "anthropic" | "openai"; readonly key: string }
  /** Signs in, or takes Codex's login over; nothing secret stands in the config. */
  | { readonly kind: "chatgpt" | "codex" };

/** The account's name in the config; `import codex` looks for that one. */
export function nameOf({ kind }: AccountChoice): string {
  return kind;
}

export interface TemplateValues {
  readonly clientKey: string;
  readonly listen: string;
  /** None: templates to fill in. */
  readonly accounts: readonly AccountChoice[];
  /** Where an editor finds the schema. */
  readonly schema: string;
}

export function configText({ clientKey, listen, accounts, schema }: TemplateValues): string {
  const entries = accounts.length > 0 ? accounts.map(accountText).join("\n") : TEMPLATES;
  return `// Config of sub2api_simple. Comments and trailing commas are allowed; config.example.json shows more.
// "\${NAME}" takes an environment variable, "\${file:PATH}" the content of a file.
{
  "$schema": ${JSON.stringify(schema)},

  // Who can reach the gateway: with 127.0.0.1 only this machine. ":8080" opens it to the network.
  "listen_addr": ${JSON.stringify(listen)},

  // The keys of your clients. This one was made at random; keep it secret.
  "auth_tokens": [${JSON.stringify(clientKey)}],

  // The accounts that requests are spread over.
  "accounts": [
${entries}
  ],

  // Other names for models:
  // "model_aliases": { "best": { "models": ["claude-opus-5", "gpt-5"] } },
}
`;
}

function accountText(account: AccountChoice): string {
  if (!("key" in account))
    return `    {
      "name": "${nameOf(account)}",
      "platform": "openai",
      "type": "oauth",
      // Requests at once.
      "concurrency": 3,
    },`;
  return `    {
      "name": "${nameOf(account)}",
      "platform": "${account.kind}",
      "api_key": ${JSON.stringify(account.key)},
      // Requests at once.
      "concurrency": 3,
    },`;
}

const TEMPLATES = `    // FILL IN: take the slashes away from at least one of these and put your key in.
    // { "name": "anthropic", "platform": "anthropic", "api_key": "your-anthropic-api-key" },
    // { "name": "openai", "platform": "openai", "api_key": "your-openai-api-key" },
    // { "name": "chatgpt", "platform": "openai", "type": "oauth" },
    // { "name": "local", "platform": "openai", "api_key": "none", "base_url": "http://localhost:11434", "apis": ["chat"] },`;
