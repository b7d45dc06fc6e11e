// The `login` command over the real flows, an issuer and the callback listener.
import { expect, test } from "bun:test";
import { createLoginCommand } from "../../src/cli/login.ts";
import { testIo, type TestIo } from "../../src/cli/test-io.ts";
import { createSignInDesk } from "../../src/oauth/desk.ts";
import type { Identity, SignedIn } from "../../src/oauth/login.ts";
import type { IssuerSite } from "../../src/oauth/token-endpoint.ts";
import { PERSON, startIssuer } from "../support/issuer.ts";
import { CLIENT_ID, FIRST, SECOND, startRig, type LoginRig } from "./login-rig.ts";

interface Command extends TestIo {
  readonly kept: SignedIn[];
  run(...args: string[]): Promise<number>;
  /** The address it has printed. */
  address(): Promise<string>;
}

async function command(
  rig: LoginRig,
  more: {
    site?: IssuerSite;
    identity?: Identity;
    browse?: (url: string) => Promise<boolean>;
    answers?: readonly string[];
  } = {},
): Promise<Command> {
  const io = await testIo({}, more.answers);
  const kept: SignedIn[] = [];
  const signIn = async (_account: string, login: SignedIn): Promise<void> => void kept.push(login);
  const { clock, flows, issuer } = rig;
  const accounts = (): {
    name: string;
    site?: IssuerSite;
    identity?: Identity | undefined;
  }[] => [{ name: "account", site: more.site ?? issuer.site, identity: more.identity }, { name: "key" }];
  const desk = createSignInDesk({ clock, flows, accounts, signIn, log: () => {} });
  const close = async (): Promise<void> => flows.close();
  const run = createLoginCommand({
    open: async () => ({ ...desk, close }),
    browse: more.browse ?? (async () => false),
  });
  return {
    ...io,
    kept,
    run: (...args) => run(args, io),
    async address() {
      for (;;) {
        const [found] = /http\S*oauth\/authorize\S*/.exec(io.out()) ?? [];
        if (found !== undefined) return found;
        await Bun.sleep(1);
      }
    },
  };
}

test("the command opens the browser, which comes back to its own listener", async () => {
  await using rig = startRig();
  const pages: number[] = [];
  const browse = async (url: string): Promise<boolean> => {
    pages.push((await rig.call(rig.issuer.consent(url))).status);
    return true;
  };
  const one = await command(rig, { browse });
  expect(await one.run("account")).toBe(0);
  expect(pages).toEqual([200]);
  expect(one.out()).toContain("one@example.test");
  expect(rig.kept).toHaveLength(1);
});

test("a busy port and sixteen open sign-ins are told", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  try {
    await using rig = startRig({ callbackPort: holder.port ?? 0 });
    const busy = await command(rig);
    expect(await busy.run("account")).toBe(1);
    expect(busy.err()).toContain(`port ${holder.port} is in use`);
  } finally {
    await holder.stop(true);
  }
  await using rig = startRig();
  for (let i = 0; i < 16; i += 1) await rig.flows.begin({ name: "x", site: rig.issuer.site }, "paste");
  const full = await command(rig);
  expect(await full.run("account")).toBe(1);
  expect(full.err()).toContain("16 sign-ins are open already");
});

test("nobody signs in: the command ends after ten minutes", async () => {
  await using rig = startRig();
  const one = await command(rig);
  const ended = one.run("account");
  await one.address();
  await rig.clock.pass(600_000);
  expect(await ended).toBe(1);
  expect(one.err()).toContain("nobody signed in within 10 minutes");
});

test("an identity that was not confirmed in the browser leaves the login as it was", async () => {
  await using rig = startRig();
  rig.issuer.who = SECOND;
  const browse = async (url: string): Promise<boolean> => {
    const page = await rig.call(rig.issuer.consent(url));
    const key = /name="key" value="([^"]*)"/.exec(page.text)?.[1] ?? "";
    const { origin } = rig.issuer.consent(url);
    await rig.call(`${origin}/auth/confirm`, {
      method: "POST",
      body: new URLSearchParams({ key, answer: "no" }),
    });
    return true;
  };
  const one = await command(rig, { browse, identity: FIRST });
  expect(await one.run("account", "--json")).toBe(1);
  expect(JSON.parse(one.out())).toMatchObject({ account: "account", signed_in: false });
  expect(rig.kept).toHaveLength(0);
});

test("a code that is typed elsewhere signs in", async () => {
  await using rig = startRig();
  await using issuer = await startIssuer();
  const one = await command(rig, { site: { issuer: issuer.url, clientId: CLIENT_ID, proxy: undefined } });
  const ended: number[] = [];
  void one.run("account", "--device").then((exit) => ended.push(exit));
  let typed: string | undefined;
  while (ended.length === 0) {
    await Bun.sleep(1);
    // Calls have 30 s; what is nearer is a wait between two of them.
    const ms = (rig.clock.next ?? Infinity) - rig.clock.now();
    if (ms >= 30_000) continue;
    rig.clock.advance(ms);
    if (typed !== undefined) continue;
    typed = /codex\/device\s+(\S+)/.exec(one.out())?.[1] ?? "";
    issuer.approveDevice(typed);
  }
  expect(ended).toEqual([0]);
  expect(one.kept.map(({ identity, source }) => [identity.accountId, source])).toEqual([
    [PERSON.accountId, "device"],
  ]);
  expect(
    issuer.secrets().filter((secret) => secret !== typed && (one.out() + one.err()).includes(secret)),
  ).toEqual([]);
});
