// Rows about limits and quotas: how long an account rests after a 429 or 402, and what ends it.
import assert from "node:assert/strict";
import { held, json } from "../support/answers.ts";
import { providerError, type Platform } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { expectAttempts, expectGood, expectHits, expectNotCooled } from "./check.ts";
import { until, type Case, type Row } from "./row.ts";
import {
  DAY,
  HOUR,
  MINUTE,
  platformOf,
  recorded,
  restMs,
  scene,
  SECOND,
  statusOf,
  type Scene,
} from "./scene.ts";

/** What may be added to a wait that upstream named, so that accounts do not all come back at once. */
const SPREAD = 1.1;

/** Refused once: the client sees nothing of it, the account rests for exactly that long and then serves again. */
async function expectRest(
  { stage: on, clock, script, ask }: Scene,
  refusal: Answer,
  forMs: number,
): Promise<void> {
  script.next(refusal);
  await expectGood(on, await ask(), "second");
  const restsFor = restMs(on, "first", clock);
  assert.ok(restsFor >= forMs - 1 && restsFor <= forMs * SPREAD + 1, `rests ${restsFor} ms, not ${forMs}`);
  await clock.pass(forMs - 2);
  await expectGood(on, await ask(), "second");
  await clock.pass(restsFor - forMs + 4);
  await expectGood(on, await ask(), "first");
  expectNotCooled(on, "first");
}

interface Hint {
  readonly headers: Readonly<Record<string, string>>;
  readonly forMs: number;
}

const NEW_YEAR = "Thu, 01 Jan 2026 00:00:00 GMT";
const dated = (retryAfter: string, date: string = NEW_YEAR): Hint["headers"] => ({
  date,
  "retry-after": retryAfter,
});
const seconds = (text: string): Hint["headers"] => ({ "retry-after": text });
const milliseconds = (text: string, more: Hint["headers"] = {}): Hint["headers"] => ({
  "retry-after-ms": text,
  ...more,
});

const HINTS: readonly Hint[] = [
  { headers: seconds("1"), forMs: SECOND },
  { headers: seconds("7"), forMs: 7 * SECOND },
  { headers: seconds("60"), forMs: MINUTE },
  { headers: seconds("3600"), forMs: HOUR },
  { headers: seconds("00030"), forMs: 30 * SECOND },
  { headers: seconds(" 12 "), forMs: 12 * SECOND },
  { headers: seconds("0"), forMs: SECOND },
  { headers: seconds("691200"), forMs: 8 * DAY },
  { headers: seconds("691201"), forMs: 8 * DAY },
  { headers: seconds("99999999999999999999"), forMs: 8 * DAY },
  { headers: dated("Thu, 01 Jan 2026 00:00:30 GMT"), forMs: 30 * SECOND },
  { headers: dated("Thursday, 01-Jan-26 00:01:00 GMT"), forMs: MINUTE },
  { headers: dated("Thu Jan  1 00:00:45 2026"), forMs: 45 * SECOND },
  { headers: dated("Fri, 02 Jan 2026 00:00:00 GMT"), forMs: DAY },
  { headers: dated("Sun, 01 Feb 2026 00:00:00 GMT"), forMs: 8 * DAY },
  { headers: dated("Wed, 31 Dec 2025 23:59:00 GMT"), forMs: SECOND },
  // Their clock is a year behind ours: only the difference of their own two dates counts.
  { headers: dated("Wed, 01 Jan 2025 00:00:20 GMT", "Wed, 01 Jan 2025 00:00:00 GMT"), forMs: 20 * SECOND },
  { headers: milliseconds("1500"), forMs: 1500 },
  { headers: milliseconds("1798.4"), forMs: 1798.4 },
  { headers: milliseconds("0"), forMs: SECOND },
  { headers: milliseconds("250"), forMs: SECOND },
  { headers: milliseconds("1798", seconds("600")), forMs: 1798 },
  { headers: milliseconds("99999999999"), forMs: 8 * DAY },
  { headers: milliseconds("-5", seconds("9")), forMs: 9 * SECOND },
  { headers: milliseconds("NaN", seconds("9")), forMs: 9 * SECOND },
  { headers: milliseconds("1e3", seconds("9")), forMs: 9 * SECOND },
  // No number of seconds: as if there were no hint.
  { headers: seconds("-1"), forMs: MINUTE },
  { headers: seconds("1e3"), forMs: MINUTE },
  { headers: seconds("5s"), forMs: MINUTE },
  { headers: seconds("0x10"), forMs: MINUTE },
  { headers: seconds("soon"), forMs: MINUTE },
  { headers: dated("2026-01-01T00:00:30Z"), forMs: MINUTE },
];

async function namedWait(each: Case): Promise<void> {
  await using play = await scene(each);
  const { status, body } = providerError(platformOf(each), "429-bare");
  for (const { headers, forMs } of HINTS) await expectRest(play, json(status, body, headers), forMs);
}

/** The recorded headers and bodies, with their reset moved to so many seconds from now. */
async function namedReset(each: Case): Promise<void> {
  await using play = await scene(each);
  const { clock } = play;
  const moved = (name: string, inMs: number): Answer => {
    const at = Math.ceil((clock.wall() + inMs) / SECOND) * SECOND;
    const stamp = new Date(at).toISOString().replace(".000Z", "Z");
    return recorded(each, name, (text) =>
      text.replaceAll("2030-01-01T00:00:00Z", stamp).replaceAll("1893456000", String(at / SECOND)),
    );
  };
  // A whole second of our clock, so that the reset is exactly as far away as asked for.
  const resets = async (name: string, inMs: number, forMs = inMs): Promise<void> => {
    await clock.pass(SECOND - (clock.wall() % SECOND));
    await expectRest(play, moved(name, inMs), forMs);
  };
  if (platformOf(each) === "anthropic") {
    await expectRest(play, recorded(each, "429-rate-limit"), 7 * SECOND);
    await resets("429-reset-headers-only", HOUR);
    await resets("429-unified", 2 * HOUR);
    await resets("429-unified", 9 * DAY, 8 * DAY);
    return oneModel(each);
  }
  await expectRest(play, recorded(each, "429-rate-limit"), 1798);
  await expectRest(play, recorded(each, "429-reset-headers-only"), 6 * MINUTE);
  await resets("429-usage-limit", 10 * MINUTE);
  const inWords = { error: { message: "Rate limit reached. Please try again in 1m2.5s.", type: "tokens" } };
  await expectRest(play, json(429, inWords), 62.5 * SECOND);
  const left = { "x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "6m0s" };
  await expectRest(
    play,
    json(429, { error: { message: "Too many requests", type: "requests" } }, left),
    MINUTE,
  );
}

/** A weekly limit of one family of models rests that model only. */
async function oneModel(each: Case): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script, ask } = play;
  const other = { text: "Another model.", extra: { model: "claude-haiku-5" } };
  const seconds = String(Math.ceil(clock.wall() / SECOND) + 600);
  script.next(
    recorded(each, "429-unified", (text) =>
      text.replaceAll("1893456000", seconds).replace("five_hour", "seven_day_sonnet"),
    ),
  );
  await expectGood(on, await ask(), "second");
  await expectGood(on, await on.ask(other), "first");
  await expectGood(on, await ask(), "second");
  assert.match(statusOf(on, "first").reason ?? "", /rate limit \(claude-sonnet-5\)/);
  await clock.pass(661 * SECOND);
  await expectGood(on, await ask(), "first");
}

async function bareLimit(each: Case): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script, ask } = play;
  for (const minutes of [1, 2, 4, 8, 16, 30, 30]) {
    script.next(recorded(each, "429-bare"));
    const reply = await ask();
    await expectGood(on, reply, "second");
    await expectAttempts(on, reply, "first:limit second:ok");
    assert.equal(restMs(on, "first", clock), minutes * MINUTE);
    await clock.pass(minutes * MINUTE + 1);
  }
  await expectGood(on, await ask(), "first");
  // A success forgets how often it has doubled.
  script.next(recorded(each, "429-bare"));
  await expectGood(on, await ask(), "second");
  assert.equal(restMs(on, "first", clock), MINUTE);
}

const QUOTA: Readonly<Record<Platform, readonly string[]>> = {
  anthropic: ["402", "429-spend-limit", "400-spend-limit"],
  openai: ["402", "429-insufficient-quota", "429-usage-not-included"],
};

async function quota(each: Case): Promise<void> {
  for (const name of QUOTA[platformOf(each)]) {
    await using play = await scene(each);
    const { stage: on, clock, script, ask } = play;
    const used = recorded(each, name);
    script.next(used);
    await expectGood(on, await ask(), "second");
    assert.equal(statusOf(on, "first").reason, "quota used up", name);
    assert.equal(restMs(on, "first", clock), HOUR);
    await clock.pass(15 * MINUTE - 1);
    await expectGood(on, await ask(), "second");
    await clock.pass(2);
    await oneProbe(play, used);
    assert.equal(restMs(on, "first", clock), 45 * MINUTE - 1, "a probe in between doubles nothing");
    await clock.pass(15 * MINUTE);
    await expectGood(on, await ask(), "first");
    expectNotCooled(on, "first");
  }
}

/** Of several requests at the moment of a probe one goes to the account; it finds the quota still used up. */
async function oneProbe({ stage: on, script, ask }: Scene, used: Answer): Promise<void> {
  const before = on.upstream("first").requests.length;
  const probe = held(used);
  script.next(probe.answer);
  const first = ask();
  await until("the probe", () => probe.waiting === 1);
  for (const reply of await Promise.all([ask(), ask()])) await expectGood(on, reply, "second");
  probe.release();
  await expectGood(on, await first, "second");
  await expectGood(on, await ask(), "second");
  expectHits(on, "first", before + 1);
}

export const ROWS: readonly Row[] = [
  { number: 23, title: "429 with retry-after in any form: rests exactly that long", run: namedWait },
  { number: 24, title: "429 with a reset in headers or body: rests until then", run: namedReset },
  { number: 25, title: "bare 429: rests 60 s, doubling to 30 min", run: bareLimit },
  { number: 26, title: "quota used up: rests long, one probe each 15 min", run: quota },
];
