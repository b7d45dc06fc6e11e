import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { environmentProxy } from "./doctor-proxies.ts";

const NAMES = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];
const before = NAMES.map((name) => process.env[name]);
let proxy: Bun.Server<undefined>;
let site: Bun.Server<undefined>;

function restore(): void {
  for (const [index, name] of NAMES.entries()) {
    const value = before[index];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

beforeAll(() => {
  const serve = (words: string): Bun.Server<undefined> =>
    Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(words) });
  proxy = serve("proxy");
  site = serve("direct");
});
afterEach(restore);
afterAll(async () => {
  await Promise.all([proxy.stop(true), site.stop(true)]);
});

const HTTP = { HTTP_PROXY: "PROXY" };

/** PROXY and PORT stand for what is only known when the servers run. */
const CASES: readonly (readonly [Readonly<Record<string, string>>, string | undefined, host?: string])[] = [
  [{}, undefined],
  [HTTP, "HTTP_PROXY"],
  [{ http_proxy: "PROXY", HTTP_PROXY: "http://127.0.0.1:1" }, "http_proxy"],
  [{ http_proxy: "", HTTP_PROXY: "PROXY" }, "HTTP_PROXY"],
  [{ ALL_PROXY: "PROXY" }, "ALL_PROXY"],
  [{ all_proxy: "PROXY", ALL_PROXY: "http://127.0.0.1:1" }, "all_proxy"],
  [{ HTTP_PROXY: "127.0.0.1:PROXYPORT" }, "HTTP_PROXY"],
  [{ ...HTTP, NO_PROXY: "*" }, undefined],
  [{ ...HTTP, NO_PROXY: "other, LOCALHOST" }, undefined],
  [{ ...HTTP, NO_PROXY: ".localhost" }, undefined],
  [{ ...HTTP, NO_PROXY: "localhost:PORT" }, undefined],
  [{ ...HTTP, NO_PROXY: "localhost:1" }, "HTTP_PROXY"],
  [{ ...HTTP, NO_PROXY: "host" }, "HTTP_PROXY"],
  [{ ...HTTP, no_proxy: "other", NO_PROXY: "localhost" }, "HTTP_PROXY"],
  [{ ...HTTP, no_proxy: "", NO_PROXY: "localhost" }, undefined],
  [{ ...HTTP, NO_PROXY: "127.0.0.0/8" }, undefined, "127.0.0.1"],
  [{ ...HTTP, NO_PROXY: "10.0.0.0/8" }, "HTTP_PROXY", "127.0.0.1"],
  [{ ...HTTP, NO_PROXY: "10.0.0.0/99" }, "HTTP_PROXY", "127.0.0.1"],
];

for (const [given, variable, host = "localhost"] of CASES) {
  test(`by ${JSON.stringify(given)} ${host} is reached ${variable ? `by ${variable}` : "directly"}, as Bun does it`, async () => {
    const env = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        value
          .replace("PROXYPORT", String(proxy.port))
          .replace(/^PROXY$/, `http://127.0.0.1:${proxy.port}`)
          .replace("PORT", String(site.port)),
      ]),
    );
    const url = `http://${host}:${site.port}/`;
    const found = environmentProxy(url, env);
    expect([found?.variable, found?.url]).toEqual(
      variable === undefined ? [undefined, undefined] : [variable, `http://127.0.0.1:${proxy.port}`],
    );
    for (const name of NAMES) delete process.env[name];
    Object.assign(process.env, env);
    expect(await (await fetch(url)).text()).toBe(variable === undefined ? "direct" : "proxy");
  });
}
