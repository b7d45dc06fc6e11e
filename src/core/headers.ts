// Which headers may cross the gateway. Everything not named here stays where it is: credentials, hosts,
// hop-by-hop fields, organization ids and one account's limit counters.

const REQUEST_EXACT = new Set([
  "accept",
  "anthropic-version",
  "anthropic-beta",
  "anthropic-dangerous-direct-browser-access",
  "conversation_id",
  "conversation-id",
  "idempotency-key",
  "openai-beta",
  "originator",
  "session_id",
  "session-id",
  "thread-id",
  "traceparent",
  "tracestate",
  "user-agent",
  "version",
  "x-app",
  "x-client-request-id",
  "x-openai-subagent",
  "x-session-affinity",
  "x-session-id",
]);
const REQUEST_PREFIXES = ["x-stainless-", "x-claude-code-", "x-codex-", "openai-"];
/** They name the client's own organization, which is not that of the pooled account. */
const REQUEST_NEVER = new Set(["openai-organization", "openai-project"]);

const ANSWER_EXACT = new Set([
  "anthropic-version",
  "cf-ray",
  "content-type",
  "openai-model",
  "openai-processing-ms",
  "openai-version",
  "request-id",
  "retry-after",
  "retry-after-ms",
  "x-codex-turn-state",
  "x-models-etag",
  "x-reasoning-included",
  "x-should-retry",
]);

/** The client's headers that go upstream. */
export function requestHeaders(from: Headers): Headers {
  const to = new Headers();
  from.forEach((value, name) => {
    if (REQUEST_EXACT.has(name) || startsWithAny(name, REQUEST_PREFIXES)) {
      if (!REQUEST_NEVER.has(name)) to.set(name, value);
    }
  });
  return to;
}

/** The upstream's headers that go to the client. */
export function answerHeaders(from: Headers): Headers {
  const to = new Headers();
  for (const name of ANSWER_EXACT) {
    const value = from.get(name);
    if (value !== null) to.set(name, value);
  }
  return to;
}

function startsWithAny(name: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix));
}
