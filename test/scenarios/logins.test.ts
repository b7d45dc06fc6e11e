// Accounts that sign in, through the whole gateway: a scripted issuer whose refresh tokens work once, and a backend that
// takes only tokens that are good now.
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Chatgpt, startChatgpt } from "../support/chatgpt.ts";
import { get, post, type Reply, send } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { type Gateway, spawnGateway, startGateway } from "../support/gateway.ts";
import { type Issuer, type SeededLogin, SCRIPTS, startIssuer } from "../support/issuer.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { PATHS } from "../support/samples.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { inParallel, until } from "./many.ts";

setDefaultTimeout(20_000);

test("fifty requests on a token that has run out cost one request for tokens, and all are answered", async () => {
  await using world = await startWorld({ settled: false });
  const replies = await inParallel(times(50), 50, () => world.ask());
  for (const reply of replies) expectAnswer(reply);
  expect(world.refreshes("one")).toBe(1);
  expect(world.issuer.ledger.reuses).toBe(0);
});

test("a token that the backend refuses before its end is renewed once for all, and nobody sees the 401", async () => {
  await using world = await startWorld();
  expectAnswer(await world.ask());
  await world.age();
  world.revokeAccess("one");
  const replies = await inParallel(times(50), 50, () => world.ask());
  for (const reply of replies) expectAnswer(reply);
  expect(world.refreshes("one")).toBe(2);
  expect(world.state("one")).toBe("ready");
});

test("a client that leaves while a login is renewed costs nothing: the next one gets its answer", async () => {
  await using world = await startWorld();
  expectAnswer(await world.ask());
  await world.age();
  world.revokeAccess("one");
  world.issuer.script(SCRIPTS.held);
  const left = send(world.gateway.url, {
    path: PATHS.responses,
    key: CLIENT_KEY,
    body: ask("responses", { model: MODEL, stream: true }),
  });
  await until(() => world.issuer.waiting === 1);
  left.leave("rst");
  world.issuer.release();
  expectAnswer(await world.ask());
  expect(world.refreshes("one")).toBe(2);
  expect(world.issuer.ledger.reuses).toBe(0);
});

test("a slow issuer delays no other account", async () => {
  await using world = await startWorld({ names: ["first", "one"], slowly: "first" });
  expectAnswer(await world.ask());
  await world.age();
  world.revokeAccess("first");
  world.slow.always(SCRIPTS.held);
  const waiting = world.ask();
  await until(() => world.slow.waiting === 1);
  // Whoever has begun there does not wait for long while another account is free; the next go there at once.
  await world.pass(2_000);
  expectAnswer(await waiting);
  for (const reply of await inParallel(times(20), 5, () => world.ask())) expectAnswer(reply);
  expect(world.backend.responses("workspace-one").length).toBe(21);
  world.slow.release();
});

test("a login that the issuer has ended needs a sign-in, says why, and another account takes its requests", async () => {
  await using world = await startWorld({ names: ["one", "two"] });
  expectAnswer(await world.ask());
  await world.age();
  world.revokeFamily("one");
  const replies = await inParallel(times(10), 2, () => world.ask());
  for (const reply of replies) expectAnswer(reply);
  expect(world.state("one")).toBe("needs_login");
  expect(world.reason("one")).toContain("the refresh token was invalidated");
  const health = JSON.stringify((await get(world.gateway.url, "/health", { key: CLIENT_KEY })).json());
  expect(health).toContain('"state":"needs_login"');
  expect(health).toContain('"status":"degraded"');
  expect(world.gateway.lines.filter(({ event }) => event === "login-lost")).toHaveLength(1);
});

test("with nobody signed in requests get 503 without a time to come back, and never the upstream's 401", async () => {
  await using world = await startWorld();
  expectAnswer(await world.ask());
  world.revokeFamily("one");
  const reply = await world.ask();
  expect([502, 503]).toContain(reply.status);
  const next = await world.ask();
  expect(next.status).toBe(503);
  expect(next.header("retry-after")).toBeUndefined();
});

test("a newer token in the configuration replaces a login that is lost", async () => {
  await using world = await startWorld();
  expectAnswer(await world.ask());
  world.revokeFamily("one");
  await world.ask();
  expect(world.state("one")).toBe("needs_login");
  await world.reseed("one");
  await until(() => world.state("one") === "ready");
  expectAnswer(await world.ask());
});

test("an account that never signed in has an address for it, and the rest of the pool serves", async () => {
  await using world = await startWorld({ unsigned: ["new"] });
  expect(world.state("new")).toBe("needs_login");
  expect(world.gateway.loginUrl("new")).toMatch(/^http:\/\/localhost:\d+\/auth\/login\?account=new$/);
  expectAnswer(await world.ask());
});

test("whoever signs in at that address is served at once", async () => {
  await using world = await startWorld({ names: [], unsigned: ["new"] });
  expect((await world.ask()).status).toBe(503);
  const url = world.gateway.loginUrl("new") ?? "";
  const back = await fetch(url, { redirect: "follow" });
  expect(await back.text()).toContain("new");
  await until(() => world.state("new") === "ready");
  expectAnswer(await world.ask());
});

test("a gateway that is told to stop waits for a browser whose code it exchanges", async () => {
  await using issuer = await startIssuer();
  const account = { name: "new", platform: "openai", type: "oauth", oauth_issuer: issuer.url };
  await using gateway = await startGateway(gatewayConfig([account]), { secrets: () => issuer.secrets() });
  issuer.script(SCRIPTS.held);
  const back = fetch(gateway.loginUrl("new") ?? "", { redirect: "follow" });
  await until(() => issuer.waiting === 1);
  const drained = gateway.drain();
  // Long enough to end what does not wait.
  await Promise.race([drained, Bun.sleep(200)]);
  issuer.release();
  const page = await back;
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("is signed in")]);
  await drained;
  expect(gateway.lines.map(({ event }) => event)).toContain("login-kept");
});

test("the start and a reload say honestly how logins stand, and where to sign in", async () => {
  await using issuer = await startIssuer();
  issuer.always(SCRIPTS.held);
  const member = { platform: "openai", type: "oauth", oauth_issuer: issuer.url };
  const seeded = { ...member, name: "seeded", refresh_token: issuer.seed().refresh };
  const config = gatewayConfig([seeded]);
  await using gateway = await spawnGateway(config, { args: ["--recover"] });
  await until(() => gateway.output().includes("listens on"));
  expect(gateway.output()).toMatch(/ {2}seeded .* untried\n/);
  // The database may be a new one, and the token one that was used up while there was another.
  expect(gateway.output()).toContain('"event":"login-from-config"');
  expect(gateway.output()).not.toContain("To sign in");
  const { listen_addr } = JSON.parse(await readFile(gateway.file.path, "utf8"));
  await gateway.file.write({ ...gatewayConfig([seeded, { ...member, name: "late" }]), listen_addr });
  gateway.signal("SIGHUP");
  await until(() => gateway.output().includes("/auth/login?account=late"));
  expect(gateway.output()).not.toContain("/auth/login?account=seeded");
  issuer.release();
});

test("a fixed token is used as it is, never renewed, and names its own workspace", async () => {
  await using issuer = await startIssuer();
  await using backend = await startChatgpt(issuer);
  const login = issuer.seed({ accountId: "workspace-fixed" });
  const fixed = {
    name: "fixed",
    platform: "openai",
    type: "oauth",
    oauth_token: login.access,
    base_url: backend.base,
    oauth_issuer: issuer.url,
  };
  await using gateway = await startGateway(gatewayConfig([fixed]), { secrets: () => issuer.secrets() });
  const body = ask("responses", { model: MODEL, stream: true });
  expectAnswer(await post(gateway.url, PATHS.responses, body, { key: CLIENT_KEY }));
  expect(backend.responses("workspace-fixed")).toHaveLength(1);
  issuer.revokeAccess(login.access);
  expect((await post(gateway.url, PATHS.responses, body, { key: CLIENT_KEY })).status).toBe(502);
  expect(issuer.ledger.posts).toEqual([]);
});

test("no token stands in the output, the log or any file of the data folder, while it runs and after", async () => {
  await using issuer = await startIssuer();
  await using backend = await startChatgpt(issuer);
  const login = issuer.seed();
  const plan = {
    name: "plan",
    platform: "openai",
    type: "oauth",
    refresh_token: login.refresh,
    base_url: backend.base,
    oauth_issuer: issuer.url,
  };
  await using gateway = await spawnGateway(
    gatewayConfig([plan], {
      enable_model_debug_log: true,
      enable_stream_debug_log: true,
      log_error_bodies: true,
      first_event_timeout: "10s",
    }),
  );
  const body = ask("responses", { model: MODEL, stream: true });
  expectAnswer(await post(gateway.url, PATHS.responses, body, { key: CLIENT_KEY }));
  // With the database open its newest rows lie in the journal beside it.
  const whileOpen = await contents(join(gateway.file.folder, "data"));
  gateway.signal("SIGTERM");
  await gateway.exited;
  const after = await contents(join(gateway.file.folder, "data"));
  const everything = [gateway.output(), ...whileOpen, ...after];
  expect(whileOpen.length).toBeGreaterThan(2);
  expect(issuer.secrets().length).toBeGreaterThan(3);
  const found = issuer.secrets().filter((secret) => everything.some((text) => text.includes(secret)));
  expect(found.length).toBe(0);
});

/** Every file of a folder, byte for byte as text. */
async function contents(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return Promise.all(names.map((name) => readFile(join(folder, name), "latin1")));
}

const MODEL = "gpt-5.2";

interface Options {
  /** Accounts with a refresh token in the configuration. */
  readonly names?: readonly string[];
  readonly unsigned?: readonly string[];
  /** False: the logins are being renewed for the first time when it returns. */
  readonly settled?: boolean;
  /** The account whose issuer is another one. */
  readonly slowly?: string;
}

interface World extends AsyncDisposable {
  readonly issuer: Issuer;
  /** Of the account `slowly`. */
  readonly slow: Issuer;
  readonly backend: Chatgpt;
  readonly gateway: Gateway;
  ask(): Promise<Reply>;
  refreshes(name: string): number;
  /** Its token is no new one any more: a refusal is answered by a renewal. */
  age(): Promise<void>;
  pass(ms: number): Promise<void>;
  revokeAccess(name: string): void;
  revokeFamily(name: string): void;
  /** Puts the refresh token of a new sign-in into the configuration. */
  reseed(name: string): Promise<void>;
  state(name: string): string | undefined;
  reason(name: string): string;
}

async function startWorld({
  names = ["one"],
  unsigned = [],
  slowly,
  settled = true,
}: Options = {}): Promise<World> {
  const clock = new VirtualClock();
  const now = (): number => clock.wall();
  const issuer = await startIssuer({ now });
  const slow = await startIssuer({ now });
  const issuerOf = (name: string): Issuer => (name === slowly ? slow : issuer);
  const all = [issuer, slow];
  const backend = await startChatgpt({
    isAccess: (token) => all.some((each) => each.isAccess(token)),
    accountOf: (token) => all.map((each) => each.accountOf(token)).find((found) => found !== undefined),
  });
  const logins = new Map<string, SeededLogin>();
  const seed = (name: string): SeededLogin => {
    const login = issuerOf(name).seed({ accountId: `workspace-${name}` });
    logins.set(name, login);
    return login;
  };
  const member = (name: string, more: JsonObject): JsonObject => ({
    name,
    platform: "openai",
    type: "oauth",
    base_url: backend.base,
    oauth_issuer: issuerOf(name).url,
    concurrency: 60,
    priority: 1 + names.indexOf(name),
    ...more,
  });
  const config = (): JsonObject =>
    gatewayConfig(
      [
        ...names.map((name) => member(name, { refresh_token: (logins.get(name) ?? seed(name)).refresh })),
        ...unsigned.map((name) => member(name, {})),
      ],
      { queue_timeout: "10s", response_timeout: "10s", first_event_timeout: "10s" },
    );
  const gateway = await startGateway(config(), {
    clock,
    secrets: () => all.flatMap((each) => each.secrets()),
  });
  const renewed = (): number => gateway.lines.filter(({ event }) => event === "login-renewed").length;
  const expected = settled ? names.length : 0;
  while (renewed() < expected) {
    await clock.pass(10);
    await Bun.sleep(1);
  }
  const familyOf = (name: string): string => logins.get(name)?.family ?? "";
  const statusOf = (name: string) => gateway.snapshot().find(({ account }) => account.name === name);
  return {
    issuer,
    slow,
    backend,
    gateway,
    ask: () =>
      post(gateway.url, PATHS.responses, ask("responses", { model: MODEL, stream: true }), {
        key: CLIENT_KEY,
      }),
    refreshes: (name) =>
      issuerOf(name).ledger.posts.filter(
        (each) => each.family === familyOf(name) && each.grant === "refresh_token",
      ).length,
    age: () => clock.pass(120_000),
    pass: (ms) => clock.pass(ms),
    revokeAccess(name) {
      const used = backend.responses(`workspace-${name}`).at(-1)?.access;
      if (used !== undefined) issuerOf(name).revokeAccess(used);
    },
    revokeFamily: (name) => issuerOf(name).revokeFamily(familyOf(name)),
    async reseed(name) {
      seed(name);
      await gateway.reload(config());
    },
    state: (name) => statusOf(name)?.state,
    reason: (name) => statusOf(name)?.reason ?? "",
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await backend.close();
      await issuer.close();
      await slow.close();
    },
  };
}

function expectAnswer(reply: Reply): void {
  expect(reply.status).toBe(200);
  expect(judge("responses", reply)).toMatchObject({ complete: true, error: undefined });
}

function times(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
