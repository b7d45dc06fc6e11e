// Rows about accounts that keep failing, services that are overloaded or down, conversations and their account, clocks.
import assert from "node:assert/strict";
import { hangBeforeHeaders, held, json } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, credentialOf, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask as askOf } from "../support/made-streams.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { provider } from "../support/provider.ts";
import { PATHS, providerError } from "../support/samples.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { settle, VirtualClock } from "../support/virtual-clock.ts";
import {
  expectAttempts,
  expectError,
  expectGood,
  expectHits,
  expectNotCooled,
  expectWhole,
} from "./check.ts";
import {
  modelOf,
  accountOf,
  stage,
  STREAMING,
  until,
  wordsOf,
  type AccountName,
  type Case,
  type Row,
  type Stage,
} from "./row.ts";
import { DAY, flowing, MINUTE, platformOf, recorded, restMs, scene, Script, SECOND } from "./scene.ts";

/** 4 seconds apart; with the four streaming cases 1,000 in all. */
const SESSIONS = 250;

async function alwaysBroken(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const hits: number[] = [];
  const broken = recorded(each, "503");
  const answer: Answer = (request, connection) => {
    hits.push(clock.now());
    return broken(request, connection);
  };
  await using on = await stage(each, { clock, accounts: [{ answer }, {}] });
  for (let session = 0; session < SESSIONS; session += 1) {
    await expectGood(on, await on.ask({ text: `Conversation ${session}.` }), "second");
    await clock.pass(4 * SECOND);
  }
  assert.ok(hits.length > 5, "it is probed");
  for (let probe = 5; probe < hits.length; probe += 1) {
    const gap = (hits[probe] ?? 0) - (hits[probe - 1] ?? 0);
    assert.ok(gap >= Math.min(300, 30 * (probe - 4)) * 0.8 * SECOND, `probe ${probe - 4} after ${gap} ms`);
  }
  on.upstream("first").clear();
  on.upstream("first").otherwise(provider({ text: wordsOf("first") }));
  await clock.pass(6 * MINUTE);
  await expectGood(on, await on.ask({ text: "It is well again." }), "first");
  await expectGood(on, await on.ask({ text: "And stays so." }), "first");
}

function overloadedAnswer(each: Case, by: string): Answer {
  const error = { type: "overloaded_error", message: `overloaded, said by ${by}` };
  return json(529, platformOf(each) === "anthropic" ? { type: "error", error } : { error });
}

/** Time flows slowly here; nothing may run out while it does. */
const PATIENT = { first_event_timeout: "60s", response_timeout: "60s" };

async function overloadedOnce(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const names = ["first", "second", "third"] as const;
  const askedAt: number[] = [];
  const accounts = names.map((name) => {
    const overloaded = overloadedAnswer(each, name);
    const answer: Answer = (request, connection) => {
      askedAt.push(clock.now());
      return overloaded(request, connection);
    };
    return { answer };
  });
  await using on = await stage(each, { clock, accounts, config: PATIENT });
  let longestMs = 0;
  for (let round = 1; round <= 4; round += 1) {
    const reply = await flowing(clock, on.ask({ text: `Conversation ${round}.` }), 4);
    const verdict = await expectError(each, on, reply, { status: 529 });
    assert.equal(verdict.error?.message, "overloaded, said by second");
    await expectAttempts(on, reply, "first:provider second:provider");
    longestMs = Math.max(longestMs, (askedAt.at(-1) ?? 0) - (askedAt.at(-2) ?? 0));
  }
  assert.ok(longestMs > 50 && longestMs < 1200, `at most ${longestMs} ms before the other account is asked`);
  expectHits(on, "third", 0);
  for (const name of names) expectNotCooled(on, name);
}

/** Two accounts of one service: when both hear that it is overloaded, both are asked for half as much at once. */
async function brownOut(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(overloadedAnswer(each, "all"));
  const clock = new VirtualClock();
  const player = { url: upstream.url, more: { concurrency: 8 } };
  await using on = await stage(each, { clock, accounts: [player, player], config: PATIENT });
  for (let round = 1; round <= 2; round += 1) {
    const reply = await flowing(clock, on.ask({ text: `Overloaded ${round}.` }));
    assert.equal(reply.status, 529);
  }
  const expectPeak = async (peak: number, when: string): Promise<void> => {
    const gate = held(provider());
    upstream.clear();
    upstream.otherwise(gate.answer);
    const asked = Array.from({ length: 20 }, (_, index) => on.ask({ text: `${when} ${index}.` }));
    await until(`${peak} are asked ${when}`, () => gate.waiting === peak);
    await Bun.sleep(5);
    assert.equal(gate.waiting, peak, when);
    gate.release();
    for (const reply of await Promise.all(asked)) await expectWhole(on, reply);
  };
  await expectPeak(8, "in the brown-out");
  await expectPeak(8, "after successes within 30 s");
  await clock.pass(30 * SECOND);
  await expectPeak(8, "after it");
  await expectPeak(16, "after successes behind it");
}

/** With the eight cases 2,000 in all. */
const REQUESTS = 250;
const MANY_REQUESTS = 2_000;

async function wholeServiceDown(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  const { status, body } = providerError(platformOf(each), "503");
  upstream.otherwise(json(status, body));
  const player = { url: upstream.url };
  await using on = await stage(each, { accounts: [player, player, player] });
  const replies: Reply[] = [];
  const startedAt = performance.now();
  const requests = process.env["FAULTS"] === "all" && (each.seed ?? 0) === 0 ? MANY_REQUESTS : REQUESTS;
  while (replies.length < requests) {
    const asked = Array.from({ length: 10 }, (_, index) => on.ask({ text: `${replies.length + index}.` }));
    replies.push(...(await Promise.all(asked)));
  }
  const told: unknown = JSON.parse(body);
  for (const reply of replies) {
    assert.equal(reply.status, 503);
    const { error } = on.verdict(reply);
    assert.ok(
      JSON.stringify(told).includes(error?.message ?? "nothing"),
      `the true error, not ${error?.message}`,
    );
  }
  const attempts = upstream.requests.length;
  // A fifth of the requests of ten seconds, or thirty where few come: those of the first moment are forgotten after
  // nine seconds, which only a very busy machine takes.
  const seconds = (performance.now() - startedAt) / SECOND;
  const again = 0.2 * requests + (seconds < 9 ? 0 : 3 * seconds);
  const said = `${attempts} attempts for ${requests} requests in ${seconds.toFixed(1)} s`;
  assert.ok(attempts <= requests + again, said);
  assert.ok(attempts > requests, "some are tried again");
}

/** Two accounts of one priority, and a conversation that has its place at one of them. */
interface Bound {
  readonly on: Stage;
  readonly own: AccountName;
  readonly other: AccountName;
  readonly scripts: Readonly<Record<AccountName, Script>>;
}

async function bound(on: Stage, scripts: Bound["scripts"]): Promise<Bound> {
  const said = on.verdict(await on.ask()).text;
  const [own, other] =
    said === wordsOf("first") ? (["first", "second"] as const) : (["second", "first"] as const);
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), own);
  return { on, own, other, scripts };
}

function pair(): { scripts: Bound["scripts"]; accounts: { answer: Answer; more: { priority: number } }[] } {
  const [first, second] = [new Script("first"), new Script("second")];
  const scripts = { first, second, third: first, fourth: second };
  const accounts = [first, second].map(({ answer }) => ({ answer, more: { priority: 1 } }));
  return { scripts, accounts };
}

async function movesWhenCooled(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const { scripts, accounts } = pair();
  await using on = await stage(each, { clock, accounts });
  const { own, other } = await bound(on, scripts);
  scripts[own].next(json(429, providerError(platformOf(each), "429-bare").body, { "retry-after": "10" }));
  await expectGood(on, await on.ask(), other);
  await clock.pass(12 * SECOND);
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), other);
}

async function movesWhenRemoved(each: Case): Promise<void> {
  const { scripts, accounts } = pair();
  await using on = await stage(each, { accounts });
  const { own, other } = await bound(on, scripts);
  await on.gateway.reload(gatewayConfig([accountOf(each, other, on.upstream(other).url)]));
  await expectGood(on, await on.ask(), other);
  const both = [own, other].map((name) => accountOf(each, name, on.upstream(name).url, { priority: 1 }));
  await on.gateway.reload(gatewayConfig(both));
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), other);
}

async function returnsToBetter(each: Case): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script } = play;
  script.next(recorded(each, "429-bare"));
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), "second");
  await clock.pass(MINUTE + 1);
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), "first");
}

/** Slow twice in a row, measured against the other account under a clock that the answers themselves move. */
async function movesWhenSlow(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const { scripts } = pair();
  let slow: { readonly name: AccountName; readonly ms: number } | undefined;
  const answerOf =
    (name: "first" | "second"): Answer =>
    async (request, connection) => {
      await clock.pass(slow?.name === name ? slow.ms : 20);
      return scripts[name].answer(request, connection);
    };
  const accounts = (["first", "second"] as const).map((name) => ({
    answer: answerOf(name),
    more: { priority: 1 },
  }));
  await using on = await stage(each, { clock, accounts });
  const { own, other } = await bound(on, scripts);
  for (let index = 0; index < 44; index += 1)
    await expectWhole(on, await on.ask({ text: `Conversation ${index}.` }));
  for (const ms of [200, 20, 200, 20, 200, 200]) {
    slow = { name: own, ms };
    await expectGood(on, await on.ask(), own);
  }
  for (let turn = 0; turn < 3; turn += 1) await expectGood(on, await on.ask(), other);
}

async function steppedWall(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const script = new Script("first");
  await using on = await stage(each, { clock, accounts: [{ answer: script.answer }, {}] });
  let asked = 0;
  const ask = (): Promise<Reply> => on.ask({ text: `Conversation ${(asked += 1)}.` });
  for (const step of [DAY, -2 * DAY]) {
    script.next(json(429, providerError(platformOf(each), "429-bare").body, { "retry-after": "100" }));
    await expectGood(on, await ask(), "second");
    const rest = restMs(on, "first", clock);
    clock.stepWall(step);
    assert.equal(restMs(on, "first", clock), rest);
    await clock.pass(100 * SECOND - 1);
    await expectGood(on, await ask(), "second");
    await clock.pass(11 * SECOND);
    await expectGood(on, await ask(), "first");
  }
  await steppedWhileWaiting(each, on, clock, script);
}

async function steppedWhileWaiting(
  each: Case,
  on: Stage,
  clock: VirtualClock,
  script: Script,
): Promise<void> {
  const limitMs = each.stream ? 500 : 1000;
  script.next(hangBeforeHeaders());
  const before = on.upstream("second").requests.length;
  const exchange = on.begin({ text: "An upstream that says nothing." });
  await until("it waits", () => on.upstream("first").active === 1);
  clock.stepWall(DAY);
  await clock.pass(limitMs - 1);
  clock.stepWall(-2 * DAY);
  await settle();
  expectHits(on, "second", before);
  await clock.pass(1);
  await expectGood(on, await exchange.reply, "second");
}

/** Stopped, the wall clock stepped, started again: what was saved is never longer than it was. */
async function steppedRestart(each: Case): Promise<void> {
  for (const [step, state] of [
    [-DAY, "cooling"],
    [50 * SECOND, "cooling"],
    [DAY, "ready"],
  ] as const) {
    await using upstream = await startUpstream();
    upstream.otherwise(json(429, providerError(platformOf(each), "429-bare").body, { "retry-after": "100" }));
    const config = gatewayConfig([accountOf(each, "first", upstream.url)]);
    const records = memoryRecords();
    const clock = new VirtualClock();
    const before = await startGateway(config, { clock, records });
    const reply = await post(
      before.url,
      PATHS[each.client],
      askOf(each.client, { ...each, model: modelOf(each) }),
      { key: CLIENT_KEY },
    );
    assert.equal(reply.status, 429);
    assert.deepEqual(secretsIn(reply.raw.toString()), []);
    await before.close();
    const later = new VirtualClock(clock.wall() + step);
    await using after = await startGateway(config, { clock: later, records });
    const status = after.snapshot()[0];
    assert.equal(status?.state, state, `stepped by ${step} ms`);
    if (status?.until !== undefined) assert.ok(status.until - later.wall() <= 110 * SECOND);
    assert.equal(after.exchanges.length, 1);
    const { credential, headers } = upstream.requests[0] ?? {};
    assert.equal(credential, credentialOf("first"), JSON.stringify(headers));
  }
}

export const ROWS: readonly Row[] = [
  {
    number: 34,
    title: "an account always 503: 5 requests, then probes",
    cases: STREAMING,
    run: alwaysBroken,
  },
  {
    number: 35,
    title: "529: a wait, one other account at most, and half as much",
    async run(each) {
      await overloadedOnce(each);
      await brownOut(each);
    },
  },
  { number: 36, title: "a whole service down: at most 1.2 attempts a request", run: wholeServiceDown },
  {
    number: 53,
    title: "a conversation's account cooled, removed, slow: it moves",
    async run(each) {
      await movesWhenCooled(each);
      await movesWhenRemoved(each);
      await returnsToBetter(each);
      if (each.stream) await movesWhenSlow(each);
    },
  },
  {
    number: 60,
    title: "the wall clock stepped by a day: nothing moves",
    async run(each) {
      await steppedWall(each);
      await steppedRestart(each);
    },
  },
];
