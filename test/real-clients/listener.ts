// Stands between a client and the gateway and writes down what the client asks; everything passes as it is.

export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface Listener {
  readonly url: string;
  readonly heard: readonly Heard[];
  stop(): void;
}

export function listen(gateway: string): Listener {
  const heard: Heard[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const bytes = await request.arrayBuffer();
      heard.push({ method: request.method, path: pathname + search, body: new TextDecoder().decode(bytes) });
      const headers = new Headers(request.headers);
      headers.delete("host");
      const init = { method: request.method, headers, signal: request.signal, decompress: false };
      return fetch(gateway + pathname + search, bytes.byteLength === 0 ? init : { ...init, body: bytes });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, heard, stop: () => void server.stop(true) };
}
