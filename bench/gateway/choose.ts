// What the pool itself costs: choosing, taking, binding and giving back among many accounts, with requests in
// flight and a limit window known of each account. A process of its own, so that nothing else is in its heap.

import process from "node:process";
import type { Account } from "../../src/core/account.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Ask, ClientKey } from "../../src/core/exchange.ts";
import type { Lease } from "../../src/core/ports.ts";
import { createPool } from "../../src/pool/pool.ts";
import type { ChoiceCost } from "./measure.ts";
import { CHOICE } from "./units.ts";

const IN_FLIGHT = 400;
const ROUNDS = 12;
const CHOICES = 5_000;
const SESSIONS = 2_000;
const MODEL = "claude-bench-whole";
const HOUR_MS = 3_600_000;

const key: ClientKey = {
  name: "bench",
  models: undefined,
  concurrency: undefined,
  requestsPerMinute: undefined,
  weight: 1,
};
const options = { codecs: () => true, signal: new AbortController().signal };

function account(index: number): Account {
  return {
    name: `account-${index}`,
    platform: "anthropic",
    type: "api_key",
    provider: "anthropic",
    credential: { kind: "api_key", secret: "bench-upstream-key" },
    baseUrl: "http://127.0.0.1:9",
    origin: "http://127.0.0.1:9",
    proxy: undefined,
    apis: ["messages"],
    concurrency: 3,
    priority: 50,
    weight: 1 + (index % 3),
    models: undefined,
    modelMap: {},
    disabled: false,
    allowExtraUsage: false,
  };
}

function ask(session: string): Ask {
  return {
    protocol: "messages",
    key,
    model: MODEL,
    models: [MODEL],
    stream: true,
    body: new Uint8Array(),
    members: { start: 0, end: 0, list: [] },
    headers: new Headers(),
    query: "",
    session,
    previousResponse: undefined,
    pinned: false,
    errand: undefined,
    continuable: false,
    replayable: true,
  };
}

const accounts = Array.from({ length: CHOICE.accounts }, (_, index) => account(index));
const pool = createPool({
  accounts,
  settings: { maxQueue: 6_000, queueTimeoutMs: 30_000, stickyTtlMs: HOUR_MS, keys: 1 },
  clock: systemClock,
  random: Math.random,
  records: { save: () => {}, load: () => [] },
  log: () => {},
});
for (const [index, each] of accounts.entries()) {
  const now = Date.now();
  const used = (index % 90) / 100;
  pool.observe(each, [{ name: "5h", used, resetAt: now + HOUR_MS, source: "header", seenAt: now }]);
}

const inFlight: Lease[] = [];

/** One request's way through the pool; the oldest in flight ends for it. */
async function choose(session: string): Promise<void> {
  if (inFlight.length >= IN_FLIGHT) inFlight.shift()?.release({ kind: "ok" });
  const asked = ask(session);
  const leases = pool.candidates(asked, options);
  const { value } = await leases.next();
  if (value === undefined) throw new Error("no account was free");
  pool.committed(value, asked, 200);
  inFlight.push(value);
  await leases.return();
}

/** The best round: what disturbs a round can only make it slower. */
async function bestUs(session: (count: number) => string): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  let count = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = process.cpuUsage();
    for (let each = 0; each < CHOICES; each += 1) await choose(session(count++));
    const { user, system } = process.cpuUsage(begun);
    best = Math.min(best, (user + system) / CHOICES);
  }
  return best;
}

const cost: ChoiceCost = {
  freshUs: await bestUs((count) => `fresh ${count}`),
  boundUs: await bestUs((count) => `bound ${count % SESSIONS}`),
};
process.stdout.write(`${JSON.stringify(cost)}\n`);
pool.close();
process.exit(0);
