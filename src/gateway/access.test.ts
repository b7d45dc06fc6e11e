import { expect, test } from "bun:test";
import type { Access, Account } from "../core/account.ts";
import { GatewayError } from "../core/errors.ts";
import type { Logins, Renewal } from "../core/login.ts";
import type { Outcome } from "../core/outcome.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { withAccess } from "./access.ts";

const OK: Outcome = { kind: "ok" };
const EXPIRED: Outcome = {
  kind: "next",
  fault: new GatewayError("upstream_refused", "refused"),
  blame: { on: "credential", expired: true },
};

test("a fixed credential is presented as it is, and its 401 is the account's", async () => {
  const line = rig({ credential: { kind: "api_key", secret: "k" } });
  expect(await line.run([EXPIRED])).toBe(EXPIRED);
  expect(line.presented).toEqual(["k"]);
  expect(line.refused).toEqual([]);
});

test("a login's 401 is answered by one renewal and one more try", async () => {
  const line = rig({ held: ["old", "new"], renewals: ["renewed"] });
  expect(await line.run([EXPIRED, OK])).toBe(OK);
  expect(line.presented).toEqual(["old", "new"]);
});

test("a renewed token that is refused too is told, and not renewed for ever", async () => {
  const line = rig({ held: ["old", "new", "newer"], renewals: ["renewed", "renewed"] });
  expect(await line.run([EXPIRED, EXPIRED, OK])).toBe(EXPIRED);
  expect(line.presented).toEqual(["old", "new"]);
  expect(line.refused).toEqual(["old", "new"]);
});

test.each<Renewal>(["lost", "later"])(
  "where the renewal ends in %p another account may try, and the login is blamed",
  async (why) => {
    const line = rig({ held: ["old"], renewals: [why] });
    expect(await line.run([EXPIRED])).toMatchObject({ kind: "next", blame: { on: "login" } });
    const none = rig({ held: [why === "lost" ? "lost" : "later"] });
    expect(await none.run([OK])).toMatchObject({ kind: "next", blame: { on: "login" } });
    expect(none.presented).toEqual([]);
  },
);

test("whoever leaves while a login is renewed stops waiting for it", async () => {
  const line = rig({ held: [new Promise(() => {})] });
  const outcome = line.run([OK]);
  line.abort.abort();
  expect(await outcome).toEqual({ kind: "gone" });
});

test("a slow renewal is waited for only while no other account is free", async () => {
  const alone = rig({ held: [new Promise(() => {})] });
  let ended: Outcome | undefined;
  void alone.run([OK]).then((outcome) => (ended = outcome));
  await alone.clock.pass(30_000);
  expect(ended).toBeUndefined();
  const among = rig({ held: [new Promise(() => {})], others: true });
  const outcome = among.run([OK]);
  await among.clock.pass(2_000);
  expect(await outcome).toMatchObject({ kind: "next", blame: { on: "login" } });
});

test("an outcome that is no 401 is told at once", async () => {
  const line = rig({ held: ["old"] });
  const outcome: Outcome = { ...EXPIRED, blame: { on: "credential", expired: false } };
  expect(await line.run([outcome])).toBe(outcome);
  expect(line.refused).toEqual([]);
});

const ACCOUNT: Account = {
  name: "a",
  platform: "openai",
  type: "oauth",
  provider: "chatgpt",
  credential: undefined,
  baseUrl: "https://api.example",
  origin: "https://api.example",
  proxy: undefined,
  apis: ["responses"],
  concurrency: 1,
  priority: 1,
  weight: 1,
  models: undefined,
  modelMap: {},
  disabled: false,
  allowExtraUsage: false,
};

interface Script {
  readonly credential?: Account["credential"];
  /** What is held, call by call: a token, `later`, `lost`, or something to wait for. */
  readonly held?: readonly (string | Promise<Access>)[];
  readonly renewals?: readonly Renewal[];
  /** Whether another account is free. */
  readonly others?: boolean;
}

function rig({
  credential = { kind: "login", generation: 1 },
  held = [],
  renewals = [],
  others = false,
}: Script) {
  const presented: string[] = [];
  const refused: string[] = [];
  const abort = new AbortController();
  const clock = new VirtualClock();
  const account: Account = { ...ACCOUNT, credential };
  const lease = {
    candidate: { account, model: "m", protocol: "responses" as const, rank: 0 },
    hasOthers: () => others,
  };
  const holding = held.values();
  const renewing = renewals.values();
  const logins: Logins = {
    access: () => {
      const next = holding.next().value ?? "lost";
      if (typeof next !== "string") return next;
      if (next === "later" || next === "lost") return Promise.resolve(next);
      return { kind: "bearer", secret: next };
    },
    refused: (_account, access) => {
      refused.push(access.secret);
      return Promise.resolve(renewing.next().value ?? "lost");
    },
  };
  const run = (outcomes: readonly Outcome[]): Promise<Outcome> => {
    const scripted = outcomes.values();
    return withAccess({ logins, clock }, { signal: abort.signal }, lease, (access) => {
      presented.push(access.secret);
      return Promise.resolve(scripted.next().value ?? OK);
    });
  };
  return { run, presented, refused, abort, clock };
}
