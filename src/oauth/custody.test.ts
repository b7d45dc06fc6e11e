import { describe, expect, test } from "bun:test";
import { CLIENT, createWorld, HOUR, loginOf, secretOf } from "../../test/scenarios/refresh-rig.test.ts";

describe("a refresh token in the configuration", () => {
  test("is redeemed once, in the background, and never again after that", async () => {
    await using world = await createWorld();
    const seeded = world.issuer.seed();
    const account = world.account("a", { seed: seeded.refresh });
    const custody = await world.open(account);
    await world.until(() => world.issuer.ledger.posts.length > 0);
    const access = await world.result(custody.access({ name: "a" }));
    expect(world.issuer.isAccess(secretOf(access))).toBe(true);
    expect(access).toMatchObject({ kind: "bearer", accountId: seeded.account.accountId });
    expect(custody.standing("a")).toEqual({
      state: "ready",
      generation: 1,
      identity: seeded.account,
      source: "config",
    });
    await custody.load([account]);
    const next = await world.open(account);
    expect(secretOf(next.access({ name: "a" }))).toBe(secretOf(access));
    expect(world.issuer.ledger.posts).toHaveLength(1);
  });

  test("wins over the login there was, when it is another one than ever before", async () => {
    await using world = await createWorld();
    const [old, seeded] = [world.issuer.seed({ accountId: "old" }), world.issuer.seed({ accountId: "new" })];
    const custody = await world.open(world.account("a"));
    await custody.signIn("a", loginOf(world, old));
    await custody.load([world.account("a", { seed: seeded.refresh })]);
    expect(custody.standing("a")).toMatchObject({ state: "ready", generation: 2, source: "config" });
    const access = await world.result(custody.access({ name: "a" }));
    expect(access).toMatchObject({ accountId: "new" });
    expect(world.issuer.presentations(old.refresh)).toBe(0);
  });

  test("of a process with an older configuration is not taken for a new one", async () => {
    await using world = await createWorld();
    const [first, second] = [world.issuer.seed(), world.issuer.seed()];
    const older = await world.open(world.account("a", { seed: first.refresh }));
    await world.result(older.access({ name: "a" }));
    const newer = await world.open(world.account("a", { seed: second.refresh }));
    const access = await world.result(newer.access({ name: "a" }));
    await world.until(() => secretOf(older.access({ name: "a" })) === secretOf(access));
    expect(older.standing("a")).toEqual(newer.standing("a"));
    expect(world.issuer.ledger.posts).toHaveLength(2);
  });

  test("is old news to a login that is taken in before anything is renewed", async () => {
    await using world = await createWorld();
    const [seeded, newer] = [world.issuer.seed(), world.issuer.seed()];
    const account = world.account("a", { seed: seeded.refresh });
    const custody = await world.open();
    await custody.load([account], () => custody.signIn("a", loginOf(world, newer)));
    expect(secretOf(custody.access({ name: "a" }))).toBe(newer.access);
    await world.clock.pass(HOUR);
    await world.until(() => world.issuer.ledger.posts.length > 0);
    expect(world.issuer.presentations(seeded.refresh)).toBe(0);
    expect(world.issuer.presentations(newer.refresh)).toBe(1);
  });

  test("is old news once somebody has signed in", async () => {
    await using world = await createWorld();
    const [seeded, other] = [world.issuer.seed(), world.issuer.seed()];
    const account = world.account("a", { seed: seeded.refresh });
    world.issuer.always({ answer: { status: 503, json: {} } });
    const custody = await world.open(account);
    await world.until(() => world.events("login-not-renewed").length > 0);
    await custody.signIn("a", loginOf(world, other));
    const next = await world.open(account);
    expect(secretOf(next.access({ name: "a" }))).toBe(other.access);
    expect(next.standing("a")).toMatchObject({ source: "browser", generation: 2 });
  });
});

describe("an account", () => {
  test("that nobody has signed in says so", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const never = { state: "needs_login", reason: "has never signed in" };
    expect(custody.standing("a")).toEqual(never as never);
    expect(custody.standing("nobody")).toEqual(never as never);
    expect(await custody.access({ name: "a" })).toBe("lost");
    expect(await custody.access({ name: "nobody" })).toBe("lost");
    expect(await custody.refused({ name: "a" }, { kind: "bearer", secret: "x" })).toBe("lost");
  });

  test("that signs in serves at once, here and in other processes within seconds", async () => {
    await using world = await createWorld();
    const [here, there] = [await world.open(world.account("a")), await world.open(world.account("a"))];
    const seeded = world.issuer.seed();
    world.changes.length = 0;
    await here.signIn("a", loginOf(world, seeded));
    expect(secretOf(here.access({ name: "a" }))).toBe(seeded.access);
    expect(world.changes).toEqual(["a"]);
    await world.clock.pass(3_000);
    expect(secretOf(there.access({ name: "a" }))).toBe(seeded.access);
    expect(world.changes).toEqual(["a", "a"]);
    expect([...world.secrets].toSorted()).toEqual([seeded.access, seeded.refresh].toSorted());
    expect(world.issuer.ledger.posts).toEqual([]);
  });

  test("counts its sign-ins, and keeps the number over renewals", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    await custody.signIn("a", loginOf(world, world.issuer.seed()));
    await custody.signIn("a", loginOf(world, world.issuer.seed(), 0));
    await world.result(custody.access({ name: "a" }));
    expect(world.issuer.ledger.posts).toHaveLength(1);
    expect(custody.standing("a")).toMatchObject({ generation: 2, source: "browser" });
  });

  test("presents the workspace of the configuration, whatever its tokens claim", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a", { accountId: "chosen" }));
    await custody.signIn("a", loginOf(world, world.issuer.seed()));
    expect(custody.access({ name: "a" })).toMatchObject({ accountId: "chosen" });
    expect(custody.standing("a")).toMatchObject({ identity: { accountId: "chosen" } });
  });

  test("cannot sign in when nothing can be saved, and is as it was", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    world.store.commit = () => Promise.reject(new Error("the disk is full"));
    await expect(custody.signIn("a", loginOf(world, world.issuer.seed()))).rejects.toThrow(
      "the disk is full",
    );
    expect(custody.standing("a").state).toBe("needs_login");
  });

  test("whose configuration names another issuer or client goes on where its login was made, and that is said once", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    await custody.signIn("a", loginOf(world, world.issuer.seed(), 0));
    await custody.load([world.account("a", { issuer: `${world.issuer.url}/` })]);
    expect(world.events("login-of-other-issuer")).toEqual([]);
    for (const change of [{ clientId: "other" }, { clientId: "other" }, { issuer: "https://other.example" }])
      await custody.load([world.account("a", change)]);
    expect(world.events("login-of-other-issuer")).toHaveLength(2);
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access({ name: "a" }))))).toBe(true);
  });

  test("whose login was sealed with another key says so, and nothing is written over it", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    await custody.signIn("a", loginOf(world, world.issuer.seed()));
    const { load } = world.store;
    world.store.load = async (name) => {
      const login = await load(name);
      return login && { ...login, sealed: login.sealed.replace(/^v1\.\w{16}/, `v1.${"0".repeat(16)}`) };
    };
    const seeded = world.issuer.seed();
    const account = world.account("a", { seed: seeded.refresh });
    const blind = await world.open(account);
    const standing = blind.standing("a");
    expect(standing).toMatchObject({ state: "needs_login" });
    expect(JSON.stringify(standing)).toContain("another master key (0000000000000000)");
    expect(await blind.access({ name: "a" })).toBe("lost");
    expect(world.events("login-unreadable")).toHaveLength(1);
    expect((await world.store.versions()).get("a")).toBe(1);
    // The key is back.
    world.store.load = load;
    await blind.load([world.account("a")]);
    expect(blind.standing("a").state).toBe("ready");
    expect(world.issuer.presentations(seeded.refresh)).toBe(0);
  });

  test("cannot sign in with a new key while other logins are sealed with one that is lost", async () => {
    await using world = await createWorld();
    const asked: boolean[] = [];
    const { seal } = world.vault;
    world.vault.seal = (place, text, isFirst) => (asked.push(isFirst), seal(place, text, isFirst));
    const custody = await world.open(world.account("a"), world.account("b"));
    for (const name of ["a", "a", "b"]) await custody.signIn(name, loginOf(world, world.issuer.seed()));
    expect(asked).toEqual([true, false, false]);
  });

  test("that is taken out of the configuration is not renewed any more, and taken up again as it was", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const seeded = world.issuer.seed();
    await custody.signIn("a", loginOf(world, seeded));
    await custody.load([]);
    expect(await custody.access({ name: "a" })).toBe("lost");
    await world.clock.pass(2 * HOUR);
    expect(world.issuer.ledger.posts).toEqual([]);
    await custody.load([world.account("a")]);
    expect(world.issuer.isAccess(secretOf(await world.result(custody.access({ name: "a" }))))).toBe(true);
  });
});

describe("a login that another program renews", () => {
  const path = "/home/somebody/auth.json";
  const identity = { accountId: "w", userId: undefined, email: undefined, plan: undefined };

  test("is read from its file when it ends, and never presented to the issuer", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const seeded = world.issuer.seed();
    const login = loginOf(world, seeded);
    await custody.signIn("a", { ...login, source: "follow", follow: path });
    expect(secretOf(custody.access({ name: "a" }))).toBe(seeded.access);
    const fresh = { access: "newer", refresh: "theirs", expiresAt: world.clock.wall() + 2 * HOUR };
    world.files.set(path, { tokens: fresh, identity });
    await world.clock.pass(HOUR);
    expect(custody.access({ name: "a" })).toEqual({ kind: "bearer", secret: "newer", accountId: "w" });
    expect(world.issuer.ledger.posts).toEqual([]);
    expect(world.secrets.has("theirs")).toBe(false);
  });

  test("needs its owner when the file has nothing newer, and serves again by itself when it has", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const seeded = world.issuer.seed();
    const login = loginOf(world, seeded);
    world.files.set(path, { tokens: login.tokens, identity });
    await custody.signIn("a", { ...login, source: "follow", follow: path });
    await world.clock.pass(HOUR + 5_000);
    expect(await custody.access({ name: "a" })).toBe("lost");
    expect(JSON.stringify(custody.standing("a"))).toContain(`the program that ${path} belongs to`);
    world.changes.length = 0;
    const tokens = { access: "newer", refresh: undefined, expiresAt: world.clock.wall() + HOUR };
    world.files.set(path, { tokens, identity });
    await world.clock.pass(5_000);
    expect(world.changes).toEqual(["a"]);
    expect(secretOf(custody.access({ name: "a" }))).toBe("newer");
    // A 401 is its owner's business too.
    expect(await custody.refused({ name: "a" }, { kind: "bearer", secret: "newer" })).toBe("lost");
    expect(custody.standing("a").state).toBe("needs_login");
    world.files.set(path, new Error("secret content"));
    expect(await custody.access({ name: "a" })).toBe("lost");
    expect(JSON.stringify(world.lines)).not.toContain("secret content");
    expect(world.issuer.ledger.posts).toEqual([]);
  });

  test("whose token does not say when it ends serves until it is refused", async () => {
    await using world = await createWorld();
    const custody = await world.open(world.account("a"));
    const tokens = { access: "opaque", refresh: undefined, expiresAt: 0 };
    world.files.set(path, { tokens, identity });
    const login = { tokens, identity, issuer: world.issuer.url, clientId: CLIENT };
    await custody.signIn("a", { ...login, source: "follow", follow: path });
    expect(secretOf(await world.result(custody.access({ name: "a" })))).toBe("opaque");
    await world.clock.pass(3 * HOUR);
    expect(secretOf(custody.access({ name: "a" }))).toBe("opaque");
    expect(await custody.refused({ name: "a" }, { kind: "bearer", secret: "opaque" })).toBe("lost");
  });
});
