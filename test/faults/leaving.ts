// The row about the gateway's own end: told to stop while requests run, wait and are still being read.
import assert from "node:assert/strict";
import { held, sse } from "../support/answers.ts";
import { get, send, type Exchange, type Reply } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { spawnGateway, type ChildGateway } from "../support/gateway.ts";
import { ask, textFrames, textStream } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { checkCut, expectError, expectGood, expectWhole } from "./check.ts";
import { modelOf, accountOf, stage, until, wordsOf, type Case, type Row, type Stage } from "./row.ts";

const PATIENT = { first_event_timeout: "20s", response_timeout: "20s", stream_read_timeout: "20s" };
const STOPPING = { anthropic: "overloaded_error", openai: "server_error", code: "shutting_down" };

function stoppingStatus(each: Case): number {
  return each.client === "messages" ? 529 : 503;
}

/** The beginning of an answer, and no more. */
function begun(each: Case): Answer {
  const frames = textFrames(each.upstream);
  const bytes = writeSse([...frames.start, ...frames.open, frames.delta("It begins, ")]);
  return each.stream ? sse(bytes, { end: "hang" }) : (_request, connection) => connection.hang();
}

async function drains(each: Case): Promise<void> {
  const gate = held(provider({ text: wordsOf("first") }));
  const answer: Answer = (request, connection) =>
    (request.body.includes("ends never") ? begun(each) : gate.answer)(request, connection);
  const accounts = [{ answer, more: { concurrency: 3 } }];
  const config = { ...PATIENT, shutdown_grace: "3s", queue_timeout: "20s" };
  await using on = await stage(each, { accounts, config });
  const inTime = [on.ask({ text: "One." }), on.ask({ text: "Two." })];
  const endless = on.begin({ text: "It ends never." });
  await until("three are under way", () => on.upstream("first").active === 3);
  if (each.stream) assert.ok(await endless.has("It begins, "));
  const { url } = on.gateway;
  const drained = on.gateway.drain();
  assert.equal((await get(url, "/health/ready")).status, 503);
  assert.equal((await get(url, "/health/live")).status, 200);
  await expectRefused(each, on);
  gate.release();
  for (const reply of await Promise.all(inTime)) await expectGood(on, reply, "first");
  assert.equal(on.gateway.exchanges.length, 2, "the last one has its time of grace");
  const cut = await endless.reply;
  if (each.stream) checkCut(on.verdict(cut));
  else await expectError(each, on, cut, { status: stoppingStatus(each), ...STOPPING });
  assert.ok(JSON.stringify(on.verdict(cut).error).includes("gateway_shutting_down"));
  await drained;
  assert.equal((await get(url, "/health/live")).end, "refused");
}

/** Not counted: no exchange begins. */
async function expectRefused(each: Case, on: Stage): Promise<void> {
  const { reply } = send(on.gateway.url, {
    key: CLIENT_KEY,
    path: PATHS[each.client],
    body: ask(each.client, { ...each, model: modelOf(each) }),
  });
  const refused = await reply;
  assert.equal(refused.status, stoppingStatus(each));
  assert.equal(refused.header("retry-after"), "1");
  assert.notEqual(refused.header("x-request-id"), undefined);
  assert.deepEqual(secretsIn(refused.raw.toString()), []);
  assert.ok(JSON.stringify(on.verdict(refused).error).includes("gateway_shutting_down"));
}

/** Whoever still waits for a slot is told the same. */
async function drainsQueue(each: Case): Promise<void> {
  const gate = held(provider({ text: wordsOf("first") }));
  const accounts = [{ answer: gate.answer, more: { concurrency: 1 } }];
  const config = { ...PATIENT, shutdown_grace: "100ms", queue_timeout: "20s" };
  await using on = await stage(each, { accounts, config });
  const all = [on.ask({ text: "Served." }), on.ask({ text: "Waits." }), on.ask({ text: "Waits too." })];
  await until("one is served", () => gate.waiting === 1);
  await Bun.sleep(20);
  await on.gateway.drain();
  for (const reply of await Promise.all(all))
    await expectError(each, on, reply, { status: stoppingStatus(each), ...STOPPING });
}

/** What has been answered but not yet read is still sent. */
async function drainsSlowReaders(each: Case): Promise<void> {
  // More than the kernel takes; a stream's exchange lasts as long as its reader.
  const text = "x".repeat(each.stream ? 2_000_000 : 16_000_000);
  const answer = each.stream ? sse(textStream(each.upstream, [text])) : provider({ text });
  await using on = await stage(each, {
    accounts: [{ answer }],
    config: { ...PATIENT, shutdown_grace: "10s" },
  });
  const exchange = on.begin({ read: "never" });
  await until("it is answered", () => on.upstream("first").requests[0]?.state === "answered");
  await Bun.sleep(50);
  const drained = on.gateway.drain();
  await Bun.sleep(50);
  exchange.resume();
  assert.equal((await expectWhole(on, await exchange.reply)).text, text);
  await drained;
}

/** Of the streams of a process of its own half end in time. */
const STREAMS = 40;

async function terminated(each: Case): Promise<void> {
  const gate = held(provider());
  await using upstream = await startUpstream();
  upstream.otherwise((request, connection) =>
    (request.body.includes("ends never") ? begun(each) : gate.answer)(request, connection),
  );
  const config = gatewayConfig([accountOf(each, "first", upstream.url)], {
    ...PATIENT,
    shutdown_grace: "1s",
  });
  await using gateway = await spawnGateway(config);
  const asked = Array.from({ length: STREAMS }, (_, index) =>
    askAt(gateway, each, index % 2 === 0 ? "It ends never." : "It ends in time."),
  );
  await until("all are under way", () => upstream.active === STREAMS, 5000);
  await Promise.all(
    asked.filter((_, index) => index % 2 === 0).map((exchange) => exchange.has("It begins, ")),
  );
  gateway.signal("SIGTERM");
  await until("it drains", () => gateway.output().includes('"draining"'));
  assert.equal((await get(gateway.url, "/health/ready")).status, 503);
  gate.release();
  for (const [index, { reply }] of asked.entries()) checkEnded(each, await reply, index % 2 === 1);
  assert.equal(await gateway.exited, 0);
  await until("each has its line", () => gateway.output().split('"event":"request"').length === STREAMS + 1);
}

function askAt(gateway: ChildGateway, each: Case, text: string): Exchange {
  return send(gateway.url, {
    key: CLIENT_KEY,
    path: PATHS[each.client],
    body: ask(each.client, { ...each, model: modelOf(each), text }),
  });
}

function checkEnded(each: Case, reply: Reply, whole: boolean): void {
  const verdict = judge(each.client, reply);
  assert.deepEqual([reply.status, reply.end, verdict.complete], [200, "complete", whole]);
  assert.deepEqual(secretsIn(reply.raw.toString()), []);
  if (!whole) checkCut(verdict);
}

/** The second signal ends the time of grace. */
async function terminatedTwice(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(begun(each));
  const config = gatewayConfig([accountOf(each, "first", upstream.url)], {
    ...PATIENT,
    shutdown_grace: "1h",
  });
  await using gateway = await spawnGateway(config);
  const exchange = askAt(gateway, each, "It ends never.");
  assert.ok(await exchange.has("It begins, "));
  gateway.signal("SIGTERM");
  await until("it drains", () => gateway.output().includes('"draining"'));
  const signalledAt = performance.now();
  gateway.signal("SIGTERM");
  checkEnded(each, await exchange.reply, false);
  await gateway.exited;
  assert.ok(performance.now() - signalledAt < 3000);
}

export const ROWS: readonly Row[] = [
  {
    number: 68,
    title: "SIGTERM: no new ones, time of grace, then an error event, 0",
    async run(each) {
      await drains(each);
      await drainsQueue(each);
      await drainsSlowReaders(each);
      if (each.client !== "messages" || !each.stream) return;
      await terminated(each);
      await terminatedTwice(each);
    },
  },
];
