import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { fetchThrough, throughProxy } from "./proxy.ts";

const NAMES = ["NO_PROXY", "no_proxy"];

describe("a connection through an account's proxy", () => {
  let before: readonly (string | undefined)[] = [];
  let direct = 0;
  let proxied = 0;
  const count = (how: () => void): Bun.Server<undefined> =>
    Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => (how(), new Response("", { status: 407 })) });
  let site: Bun.Server<undefined>;
  let proxy: Bun.Server<undefined>;

  beforeEach(() => {
    before = NAMES.map((name) => process.env[name]);
    direct = proxied = 0;
    site = count(() => (direct += 1));
    proxy = count(() => (proxied += 1));
  });
  afterEach(async () => {
    for (const [index, name] of NAMES.entries()) {
      const value = before[index];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await Promise.all([site.stop(true), proxy.stop(true)]);
  });

  for (const name of NAMES) {
    for (const exception of ["*", "127.0.0.1"]) {
      test(`is not left out because of ${name}=${exception}`, async () => {
        process.env[name] = exception;
        const { status } = await fetchThrough(`http://127.0.0.1:${proxy.port}`, site.url.href, {});
        expect([status, direct, proxied]).toEqual([407, 0, 1]);
        expect(process.env[name]).toBe(exception);
      });
    }
  }

  test("is not left out by a WebSocket either", async () => {
    process.env["NO_PROXY"] = "*";
    const url = `http://127.0.0.1:${proxy.port}`;
    const socket = throughProxy(url, () => new WebSocket(`ws://127.0.0.1:${site.port}`, { proxy: url }));
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    expect([direct, proxied]).toEqual([0, 1]);
  });

  test("leaves the exceptions alone for whoever has no proxy, and gives them back when a call cannot start", async () => {
    process.env["NO_PROXY"] = "*";
    await fetchThrough(undefined, site.url.href, {});
    expect([direct, proxied]).toEqual([1, 0]);
    expect(() =>
      throughProxy("http://127.0.0.1:1", () => {
        throw new Error("no start");
      }),
    ).toThrow("no start");
    expect(process.env["NO_PROXY"]).toBe("*");
  });
});
