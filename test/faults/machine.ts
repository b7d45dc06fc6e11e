// The road as the machine shows it to the program: names that its resolver never answers for, and an authority that it
// trusts. Both are taken in when a process starts, so each plays with the program as users start it.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { spawnGateway, type ChildGateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { accountOf, counted, modelOf, PATIENT, wordsOf, type Case } from "./row.ts";
import { AUTHORITY, certificate, type CertificateName } from "./unreached.ts";

/** Neither depends on the protocol: one case plays it, or all where there is time. */
function isPlayed({ client, upstream, stream, seed = 0 }: Case): boolean {
  if (seed > 0) return false;
  return process.env["FAULTS"] === "all" || (client === "messages" && upstream === "messages" && stream);
}

function asked(gateway: ChildGateway, each: Case, text: string): Promise<Reply> {
  const body = ask(each.client, { ...each, model: modelOf(each), text });
  return post(gateway.url, PATHS[each.client], body, { key: CLIENT_KEY });
}

function said(each: Case, reply: Reply): string {
  const { text, complete } = judge(each.client, reply);
  return complete ? text : `${reply.status}, ${reply.end}: ${reply.text()}`;
}

/** A file that is never finished being opened: whoever looks up a name in it waits. */
async function endlessFile(): Promise<{ readonly path: string } & Disposable> {
  const path = join(tmpdir(), `gateway-test-names-${crypto.randomUUID()}`);
  assert.equal(await Bun.spawn(["sh", "-c", 'mkfifo "$1"', "sh", path]).exited, 0);
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** Names that the resolver neither finds nor gives up: another host's account answers after the connect timeout. */
export async function hangingNames(each: Case): Promise<void> {
  if (process.platform !== "linux" || !isPlayed(each)) return;
  using names = await endlessFile();
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: wordsOf("second") }));
  const hanging = ["one", "two"].map((name) => accountOf(each, name, "https://hangs", { priority: 1 }));
  const config = gatewayConfig([...hanging, accountOf(each, "second", upstream.url, { priority: 2 })], {
    ...PATIENT,
    connect_timeout: "600ms",
  });
  await using gateway = await spawnGateway(config, { env: { HOSTALIASES: names.path } });
  const replies = await Promise.all(["One.", "Two.", "Three."].map((text) => asked(gateway, each, text)));
  for (const reply of replies) {
    assert.equal(said(each, reply), wordsOf("second"));
    assert.ok(reply.endAtMs > 400, `given up too early, after ${reply.endAtMs} ms`);
    assert.ok(reply.endAtMs < 3_000, `one wait for the host, not ${reply.endAtMs} ms`);
  }
  counted(each);
}

/** TLS before an upstream. */
function secured(upstream: Upstream, name: CertificateName): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: certificate(name),
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const body = await request.bytes();
      return fetch(`${upstream.url}${pathname}`, { method: "POST", headers: request.headers, body });
    },
  });
}

/** Once an authority is trusted, its certificates are still good only in their time and for their name. */
export async function trustedAuthority(each: Case): Promise<void> {
  if (!isPlayed(each)) return;
  const accounts: JsonObject[] = [];
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: (request) => String(request.credential) }));
  await using stack = new AsyncDisposableStack();
  for (const [index, name] of (["elsewhere", "expired", "good"] as const).entries()) {
    const server = secured(upstream, name);
    stack.defer(() => server.stop(true));
    accounts.push(accountOf(each, name, `https://localhost:${server.port}`, { priority: index + 1 }));
  }
  const env = { NODE_EXTRA_CA_CERTS: AUTHORITY };
  await using gateway = await spawnGateway(gatewayConfig(accounts, PATIENT), { env });
  const reply = await asked(gateway, each, "Who is trusted?");
  assert.match(said(each, reply), /-account-good$/);
  assert.equal(upstream.requests.length, 1, "nobody else is sent anything");
  counted(each);
}
