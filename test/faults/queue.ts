// Rows about a pool that is full or at rest: who waits, who is served when, and who is turned away with which answer.
import assert from "node:assert/strict";
import { held } from "../support/answers.ts";
import type { Reply } from "../support/client.ts";
import { CANARY, CLIENT_KEY } from "../support/gateway-config.ts";
import { provider } from "../support/provider.ts";
import type { Connection, UpstreamRequest } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { checkCut, expectAttempts, expectError, expectHits, expectWhole } from "./check.ts";
import { stage, until, WHOLE, type Case, type Row, type Stage } from "./row.ts";
import { flowing, recorded, SECOND } from "./scene.ts";

const BUSY = { anthropic: "overloaded_error", openai: "server_error", code: "pool_busy" };
/** One key, so that it may have the whole queue. */
const ONE_KEY = { auth_tokens: [CLIENT_KEY] };
/** For clocks that leap: the upstreams are only slow because nobody lets them go. */
const PATIENT = { connect_timeout: "5m", first_event_timeout: "5m", response_timeout: "5m" };

async function expectBusy(each: Case, on: Stage, reply: Reply): Promise<void> {
  await expectError(each, on, reply, { status: each.client === "messages" ? 529 : 503, ...BUSY });
  assert.match(reply.header("retry-after") ?? "", /^[2-5]$/);
  assert.equal(reply.header("x-should-retry"), undefined);
}

async function allSlotsBusy(each: Case): Promise<void> {
  const gates = [held(provider()), held(provider())] as const;
  const accounts = gates.map(({ answer }) => ({ answer, more: { concurrency: 2 } }));
  await using on = await stage(each, { accounts, config: { ...ONE_KEY, ...PATIENT, queue_timeout: "10s" } });
  const asked = Array.from({ length: 40 }, (_, index) => on.ask({ text: `Conversation ${index}.` }));
  await until("four are asked", () => gates[0].waiting + gates[1].waiting === 4);
  await Bun.sleep(20);
  assert.deepEqual([gates[0].waiting, gates[1].waiting, on.gateway.active()], [2, 2, 4]);
  for (const gate of gates) gate.release();
  for (const reply of await Promise.all(asked)) await expectWhole(on, reply);
  assert.deepEqual([on.upstream("first").peak, on.upstream("second").peak], [2, 2]);
}

/** Two are served for as long as it takes; two wait for this long and are turned away. */
async function waitedTooLong(each: Case, seconds: number): Promise<void> {
  const clock = new VirtualClock();
  const gate = held(provider());
  const accounts = [{ answer: gate.answer, more: { concurrency: 2 } }];
  const config = { ...ONE_KEY, ...PATIENT, queue_timeout: seconds };
  await using on = await stage(each, { clock, accounts, config });
  const served = [on.ask({ text: "One." }), on.ask({ text: "Two." })];
  await until("both slots are taken", () => gate.waiting === 2);
  const waiting = Promise.all([on.ask({ text: "Three." }), on.ask({ text: "Four." })]);
  for (const reply of await flowing(clock, waiting, SECOND)) {
    // A streaming client was sent a status and keep-alives after 15 s; it is told in the stream.
    if (each.stream && seconds > 15) checkCut(on.verdict(reply));
    else await expectBusy(each, on, reply);
    assert.ok(JSON.stringify(on.verdict(reply).error).includes("gateway_pool_busy"));
    const { attempts, outcome, waitedMs } = await on.record(reply);
    assert.deepEqual([attempts.length, outcome, waitedMs], [0, "refused", seconds * SECOND]);
  }
  gate.release();
  for (const reply of await Promise.all(served)) await expectWhole(on, reply);
  expectHits(on, "first", 2);
}

/** With the eight cases 2,000 in all. */
const ARRIVALS = 250;
const SLOTS = 4;
const PLACES = 8;

/** The clock stands still: whoever is turned away has not waited for anything. */
async function queueFull(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const gate = held(provider());
  const accounts = [gate, gate].map(({ answer }) => ({ answer, more: { concurrency: SLOTS / 2 } }));
  await using on = await stage(each, { clock, accounts, config: { ...ONE_KEY, queue_size: PLACES } });
  const asked = Array.from({ length: ARRIVALS }, (_, index) => on.ask({ text: `Conversation ${index}.` }));
  await until(
    "the rest is turned away",
    () => on.gateway.exchanges.length >= ARRIVALS - SLOTS - PLACES,
    10_000,
  );
  await until("all slots are taken", () => gate.waiting === SLOTS);
  gate.release();
  const replies = await Promise.all(asked);
  const refused = replies.filter((reply) => reply.status !== 200);
  assert.equal(refused.length, ARRIVALS - SLOTS - PLACES);
  for (const reply of refused) {
    await expectBusy(each, on, reply);
    const { attempts, waitedMs, tookMs } = await on.record(reply);
    assert.deepEqual([attempts.length, waitedMs, tookMs], [0, 0, 0]);
  }
  assert.equal(on.upstream("first").requests.length + on.upstream("second").requests.length, SLOTS + PLACES);
}

const COOLING = {
  status: 429,
  anthropic: "rate_limit_error",
  openai: "rate_limit_error",
  code: "pool_cooling",
};

/** The soonest of the accounts' times, in whole seconds. */
function checkWait(reply: Reply, least: number, most: number): void {
  const header = reply.header("retry-after") ?? "";
  assert.match(header, /^\d+$/);
  assert.ok(Number(header) >= least && Number(header) <= most, `retry-after: ${header}`);
  assert.equal(reply.header("x-should-retry"), Number(header) > 60 ? "false" : undefined);
}

async function allCooling(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const limited = (seconds: number): { answer: ReturnType<typeof recorded> } => ({
    answer: recorded(each, "429-rate-limit", (text) =>
      text.replace('"7"', `"${seconds}"`).replace('"1798"', `"${seconds}000"`),
    ),
  });
  await using on = await stage(each, { clock, accounts: [limited(300), limited(120), limited(200)] });
  const first = await on.ask();
  await expectError(each, on, first, COOLING);
  await expectAttempts(on, first, "first:limit second:limit third:limit");
  checkWait(first, 120, 132);
  await clock.pass(70 * SECOND);
  const later = await on.ask();
  await expectError(each, on, later, COOLING);
  await expectAttempts(on, later, "");
  checkWait(later, 50, 62);
  for (const name of ["first", "second", "third"] as const) expectHits(on, name, 1);
}

/** One account used up its quota, the other one's key is refused: the first comes back, so the client may too. */
async function oneComesBack(each: Case): Promise<void> {
  for (const quotaFirst of [true, false]) {
    const clock = new VirtualClock();
    const used = { answer: recorded(each, "402") };
    const refused = { answer: recorded(each, "401") };
    await using on = await stage(each, { clock, accounts: quotaFirst ? [used, refused] : [refused, used] });
    const replies = [await on.ask(), await on.ask()];
    // The account's bill is not the client's business.
    for (const { raw } of replies) assert.ok(!/credit balance|billing/i.test(raw.toString()), raw.toString());
    const [, later] = replies;
    if (later === undefined) throw new Error("asked twice");
    await expectError(each, on, later, COOLING);
    checkWait(later, 900, 900);
  }
}

async function nobodyComesBack(each: Case): Promise<void> {
  const answer = recorded(each, "401");
  const disabled = { more: { disabled: true } };
  await using on = await stage(each, { accounts: [{ answer }, disabled] });
  const words = { anthropic: "api_error", openai: "server_error" };
  await expectError(each, on, await on.ask(), { status: 502, ...words, code: "upstream_refused" });
  const later = await on.ask();
  await expectError(each, on, later, { status: 503, ...words, code: "pool_unavailable" });
  assert.equal(later.header("retry-after"), undefined);
  expectHits(on, "second", 0);
}

/** With the four cases 1,000 in all. */
const FLOOD = 250;
const OTHERS = 9;
const EACH_ASKS = 5;
const CONFIG = {
  ...ONE_KEY,
  client_keys: Array.from({ length: OTHERS }, (_, index) => ({
    name: `other-${index}`,
    token: `${CANARY}-client-key-other-${index}`,
  })),
  queue_size: 200,
  queue_timeout: "30s",
  ...PATIENT,
};

/** Holds requests until each is let go by hand, and keeps the order in which they came. */
class Line {
  readonly came: string[] = [];
  readonly #gates: (() => void)[] = [];
  readonly #answer = provider();

  readonly answer = async (request: UpstreamRequest, connection: Connection): Promise<void> => {
    this.came.push(/other-\d|flood/.exec(request.body.toString())?.[0] ?? "");
    await new Promise<void>((resolve) => this.#gates.push(resolve));
    await this.#answer(request, connection);
  };

  /** Lets them go one by one, each only once the next has come. */
  async letGo(count: number): Promise<void> {
    for (let gone = 0; gone < count; gone += 1) {
      const expected = Math.min(count, SLOTS + gone);
      await until(`request ${expected} of ${count}`, () => this.came.length >= expected);
      this.#gates.shift()?.();
    }
  }
}

/** In which place, counted from when they asked, the others' requests are served. */
async function placesOfOthers(each: Case, flooded: boolean): Promise<number[]> {
  const clock = new VirtualClock();
  const line = new Line();
  const accounts = [{ answer: line.answer, more: { concurrency: SLOTS } }];
  await using on = await stage(each, { clock, accounts, config: CONFIG });
  const flood = flooded
    ? Array.from({ length: FLOOD }, (_, index) => on.ask({ text: `flood ${index}` }))
    : [];
  // What stands in the queue of the flooding key is its share of it: 200 places for ten keys.
  const waiting = flooded ? 20 : 0;
  const inService = flooded ? SLOTS : 0;
  const turnedAway = Math.max(0, flood.length - waiting - inService);
  await until(
    "the flood stands",
    () => on.gateway.exchanges.length === turnedAway && line.came.length === inService,
  );
  const asked: Promise<Reply>[] = [];
  for (let turn = 0; turn < EACH_ASKS; turn += 1)
    for (let other = 0; other < OTHERS; other += 1)
      asked.push(on.ask({ text: `other-${other} ${turn}`, key: `${CANARY}-client-key-other-${other}` }));
  await Bun.sleep(50);
  await line.letGo(inService + waiting + asked.length);
  for (const reply of await Promise.all(asked)) await expectWhole(on, reply);
  await Promise.all(flood);
  const served = line.came.slice(inService);
  return served.flatMap((who, place) => (who === "flood" ? [] : [place + 1]));
}

async function flood(each: Case): Promise<void> {
  const solo = await placesOfOthers(each, false);
  const flooded = await placesOfOthers(each, true);
  assert.equal(solo.length, OTHERS * EACH_ASKS);
  assert.equal(flooded.length, OTHERS * EACH_ASKS);
  for (const [index, place] of flooded.entries()) {
    const alone = solo[index] ?? 0;
    assert.ok(place <= 2 * alone, `served as number ${place} instead of ${alone}`);
  }
}

export const ROWS: readonly Row[] = [
  {
    number: 48,
    title: "all slots busy: wait, never over the limit, 529/503 after it",
    async run(each) {
      await allSlotsBusy(each);
      await waitedTooLong(each, 14);
      await waitedTooLong(each, 30);
    },
  },
  { number: 49, title: "queue full: turned away without waiting for anything", run: queueFull },
  {
    number: 50,
    title: "all cooling: 429 until the soonest; nobody comes back: 503",
    async run(each) {
      await allCooling(each);
      await oneComesBack(each);
      await nobodyComesBack(each);
    },
  },
  { number: 51, title: "one key floods: the others are served as if nearly alone", cases: WHOLE, run: flood },
];
