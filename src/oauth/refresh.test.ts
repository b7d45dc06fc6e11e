import { describe, expect, test } from "bun:test";
import { codedError, oauthError, SCRIPTS } from "../../test/support/issuer-scripts.ts";
import {
  createWorld,
  HOUR,
  loginOf,
  secretOf,
  stored,
  type World,
} from "../../test/scenarios/refresh-rig.test.ts";
import type { Custody } from "./custody.ts";

const A = { name: "a" };

/** So long before its end an hour's token is renewed, with the chance that the rig gives. */
const LEAD_MS = 270_000;

/** To the moment before a token that was good for an hour is renewed. */
async function toRenewal(world: World): Promise<void> {
  await world.clock.pass(HOUR - LEAD_MS - 1);
}

/** An account "a" whose access token is good for so long. */
async function signedIn(
  world: World,
  leftMs = 0,
): Promise<{ custody: Custody; refresh: string; access: string }> {
  const custody = await world.open(world.account("a"));
  const seeded = world.issuer.seed();
  await custody.signIn("a", loginOf(world, seeded, leftMs));
  return { custody, refresh: seeded.refresh, access: seeded.access };
}

function reasonOf(custody: Custody): string {
  const standing = custody.standing("a");
  return standing.state === "ready" ? "ready" : standing.reason;
}

function bearer(secret: string): { readonly kind: "bearer"; readonly secret: string } {
  return { kind: "bearer", secret };
}

describe("renewing", () => {
  test("begins minutes before the end without any request, while the old token serves", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    world.issuer.script(SCRIPTS.held);
    await toRenewal(world);
    expect(world.issuer.ledger.posts).toEqual([]);
    await world.until(() => world.issuer.waiting === 1);
    expect(secretOf(custody.access(A))).toBe(access);
    world.issuer.release();
    await world.until(() => secretOf(custody.access(A)) !== access, 0);
    expect(world.issuer.ledger.posts).toHaveLength(1);
  });

  test("happens once for all who wait, and none of them can end it", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await signedIn(world);
    const all = await world.result(Promise.all(Array.from({ length: 50 }, () => custody.access(A))));
    expect(new Set(all.map(secretOf)).size).toBe(1);
    expect(world.issuer.isAccess(secretOf(all[0] ?? "lost"))).toBe(true);
    expect(world.issuer.presentations(refresh)).toBe(1);
  });

  test("writes down what it will present before it does, and keeps what came before anybody gets it", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    expect((await stored(world)).journal).toMatchObject({ state: "in_flight", retried: false });
    world.issuer.release();
    const secret = secretOf(await world.result(access));
    expect(await stored(world)).toMatchObject({ tokens: { access: secret }, journal: undefined });
  });

  test("follows a stepped wall clock neither way", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    for (const day of [24 * HOUR, -48 * HOUR]) {
      world.clock.stepWall(day);
      expect(secretOf(custody.access(A))).toBe(access);
      await world.clock.pass(60_000);
    }
    expect(world.issuer.ledger.posts).toEqual([]);
  });

  test.each([
    "withoutExpiry",
    "withoutId",
    "withoutType",
    "expiryAsText",
    "opaqueWithoutExpiry",
    "bare",
    "withoutRefresh",
  ] as const)("makes do with an answer as odd as %s", async (name) => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    const before = custody.standing("a");
    world.issuer.script(SCRIPTS[name]);
    const access = secretOf(await world.result(custody.access(A)));
    expect(world.issuer.isAccess(access)).toBe(true);
    expect(custody.standing("a")).toEqual(before);
    const { tokens } = await stored(world);
    const left = tokens.expiresAt - world.clock.wall();
    expect(left).toBeGreaterThan(590_000);
    // A restart after its end.
    world.clock.stepWall(left);
    const next = await world.open(world.account("a"));
    expect(world.issuer.isAccess(secretOf(await world.result(next.access(A))))).toBe(true);
    expect(world.issuer.ledger.reuses).toBe(0);
  });

  test("keeps a refresh token that comes without an access token, and goes on with it", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await signedIn(world);
    world.issuer.script(SCRIPTS.withoutAccess);
    expect(await world.result(custody.access(A))).toBe("later");
    expect((await stored(world)).tokens.refresh).not.toBe(refresh);
    await world.clock.pass(1_000);
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access(A))))).toBe(true);
    expect(world.issuer.ledger.reuses).toBe(0);
  });

  test.each([
    ["unavailable", "status 503"],
    ["broken", "status 500"],
    ["tooMany", "status 429"],
    ["page", "no tokens"],
    ["badGateway", "status 502"],
    ["notJson", "no tokens"],
    ["emptyObject", "no tokens"],
    ["drop", "connection"],
    ["hangUp", "connection"],
  ] as const)("tries again after %s, with a rest in between", async (name, words) => {
    await using world = await createWorld();
    const { custody, refresh } = await signedIn(world);
    world.issuer.script(SCRIPTS[name], SCRIPTS[name]);
    expect(await world.result(custody.access(A), 0)).toBe("later");
    expect(String(world.events("login-not-renewed")[0]?.fields?.["reason"])).toContain(words);
    for (let asked = 0; asked < 10; asked++) expect(await custody.access(A)).toBe("later");
    expect(world.issuer.presentations(refresh)).toBe(1);
    expect(custody.standing("a").state).toBe("ready");
    expect((await stored(world)).journal).toMatchObject({ state: "unclear", retried: false });
    await world.clock.pass(1_000);
    await world.until(() => world.events("login-not-renewed").length === 2, 0);
    await world.clock.pass(2_000);
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access(A))))).toBe(true);
    expect(world.issuer.presentations(refresh)).toBe(3);
  });

  test("gives an issuer 30 seconds, and callers no more than 35", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    world.issuer.script(SCRIPTS.silence);
    let ended = false;
    const access = Promise.resolve(custody.access(A)).finally(() => (ended = true));
    await world.until(() => world.issuer.ledger.posts.length === 1, 0);
    await world.clock.pass(29_000);
    expect(ended).toBe(false);
    await world.clock.pass(1_100);
    expect(await world.result(access, 0)).toBe("later");
    expect(world.events("login-not-renewed")[0]?.fields).toMatchObject({
      reason: "the issuer did not answer within 30 s",
    });
  });

  test("does not take an issuer that cannot be reached for one that may have used the token up", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const seeded = world.issuer.seed();
    await custody.signIn("a", { ...loginOf(world, seeded, 0), issuer: "http://127.0.0.1:1" });
    expect(await world.result(custody.access(A))).toBe("later");
    expect((await stored(world)).journal).toBeUndefined();
    expect(JSON.stringify(world.lines)).toContain("the issuer cannot be reached");
  });

  test("sends nothing over plain http to another machine, and follows no redirect", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const seeded = world.issuer.seed();
    await custody.signIn("a", { ...loginOf(world, seeded, 0), issuer: "http://issuer.example" });
    expect(await world.result(custody.access(A))).toBe("later");
    expect(JSON.stringify(world.lines)).toContain("not https");
    await using trap = await createWorld();
    world.issuer.script({ answer: { redirect: `${trap.issuer.url}/oauth/token`, status: 307 } });
    await custody.signIn("a", loginOf(world, seeded, 0));
    expect(await world.result(custody.access(A))).toBe("later");
    expect(trap.issuer.ledger.posts).toEqual([]);
  });
});

describe("a login that is over", () => {
  test.each([
    [oauthError("invalid_grant"), "invalid_grant"],
    [codedError("refresh_token_expired"), "has expired"],
    [codedError("refresh_token_reused"), "used before"],
    [codedError("refresh_token_invalidated", 400), "invalidated"],
    [codedError("refresh_token_revoked"), "revoked"],
  ] as const)("says so once, loudly, with the reason, and asks for a sign-in (%j)", async (answer, words) => {
    await using world = await createWorld();
    const { custody, refresh } = await signedIn(world);
    world.issuer.script({ answer });
    expect(await world.result(custody.access(A))).toBe("lost");
    expect(reasonOf(custody)).toContain(words);
    expect(await custody.access(A)).toBe("lost");
    const lost = world.events("login-lost");
    expect(lost).toMatchObject([{ level: "error", fields: { account: "a", stillServes: false } }]);
    expect(JSON.stringify(world.lines)).not.toContain(refresh);
    // So it is for every process, and after a restart.
    const next = await world.open(world.account("a"));
    expect(reasonOf(next)).toContain(words);
    expect(world.issuer.ledger.posts).toHaveLength(1);
    await custody.signIn("a", loginOf(world, world.issuer.seed()));
    expect(custody.standing("a")).toMatchObject({ state: "ready", generation: 2 });
  });

  test("serves until its token ends", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    world.issuer.script({ answer: oauthError("invalid_grant") });
    await toRenewal(world);
    await world.until(() => world.events("login-lost").length === 1);
    expect([secretOf(custody.access(A)), custody.standing("a").state]).toEqual([access, "ready"]);
    world.changes.length = 0;
    await world.clock.pass(LEAD_MS);
    expect(world.changes).toEqual(["a"]);
    expect(reasonOf(custody)).toContain("invalid_grant");
    expect(world.issuer.ledger.posts).toHaveLength(1);
  });

  test("serves until its token is refused", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    world.issuer.script({ answer: oauthError("invalid_grant") });
    await toRenewal(world);
    await world.until(() => world.events("login-lost").length === 1);
    world.changes.length = 0;
    expect(await custody.refused(A, bearer(access))).toBe("lost");
    expect([world.changes, reasonOf(custody)]).toEqual([["a"], expect.stringContaining("invalid_grant")]);
  });

  test("is not over when somebody has put another in its place meanwhile", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    const other = await world.open(world.account("a"));
    world.issuer.script({ ...SCRIPTS.held, answer: oauthError("invalid_grant") });
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    const seeded = world.issuer.seed();
    await other.signIn("a", loginOf(world, seeded));
    world.issuer.release();
    expect(secretOf(await world.result(access, 0))).toBe(seeded.access);
    expect(world.events("login-lost")).toEqual([]);
  });

  test("without a refresh token ends with its access token", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const login = loginOf(world, world.issuer.seed());
    await custody.signIn("a", { ...login, tokens: { ...login.tokens, refresh: undefined } });
    await world.clock.pass(HOUR - 20_000);
    expect(secretOf(custody.access(A))).toBe(login.tokens.access);
    await world.clock.pass(20_000);
    expect(reasonOf(custody)).toContain("no refresh token");
    expect(world.issuer.ledger.posts).toEqual([]);
  });
});

describe("a token that the provider refuses", () => {
  test("is renewed once for all, and whoever comes later with the old one is told so", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    const all = Array.from({ length: 20 }, () => custody.refused(A, bearer(access)));
    expect(new Set(await world.result(Promise.all(all)))).toEqual(new Set(["renewed"]));
    const next = secretOf(custody.access(A));
    expect([next === access, world.issuer.isAccess(next)]).toEqual([false, true]);
    expect(await custody.refused(A, bearer(access))).toBe("renewed");
    expect(world.issuer.ledger.posts).toHaveLength(1);
  });

  test("and that has just been given out is tried again later, and good when the provider has come to know it", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    const first = secretOf(await world.result(custody.access(A)));
    const refuse = async (secret: string): Promise<readonly string[]> => {
      const all = Array.from({ length: 5 }, () => custody.refused(A, bearer(secret)));
      return [...new Set(await world.result(Promise.all(all)))];
    };
    expect(await refuse(first)).toEqual(["renewed"]);
    const second = secretOf(custody.access(A));
    expect(await refuse(second)).toEqual(["later"]);
    expect(secretOf(custody.access(A))).toBe(second);
    expect(world.events("login-lost")).toEqual([]);
    expect(world.issuer.ledger.posts).toHaveLength(2);
  });

  test("although it has just been given out is over at once where the issuer says so", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    const access = secretOf(await world.result(custody.access(A)));
    world.issuer.script(SCRIPTS.invalidGrant);
    expect(await world.result(custody.refused(A, bearer(access)))).toBe("lost");
    expect(world.events("login-lost")).toHaveLength(1);
  });

  test("and the next two as well, each of them just given out, asks for a sign-in", async () => {
    await using world = await createWorld();
    const { custody } = await signedIn(world);
    const ends: string[] = [];
    const refuse = async (): Promise<void> => {
      const access = secretOf(await world.result(custody.access(A)));
      ends.push(await world.result(custody.refused(A, bearer(access))));
    };
    for (const restsMs of [0, 0, 61_000, 0]) {
      await world.clock.pass(restsMs);
      await refuse();
    }
    expect(ends).toEqual(["renewed", "later", "renewed", "lost"]);
    expect(reasonOf(custody)).toContain("just given out");
    expect(world.events("login-lost")).toHaveLength(1);
    expect(world.issuer.ledger.posts).toHaveLength(3);
  });

  test("is not presented again while the issuer is down", async () => {
    await using world = await createWorld();
    const { custody, access } = await signedIn(world, HOUR);
    world.issuer.always(SCRIPTS.unavailable);
    expect(await world.result(custody.refused(A, bearer(access)), 0)).toBe("later");
    expect(await custody.refused(A, bearer(access))).toBe("later");
    expect(await custody.access(A)).toBe("later");
    expect(world.issuer.ledger.posts).toHaveLength(1);
  });

  test("and cannot be renewed at all asks for a sign-in", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const login = loginOf(world, world.issuer.seed());
    await custody.signIn("a", { ...login, tokens: { ...login.tokens, refresh: undefined } });
    expect(await custody.refused(A, bearer(login.tokens.access))).toBe("lost");
    expect(reasonOf(custody)).toContain("no refresh token");
  });
});
