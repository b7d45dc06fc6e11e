// Ten thousand made-up secrets, put wherever a client or an upstream can put one: none is ever seen again where it does
// not belong.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { json } from "../support/answers.ts";
import { get, send, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { spawnGateway } from "../support/gateway.ts";
import type { Header } from "../support/http-message.ts";
import { ask } from "../support/made-streams.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import { startUpstream } from "../support/upstream.ts";

const CANARIES = 10_000;
const MARK = "kanarie7f3a";
const HEADERS = [
  "authorization-info",
  "x-api-token",
  "cookie",
  "proxy-authorization",
  "x-forwarded-for",
  "referer",
  "x-secret",
  "idempotency-key",
  "openai-organization",
  "anthropic-beta",
  "user-agent",
  "x-stainless-lang",
  "session_id",
  "traceparent",
  "origin",
  "x-real-ip",
];

test("S26: of 10,000 canaries in headers, queries, bodies, refused keys and upstreams' errors none stands in log, database, health or process list", async () => {
  const canaries: string[] = [];
  const canary = (): string => {
    canaries.push(`${MARK}${canaries.length}q`);
    return canaries.at(-1) ?? MARK;
  };
  await using upstream = await startUpstream();
  upstream.otherwise((request, connection) => {
    const error = {
      type: "invalid_request_error",
      code: canary(),
      message: `Bad: ${canary()} ${canary()}`,
      param: canary(),
    };
    const status = [400, 429, 500, 401][request.number % 4] ?? 400;
    const headers = {
      "retry-after": "1",
      "set-cookie": canary(),
      "x-secret": canary(),
      "anthropic-organization-id": canary(),
    };
    return json(status, { type: "error", error }, headers)(request, connection);
  });
  const accounts = Array.from({ length: 3 }, (_, at) =>
    account(`claude-${at}`, upstream.url, { more: { concurrency: 50 } }),
  );
  const gpts = Array.from({ length: 3 }, (_, at) =>
    account(`gpt-${at}`, upstream.url, { platform: "openai", more: { concurrency: 50 } }),
  );
  await using gateway = await spawnGateway(gatewayConfig([...accounts, ...gpts]));
  const replies: Reply[] = [];
  while (canaries.length < CANARIES) {
    const made = canaries.length;
    const protocol = PROTOCOLS[made % 3] ?? "chat";
    const headers = HEADERS.map((name): Header => [name, canary()]);
    const text = Array.from({ length: 20 }, canary).join(" ");
    const extra = { metadata: { user_id: canary() }, [canary()]: canary(), user: canary() };
    const body = ask(protocol, { stream: made % 2 === 0, text, extra });
    const key = made % 10 === 0 ? canary() : CLIENT_KEY;
    const path = `${PATHS[protocol]}?token=${canary()}&${canary()}=1`;
    replies.push(await send(gateway.url, { method: "POST", path, headers, key, body }).reply);
  }
  await get(gateway.url, `/${canary()}`, { key: CLIENT_KEY });
  const health = await get(gateway.url, "/health", { key: CLIENT_KEY });
  const process = readFileSync(`/proc/${gateway.pid}/cmdline`, "latin1");
  gateway.signal("SIGTERM");
  await gateway.exited;
  const folder = join(gateway.file.folder, "data");
  const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
  const places = [
    ["log", gateway.output()],
    ["health", health.text()],
    ["process list", process],
    ...kept.map((text, index) => [`file ${index}`, text] as const),
  ] as const;
  expect(kept.length).toBeGreaterThan(0);
  expect(gateway.output().split("\n").length).toBeGreaterThan(replies.length);
  for (const [place, text] of places) {
    const at = text.indexOf(MARK);
    expect([place, at < 0 ? "" : text.slice(Math.max(0, at - 200), at + 60)]).toEqual([place, ""]);
    expect([place, secretsIn(text)]).toEqual([place, []]);
  }
  // A client may be told the upstream's words, but never another's, and no header of the account's.
  for (const reply of replies) {
    const headers = JSON.stringify(reply.headers);
    expect(headers.includes(MARK) ? headers : "").toBe("");
  }
}, 120_000);
