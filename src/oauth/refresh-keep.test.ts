import { describe, expect, test } from "bun:test";
import { newOwner } from "./owner.ts";
import type { SealedLogin } from "../core/login.ts";
import { SCRIPTS } from "../../test/support/issuer-scripts.ts";
import { shortId } from "../../test/support/issuer.ts";
import {
  CLIENT,
  createWorld,
  HOUR,
  loginOf,
  secretOf,
  stored,
  type World,
} from "../../test/scenarios/refresh-rig.test.ts";
import { hashOf, type Journal, type LoginDocument, readDocument, writeDocument } from "./custody-document.ts";
import type { Custody } from "./custody.ts";

const A = { name: "a" };
const CLAIM_MS = 90_000;

/** An account "a" whose access token has run out. */
async function expired(world: World): Promise<{ custody: Custody; refresh: string }> {
  const custody = await world.open(world.account("a"));
  const seeded = world.issuer.seed();
  await custody.signIn("a", loginOf(world, seeded, 0));
  return { custody, refresh: seeded.refresh };
}

/** Puts this into the row, as a process did that is no more. */
async function leave(world: World, change: Partial<LoginDocument>): Promise<void> {
  const version = ((await world.store.versions()).get("a") ?? 0) + 1;
  const text = writeDocument({ ...(await stored(world)), ...change });
  const sealed = world.vault.seal({ account: "a", version }, text, false);
  expect(await world.store.commit({ account: "a", version, sealed })).toBe(true);
}

function journal(refresh: string, more: Partial<Journal> = {}): Journal {
  return {
    attempt: "theirs",
    tokenHash: hashOf(refresh),
    at: 0,
    retried: false,
    state: "in_flight",
    ...more,
  };
}

describe("a new token that cannot be saved", () => {
  test("serves at once, is saved when that works again, and is not renewed before", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    const { commit } = world.store;
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    world.store.commit = () => Promise.reject(new Error("the disk is full"));
    world.issuer.release();
    const secret = secretOf(await world.result(access));
    expect(world.issuer.isAccess(secret)).toBe(true);
    expect(world.events("login-unsaved")).toHaveLength(1);
    await world.clock.pass(HOUR);
    expect(await custody.access(A)).toBe("later");
    expect(world.issuer.ledger.posts).toHaveLength(1);
    const kept: SealedLogin[] = [];
    world.store.commit = (login) => (kept.push(login), commit(login));
    await world.until(() => world.events("login-saved").length === 1);
    // Another renewal may have followed.
    const [first] = kept;
    expect(first && readDocument(world.vault.open(first))?.tokens.access).toBe(secret);
    const next = secretOf(await world.result(custody.access(A)));
    expect([world.issuer.isAccess(next), world.issuer.presentations(refresh)]).toEqual([true, 1]);
  });

  test("keeps others from presenting the token before it, however long that takes", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    const { commit } = world.store;
    // The other process has no trouble at all.
    const other = await world.openOn({ ...world.store }, world.account("a"));
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    world.store.commit = () => Promise.reject(new Error("the disk is full"));
    world.issuer.release();
    const secret = secretOf(await world.result(access));
    const from = world.clock.now();
    while (world.clock.now() - from < 3 * CLAIM_MS)
      expect(await world.result(other.access(A), 200)).toBe("later");
    world.store.commit = commit;
    await world.until(() => world.events("login-saved").length === 1);
    await world.clock.pass(3_000);
    expect(secretOf(other.access(A))).toBe(secret);
    expect(world.issuer.presentations(refresh)).toBe(1);
  });

  test("is not forgotten when the row is read again, which somebody has changed in other ways", async () => {
    await using world = await createWorld();
    const { custody } = await expired(world);
    const { commit } = world.store;
    const full = (): Promise<never> => Promise.reject(new Error("the disk is full"));
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    world.store.commit = full;
    world.issuer.release();
    const secret = secretOf(await world.result(access));
    world.store.commit = commit;
    await leave(world, { seeds: ["another"] });
    world.store.commit = full;
    await custody.load([world.account("a")]);
    expect(secretOf(custody.access(A))).toBe(secret);
    world.store.commit = commit;
    await world.until(() => world.events("login-saved").length === 1);
    expect(await stored(world)).toMatchObject({ tokens: { access: secret }, seeds: ["another"] });
  });

  test("is saved before the process ends", async () => {
    await using world = await createWorld();
    const { custody } = await expired(world);
    const { commit } = world.store;
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    let refusals = 0;
    world.store.commit = (login) => {
      refusals++;
      return refusals <= 3 ? Promise.reject(new Error("the disk is full")) : commit(login);
    };
    const closed = custody.close();
    world.issuer.release();
    await world.result(closed);
    expect((await stored(world)).tokens.access).toBe(secretOf(await access));
    expect(world.events("login-not-saved")).toEqual([]);
  });

  test("does not hold up the end of the process for ever", async () => {
    await using world = await createWorld();
    const { custody } = await expired(world);
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    world.store.commit = () => Promise.reject(new Error("the disk is full"));
    world.issuer.release();
    await world.result(access);
    const from = world.clock.now();
    await world.result(custody.close());
    expect(world.clock.now() - from).toBeLessThan(15_000);
    expect(world.events("login-not-saved")).toHaveLength(1);
  });

  test("gives way to a sign-in that came meanwhile", async () => {
    await using world = await createWorld();
    const { custody } = await expired(world);
    const { commit } = world.store;
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    world.store.commit = () => Promise.reject(new Error("the disk is full"));
    world.issuer.release();
    await world.result(access);
    world.store.commit = commit;
    const seeded = world.issuer.seed();
    await custody.signIn("a", loginOf(world, seeded));
    await world.clock.pass(60_000);
    expect(secretOf(custody.access(A))).toBe(seeded.access);
    expect((await stored(world)).tokens.access).toBe(seeded.access);
    // From then on it is renewed as any other.
    expect(await world.result(custody.refused(A, { kind: "bearer", secret: seeded.access }))).toBe("renewed");
    expect(world.issuer.presentations(seeded.refresh)).toBe(1);
  });

  test.each(["this", "another"])(
    "gives way to a sign-in in %s process while the issuer is asked",
    async (where) => {
      await using world = await createWorld();
      const { custody } = await expired(world);
      const other = await world.open(world.account("a"));
      world.issuer.script(SCRIPTS.held);
      const access = custody.access(A);
      await world.until(() => world.issuer.waiting === 1);
      const seeded = world.issuer.seed();
      await (where === "this" ? custody : other).signIn("a", loginOf(world, seeded));
      // Long enough for everybody to have seen it.
      await world.clock.pass(3_000);
      world.issuer.release();
      await world.result(access);
      await world.clock.pass(3_000);
      for (const each of [custody, other]) {
        expect(secretOf(each.access(A))).toBe(seeded.access);
        expect(each.standing("a")).toMatchObject({ state: "ready", generation: 2 });
      }
      expect((await stored(world)).tokens.access).toBe(seeded.access);
    },
  );

  test("counts over what others changed in the row, as long as the token it came from stands there", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    await leave(world, { seeds: ["another"] });
    world.issuer.release();
    const secret = secretOf(await world.result(access));
    expect(world.issuer.isAccess(secret)).toBe(true);
    expect(await stored(world)).toMatchObject({ tokens: { access: secret }, seeds: ["another"] });
    expect(world.issuer.presentations(refresh)).toBe(1);
  });
});

describe("a renewal that another process has left in flight", () => {
  test("is tried exactly once more, and serves when the issuer had not used the token up", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh) });
    world.issuer.script(SCRIPTS.held);
    const access = custody.access(A);
    await world.until(() => world.issuer.waiting === 1);
    expect((await stored(world)).journal).toMatchObject({ retried: true, state: "in_flight" });
    world.issuer.release();
    expect(world.issuer.isAccess(secretOf(await world.result(access)))).toBe(true);
  });

  test("is over with the cause when the issuer had", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh) });
    world.issuer.script(SCRIPTS.reused);
    expect(await world.result(custody.access(A))).toBe("lost");
    expect(JSON.stringify(custody.standing("a"))).toContain(
      "the gateway stopped while it renewed this login",
    );
    expect(world.issuer.presentations(refresh)).toBe(1);
  });

  test("is not tried again by a process that finds it tried twice", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh, { retried: true }) });
    expect(await world.result(custody.access(A))).toBe("lost");
    expect(JSON.stringify(custody.standing("a"))).toContain(
      "the gateway stopped while it renewed this login",
    );
    expect(world.issuer.presentations(refresh)).toBe(0);
  });

  test("says nothing about another token", async () => {
    await using world = await createWorld();
    const { custody } = await expired(world);
    await leave(world, { journal: journal("another token", { retried: true }) });
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access(A))))).toBe(true);
  });

  test("and that lived to see no clear answer is tried until there is one", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh, { state: "unclear" }) });
    world.issuer.script(SCRIPTS.unavailable, SCRIPTS.unavailable, SCRIPTS.invalidGrant);
    for (const rests of [0, 1_000, 2_000]) {
      await world.clock.pass(rests);
      await world.result(custody.access(A), 0);
    }
    await world.until(() => world.events("login-lost").length === 1);
    expect(JSON.stringify(custody.standing("a"))).toContain("an earlier renewal got no clear answer");
    expect(world.issuer.presentations(refresh)).toBe(3);
  });

  test("is left alone as long as it may last, and nobody waits for it after some seconds", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh) });
    expect(await world.store.claim("a", "the dead", 90_000)).toBe(true);
    expect(await world.result(custody.access(A), 200)).toBe("later");
    // Whoever comes then is told so at once.
    expect(await custody.access(A)).toBe("later");
    expect(world.events("login-busy")).toHaveLength(1);
    expect(world.issuer.presentations(refresh)).toBe(0);
    await world.until(() => world.issuer.presentations(refresh) === 1, 200);
    await world.until(() => world.events("login-renewed").length === 1);
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access(A))))).toBe(true);
  });
});

describe("a claim of a process that has died", () => {
  test("is taken over at once", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    await leave(world, { journal: journal(refresh) });
    const [place] = newOwner().split("/");
    const dead = [place, process.pid, "an earlier one", "claim"].join("/");
    expect(await world.store.claim("a", dead, 90_000)).toBe(true);
    const before = world.clock.now();
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access(A))))).toBe(true);
    expect(world.clock.now() - before).toBeLessThan(5_000);
  });
});

describe("two processes", () => {
  test("renew one login once, and both serve the new token", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    const other = await world.open(world.account("a"));
    const both = await world.result(Promise.all([custody.access(A), other.access(A)]));
    expect(secretOf(both[0])).toBe(secretOf(both[1]));
    expect([world.issuer.isAccess(secretOf(both[0])), world.issuer.presentations(refresh)]).toEqual([
      true,
      1,
    ]);
  });

  test("never present a token when one was held up until its claim had nearly run out", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    const other = await world.open(world.account("a"));
    const { commit } = world.store;
    const paused = Promise.withResolvers<void>();
    let isPaused = false;
    world.store.commit = async (login) => {
      const done = await commit(login);
      if (!isPaused) {
        isPaused = true;
        await paused.promise;
      }
      return done;
    };
    const first = custody.access(A);
    await world.until(() => isPaused, 0);
    world.clock.advance(95_000);
    // It takes over, and finds what the first was about to present.
    const secret = secretOf(await world.result(other.access(A)));
    expect(world.issuer.isAccess(secret)).toBe(true);
    paused.resolve();
    await world.result(first);
    await world.until(() => secretOf(custody.access(A)) === secret);
    expect([world.issuer.presentations(refresh), world.issuer.ledger.reuses]).toEqual([1, 0]);
  });

  test("leave a login alone while the store cannot be written", async () => {
    await using world = await createWorld();
    const { custody, refresh } = await expired(world);
    world.store.claim = () => Promise.reject(new Error("the disk is full"));
    expect(await world.result(custody.access(A))).toBe("later");
    expect(world.issuer.presentations(refresh)).toBe(0);
    expect(JSON.stringify(world.lines)).toContain("the disk is full");
  });
});

describe("sibling accounts", () => {
  test("renew one after another, those first that somebody waits for", async () => {
    await using world = await createWorld();
    const names = ["a", "b", "c", "d"];
    const seeds = names.map(() => world.issuer.seed());
    world.issuer.always(SCRIPTS.held);
    const custody = await world.open(
      ...names.map((name, n) => world.account(name, { seed: seeds[n]?.refresh ?? "" })),
    );
    await world.until(() => world.issuer.waiting === 1);
    const wanted = world.result(custody.access({ name: "d" }));
    const order: string[] = [];
    for (const _ of names) {
      await world.until(() => world.issuer.waiting === 1);
      expect(world.issuer.waiting).toBe(1);
      order.push(
        names[
          seeds.findIndex(({ refresh }) => shortId(refresh) === world.issuer.ledger.posts.at(-1)?.token)
        ] ?? "none",
      );
      world.issuer.release();
      await world.until(() => world.issuer.ledger.posts.filter(({ told }) => told).length === order.length);
    }
    expect(order).toEqual(["a", "d", "b", "c"]);
    expect(world.issuer.isAccess(secretOf(await wanted))).toBe(true);
  });

  test("do not wait for an issuer that keeps another silent", async () => {
    await using world = await createWorld();
    await using slow = await createWorld();
    slow.issuer.always(SCRIPTS.silence);
    const stuck = slow.issuer.seed();
    const seeded = world.issuer.seed();
    const custody = await world.open(
      world.account("stuck", { seed: stuck.refresh, issuer: slow.issuer.url }),
      world.account("b", { seed: seeded.refresh, clientId: CLIENT }),
    );
    await world.until(() => slow.issuer.ledger.posts.length === 1);
    const from = world.clock.now();
    const access = await world.result(custody.access({ name: "b" }));
    expect(world.issuer.isAccess(secretOf(access))).toBe(true);
    expect(world.clock.now() - from).toBeLessThan(5_000);
  });
});
