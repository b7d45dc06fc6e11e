import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { json } from "../../test/support/answers.ts";
import { post } from "../../test/support/client.ts";
import { account, CLIENT_KEY, gatewayConfig, secretsIn } from "../../test/support/gateway-config.ts";
import { type Gateway, startGateway } from "../../test/support/gateway.ts";
import { ask } from "../../test/support/made-streams.ts";
import { closedPort } from "../../test/support/ports.ts";
import { startUpstream } from "../../test/support/upstream.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { systemClock } from "../core/clock.ts";
import { createStatusCommand } from "./status.ts";
import { testIo } from "./test-io.ts";
import { ioFor } from "../../test/support/target-io.ts";

const run = createStatusCommand({ clock: systemClock });

/** A gateway whose first account cools for ten minutes, whose second has no login, and whose third is ready. */
async function mixed(): Promise<Gateway> {
  await using upstream = await startUpstream();
  upstream.otherwise(
    json(
      429,
      { type: "error", error: { type: "rate_limit_error", message: "slow" } },
      { "retry-after": "600" },
    ),
  );
  const gateway = await startGateway(
    gatewayConfig([
      account("cools", upstream.url, { more: { concurrency: 5 } }),
      { name: "plan", platform: "openai", type: "oauth" },
      account("ready", upstream.url, { platform: "openai" }),
      account("off", upstream.url, { more: { disabled: true } }),
    ]),
  );
  const body = ask("messages", { stream: false });
  await post(gateway.url, "/v1/messages", body, { headers: [["authorization", `Bearer ${CLIENT_KEY}`]] });
  await gateway.idle();
  return gateway;
}

test("shows every account, when the next one recovers, and what to do where it does not by itself", async () => {
  await using gateway = await mixed();
  const io = await ioFor(gateway.url);
  expect([await run([], io), io.err()]).toEqual([0, ""]);
  const out = io.out();
  expect(out).toContain(`${gateway.url} is degraded: 1 of 4 accounts can serve now.`);
  expect(out).toMatch(/^cools +anthropic +api_key +50 +0\/5 +cooling/m);
  expect(out).toMatch(/^off .* disabled$/m);
  expect(out).toMatch(/^plan: .*\. Sign it in: sub2api_simple login plan$/m);
  expect(out).toMatch(/^cools: .*, back in (9|1[01])m$/m);
  expect(out).toMatch(/^Next recovery: cools in (9|1[01])m, at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$/m);
  expect(out).not.toContain("\u001B");
  expect(secretsIn(out)).toEqual([]);
});

test("--json is what the gateway answers, on one line", async () => {
  await using gateway = await mixed();
  const io = await ioFor(gateway.url);
  expect(await run(["--json"], io)).toBe(0);
  expect(io.out().trimEnd()).not.toContain("\n");
  expect(JSON.parse(io.out())).toMatchObject({
    status: "degraded",
    accounts: 4,
    account_details: [
      { name: "cools", state: "cooling" },
      { name: "plan" },
      { name: "ready" },
      { name: "off" },
    ],
  });
});

test("colours are for terminals, unless somebody wants none", async () => {
  await using gateway = await mixed();
  for (const [env, coloured] of [
    [{}, true],
    [{ NO_COLOR: "1" }, false],
    [{ TERM: "dumb" }, false],
  ] as const) {
    const io = await ioFor(gateway.url);
    const stdout = { ...io.stdout, isTTY: true };
    expect(await run([], { ...io, env, stdout })).toBe(0);
    expect(io.out().includes("\u001B[32mready")).toBe(coloured);
  }
});

test("--watch shows it again every two seconds, also when the gateway goes away, until it is stopped", async () => {
  const gateway = await mixed();
  const io = await ioFor(gateway.url);
  const clock = new VirtualClock();
  const stop = new AbortController();
  const ended = createStatusCommand({ clock, stop: stop.signal })(["--watch"], io);
  const shown = async (words: string, times: number): Promise<void> => {
    while (io.out().split(words).length <= times) await Bun.sleep(2);
  };
  await shown("is degraded", 1);
  while (clock.pending === 0) await Bun.sleep(1);
  clock.advance(2_000);
  await shown("is degraded", 2);
  await gateway.close();
  while (clock.pending === 0) await Bun.sleep(1);
  clock.advance(2_000);
  await shown("cannot be reached", 1);
  stop.abort();
  expect(await ended).toBe(1);
});

test("a gateway that is not there, or runs with other keys, is told with what to do, and exits 1", async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  const none = await ioFor(url);
  expect([await run(["--json"], none), none.out()]).toEqual([1, ""]);
  expect(none.err()).toContain(`The gateway at ${url} cannot be reached. Start it with: sub2api_simple`);
  await using gateway = await mixed();
  const other = await ioFor(gateway.url, { key: "some-other-client-key" });
  expect([await run([], other), other.out()]).toEqual([1, ""]);
  expect(other.err()).toContain("refuses the client key");
  expect(other.err()).not.toContain("some-other");
  await using upstream = await startUpstream();
  upstream.otherwise(json(404, { nothing: true }));
  const stranger = await ioFor(upstream.url);
  expect(await run([], stranger)).toBe(1);
  expect(stranger.err()).toContain("answered 404: this is no sub2api_simple.");
});

test("a config that lets the system choose the port wants --url, and wrong usage exits 2", async () => {
  const io = await ioFor("http://127.0.0.1:0");
  await writeFile(
    join(io.cwd, "config.json"),
    JSON.stringify({
      listen_addr: ":0",
      auth_tokens: [CLIENT_KEY],
      accounts: [{ api_key: "sk-ant-0123456789" }],
    }),
  );
  for (const args of [[], ["word"], ["--wach"]]) expect(await run(args, io)).toBe(2);
  expect(io.err()).toContain("say where with --url");
  expect(io.err()).toContain("did you mean --watch?");
  const help = await testIo();
  expect(await run(["--help"], help)).toBe(0);
  expect(help.out()).toContain("Examples:");
});
