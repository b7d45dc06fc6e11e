// Connections through an account's own proxy.

/** Bun heeds both. */
const EXCEPTIONS = ["NO_PROXY", "no_proxy"] as const;

/**
 * Starts a call that names this proxy. Bun would go past it, though it is named in the call itself, to addresses in the
 * machine's `NO_PROXY`, where it looks as the call starts and only then. An account's proxy is never left out.
 */
export function throughProxy<T>(proxy: string | undefined, start: () => T): T {
  if (proxy === undefined) return start();
  const held = EXCEPTIONS.map((name) => [name, process.env[name]] as const);
  for (const [name, value] of held) if (value !== undefined) delete process.env[name];
  try {
    return start();
  } finally {
    for (const [name, value] of held) if (value !== undefined) process.env[name] = value;
  }
}

/** `fetch` by way of the proxy, if there is one. */
export function fetchThrough(
  proxy: string | undefined,
  url: string,
  init: BunFetchRequestInit,
): Promise<Response> {
  if (proxy === undefined) return fetch(url, init);
  return throughProxy(proxy, () => fetch(url, { ...init, proxy }));
}
