// Signing in with a browser on the gateway's machine: who may begin, the way back, and everything that may go wrong.
import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { PortBusyError } from "../../src/oauth/callback.ts";
import {
  ADMIN_TOKEN,
  CLIENT_ID,
  ELSEWHERE,
  FIRST,
  keyIn,
  SECOND,
  startRig,
  type LoginRig,
} from "./login-rig.ts";

/** Begins locally; where the browser is sent. */
async function begin(rig: LoginRig, account = "account"): Promise<string> {
  const answer = await rig.ask(`/auth/login?account=${encodeURIComponent(account)}`);
  expect(answer.status).toBe(302);
  return answer.headers.get("location") ?? "";
}

const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
const hasIpv6 = addresses.some(({ address }) => address === "::1");

const isOpen = (url: string | URL): Promise<boolean> =>
  fetch(new URL("/", url)).then(
    () => true,
    () => false,
  );

test("a browser on this machine is sent to the issuer with state, nonce, PKCE and our own name", async () => {
  await using rig = startRig();
  const url = new URL(await begin(rig));
  expect(`${url.origin}${url.pathname}`).toBe(`${rig.issuer.site.issuer}/oauth/authorize`);
  const { state, nonce, code_challenge, redirect_uri, ...rest } = Object.fromEntries(url.searchParams);
  expect(rest).toEqual({
    response_type: "code",
    client_id: CLIENT_ID,
    scope: "openid profile email offline_access",
    code_challenge_method: "S256",
    id_token_add_organizations: "true",
    codex_cli_simplified_flow: "true",
    originator: "sub2api_simple",
  });
  for (const each of [state, nonce, code_challenge])
    expect(Buffer.from(each ?? "", "base64url").byteLength).toBe(32);
  expect(redirect_uri).toMatch(/^http:\/\/localhost:\d+\/auth\/callback$/);
});

test("the way back exchanges the code once and keeps the login; then the listener is gone", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  const page = await rig.call(back);
  expect(page.status).toBe(200);
  expect(page.text).toContain("Signed in");
  expect(page.text).toContain("one@example.test");
  expect(rig.kept).toHaveLength(1);
  const [account, login] = rig.kept[0] ?? [];
  expect(account).toBe("account");
  expect(login).toMatchObject({ identity: FIRST, source: "browser", clientId: CLIENT_ID });
  expect(rig.issuer.exchanges).toHaveLength(1);
  expect(rig.issuer.exchanges[0]?.get("code_verifier")).toMatch(/^[\w.~-]{43,128}$/);
  expect(rig.issuer.exchanges[0]?.get("redirect_uri")).toBe(`${back.origin}${back.pathname}`);
  expect(await isOpen(back)).toBe(false);
  expect(rig.clock.pending).toBe(0);
});

test("the callback listener is on 127.0.0.1 and ::1 and on no other address", async () => {
  await using rig = startRig();
  const { port } = rig.issuer.consent(await begin(rig));
  const addresses = Object.values((await import("node:os")).networkInterfaces()).flatMap(
    (each) => each ?? [],
  );
  expect(addresses.length).toBeGreaterThan(0);
  for (const { address, family, internal } of addresses) {
    if (address.startsWith("fe80")) continue;
    const host = family === "IPv6" ? `[${address}]` : address;
    expect([host, await isOpen(`http://${host}:${port}/`)]).toEqual([host, internal]);
  }
});

test("the listener stays while a sign-in is open and goes when the last one runs out, with no timer left", async () => {
  await using rig = startRig();
  const first = rig.issuer.consent(await begin(rig));
  await rig.clock.pass(300_000);
  const second = rig.issuer.consent(await begin(rig));
  expect(second.port).toBe(first.port);
  expect(rig.clock.pending).toBe(2);
  await rig.clock.pass(300_000);
  expect(rig.clock.pending).toBe(1);
  expect(await isOpen(first)).toBe(true);
  expect((await rig.call(first)).status).toBe(400);
  await rig.clock.pass(300_000);
  expect(rig.clock.pending).toBe(0);
  expect(await isOpen(second)).toBe(false);
  expect(rig.issuer.exchanges).toHaveLength(0);
  expect(rig.kept).toHaveLength(0);
});

test("an answer with a wrong state, or none, is not looked at and the sign-in goes on", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  for (const query of ["code=x&state=wrong", "code=x", "error=access_denied", "", "state=&code="]) {
    const page = await rig.call(`${back.origin}/auth/callback?${query}`);
    expect([query, page.status]).toEqual([query, 400]);
    expect(page.text).toContain("no sign-in that is open here");
  }
  expect(rig.issuer.exchanges).toHaveLength(0);
  expect((await rig.call(back)).status).toBe(200);
  expect(rig.kept).toHaveLength(1);
});

test("a state is good for one answer: a replay is refused, at once and later", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  // Keeps the listener open.
  await begin(rig);
  const both = await Promise.all([rig.call(back), rig.call(back)]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  const later = await rig.call(back);
  expect(later.status).toBe(409);
  expect(later.text).toContain("used already");
  expect(rig.issuer.exchanges).toHaveLength(1);
  expect(rig.kept).toHaveLength(1);
});

test("an answer that repeats its code or has none is not readable, and the sign-in goes on", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  const state = back.searchParams.get("state") ?? "";
  for (const query of [`code=a&code=b&state=${state}`, `state=${state}`, `code=&state=${state}`])
    expect((await rig.call(`${back.origin}/auth/callback?${query}`)).status).toBe(400);
  const other = await rig.call(`${back}&iss=${encodeURIComponent("https://other.example")}`);
  expect(other.status).toBe(400);
  expect(rig.issuer.exchanges).toHaveLength(0);
  expect((await rig.call(`${back}&iss=${encodeURIComponent(`${rig.issuer.site.issuer}/`)}`)).status).toBe(
    200,
  );
});

test("denied consent ends the sign-in with the issuer's words", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  back.searchParams.delete("code");
  back.searchParams.set("error", "access_denied");
  back.searchParams.set("error_description", "The user said no");
  const page = await rig.call(back);
  expect(page.status).toBe(400);
  expect(page.text).toContain("access_denied: The user said no");
  expect(await isOpen(back)).toBe(false);
  expect(JSON.stringify(rig.lines)).not.toContain("The user said no");
});

test("a code that the issuer refuses is told with its reason, and nothing is kept", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  rig.issuer.refusal = Response.json({ error: "invalid_grant" }, { status: 400 });
  const page = await rig.call(back);
  expect(page.status).toBe(502);
  expect(page.text).toContain("has failed");
  expect(rig.kept).toHaveLength(0);
  expect(rig.lines.some(({ event }) => event === "login-failed")).toBe(true);
});

test("a login that cannot be saved is told as that", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  rig.broken = true;
  const page = await rig.call(back);
  expect(page.status).toBe(502);
  expect(page.text).toContain("could not be saved");
  expect(page.text).not.toContain("disk");
});

test.each([
  ["another issuer", { iss: "https://other.example" }],
  ["another issuer", { iss: undefined }],
  ["another client", { aud: ["somebody-else"] }],
  ["another client", { aud: "somebody-else" }],
  ["another client", { aud: undefined }],
  ["has expired", { exp: 1_700_000_000 }],
  ["has expired", { exp: undefined }],
  ["another sign-in", { nonce: "of-another-sign-in" }],
])("an id token for %s is refused (%j)", async (words, claims) => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  rig.issuer.claims = claims;
  const page = await rig.call(back);
  expect(page.status).toBe(502);
  expect(page.text).toContain(words);
  expect(rig.kept).toHaveLength(0);
});

test("an id token that is none is refused, one without nonce is taken", async () => {
  await using rig = startRig();
  rig.issuer.idToken = "garbage";
  expect((await rig.call(rig.issuer.consent(await begin(rig)))).text).toContain("cannot be read");
  rig.issuer.idToken = undefined;
  rig.issuer.claims = { nonce: undefined, aud: CLIENT_ID, iss: `${rig.issuer.site.issuer}/` };
  expect((await rig.call(rig.issuer.consent(await begin(rig)))).status).toBe(200);
});

test("signing in as another identity is asked about first: no keeps the old one, yes takes the new one", async () => {
  for (const answer of ["no", "yes"]) {
    await using rig = startRig({ identity: FIRST });
    rig.issuer.who = SECOND;
    const back = rig.issuer.consent(await begin(rig));
    const page = await rig.call(back);
    expect(page.status).toBe(200);
    for (const each of ["one@example.test", "two@example.test", "workspace-2"])
      expect(page.text).toContain(each);
    expect(rig.kept).toHaveLength(0);
    const post = (key: string, headers = {}): Promise<{ status: number }> =>
      rig.call(`${back.origin}/auth/confirm`, {
        method: "POST",
        body: new URLSearchParams({ key, answer }),
        headers,
      });
    expect((await post("wrong")).status).toBe(400);
    expect((await post(keyIn(page.text), { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await post(keyIn(page.text), { origin: "http://evil.test" })).status).toBe(403);
    expect(rig.kept).toHaveLength(0);
    expect((await post(keyIn(page.text))).status).toBe(200);
    expect(rig.kept.map(([, { identity }]) => identity.email)).toEqual(
      answer === "yes" ? ["two@example.test"] : [],
    );
    expect(await isOpen(back)).toBe(false);
  }
});

test("the same identity, or another member of what is known of it, is told apart by workspace and user", async () => {
  const cases = [
    [FIRST, 1],
    [{ ...FIRST, email: "new@example.test", plan: "pro" }, 1],
    [{ ...FIRST, userId: "user-2" }, 0],
    [{ ...FIRST, accountId: "workspace-2" }, 0],
    [{ ...FIRST, userId: undefined }, 1],
  ] as const;
  for (const [who, kept] of cases) {
    await using rig = startRig({ identity: FIRST });
    rig.issuer.who = who;
    await rig.call(rig.issuer.consent(await begin(rig)));
    expect([who, rig.kept.length]).toEqual([who, kept]);
  }
});

test("a question that nobody answers runs out after ten more minutes", async () => {
  await using rig = startRig({ identity: FIRST });
  rig.issuer.who = SECOND;
  const back = rig.issuer.consent(await begin(rig));
  await rig.clock.pass(590_000);
  const page = await rig.call(back);
  expect(page.text).toContain("Another identity");
  await rig.clock.pass(590_000);
  expect(await isOpen(back)).toBe(true);
  await rig.clock.pass(10_000);
  expect(await isOpen(back)).toBe(false);
  expect(rig.kept).toHaveLength(0);
});

test("at most sixteen sign-ins are open: the next is told so, however many come at once", async () => {
  await using rig = startRig();
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => rig.ask("/auth/login?account=account")),
  );
  expect(answers.filter(({ status }) => status === 302)).toHaveLength(16);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(184);
  expect(rig.clock.pending).toBe(16);
  const refused = await rig.ask("/auth/login?account=account");
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("60");
  await rig.clock.pass(600_000);
  expect((await rig.ask("/auth/login?account=account")).status).toBe(302);
});

test("a busy port is told before any redirect, with the ways that need no port", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  try {
    const port = holder.port ?? 0;
    await using rig = startRig({ callbackPort: port, names: ["two words"] });
    for (const name of ["account", "two words"]) {
      const page = await rig.ask(`/auth/login?account=${encodeURIComponent(name)}`);
      expect(page.status).toBe(409);
      expect(page.headers.get("location")).toBeNull();
      for (const words of [`Port ${port} is busy`, "Codex", "--device", "paste=1"])
        expect(page.text).toContain(words);
    }
    expect(rig.clock.pending).toBe(0);
    expect((await rig.ask("/auth/login?account=account&paste=1")).status).toBe(200);
    await holder.stop(true);
    expect((await rig.ask("/auth/login?account=account")).status).toBe(302);
  } finally {
    await holder.stop(true);
  }
});

test.skipIf(!hasIpv6)(
  "a port that is free on IPv4 but taken on IPv6 is busy as well, and is not held",
  async () => {
    const holder = Bun.serve({ hostname: "::1", port: 0, reusePort: false, fetch: () => new Response() });
    try {
      await using rig = startRig({ callbackPort: holder.port ?? 0 });
      const target = { name: "account", site: rig.issuer.site };
      await expect(rig.flows.begin(target, "browser")).rejects.toThrow(PortBusyError);
      expect(await isOpen(`http://127.0.0.1:${holder.port}`)).toBe(false);
    } finally {
      await holder.stop(true);
    }
  },
);

test("hosts that are not ours are refused on both listeners with 421", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  for (const host of [
    "evil.test",
    "localhost.evil.test",
    "127.0.0.1.evil.test:1",
    "0.0.0.0",
    "[::2]:80",
    "a@localhost",
  ]) {
    const headers = { host, authorization: `Bearer ${ADMIN_TOKEN}` };
    expect([host, (await rig.call(back, { headers })).status]).toEqual([host, 421]);
    expect([host, (await rig.ask("/auth/login?account=account", { headers })).status]).toEqual([host, 421]);
    for (const path of ["/auth/paste", "/auth/confirm"])
      expect((await rig.ask(path, { method: "POST", headers })).status).toBe(421);
  }
  // The callback is at one port only.
  expect((await rig.call(back, { headers: { host: "localhost:1" } })).status).toBe(421);
  for (const host of ["localhost:8080", "LOCALHOST", "[::1]:9", "127.0.0.1"])
    expect((await rig.ask("/auth/login?account=account", { headers: { host } })).status).toBe(302);
  expect(rig.issuer.exchanges).toHaveLength(0);
});

test("a proxy's headers, another site's page and another address take the right of the local browser away", async () => {
  await using rig = startRig();
  const path = "/auth/login?account=account";
  const forwarding = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
  ];
  for (const name of forwarding) {
    const page = await rig.ask(path, { headers: { [name]: "127.0.0.1" } });
    expect([name, page.status, page.headers.get("location")]).toEqual([name, 401, null]);
  }
  for (const site of ["cross-site", "same-site"])
    expect((await rig.ask(path, { headers: { "sec-fetch-site": site } })).status).toBe(401);
  expect((await rig.ask(path, { headers: { "sec-fetch-site": "none" } })).status).toBe(302);
  for (const address of ["203.0.113.7", "10.0.0.1", "::2", "", "::ffff:10.0.0.1"]) {
    rig.peer = { address, forwarded: false };
    expect([address, (await rig.ask(path)).status]).toEqual([address, 401]);
  }
  for (const address of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
    rig.peer = { address, forwarded: false };
    expect([address, (await rig.ask(path)).status]).toEqual([address, 302]);
  }
  // The public name is ours, but a browser that uses it is not known to be here.
  rig.publicUrl = "https://gateway.example";
  expect((await rig.ask(path, { headers: { host: "gateway.example" } })).status).toBe(401);
});

test("unknown accounts are 404, accounts without a login 400, both only for who has a right", async () => {
  await using rig = startRig();
  expect((await rig.ask("/auth/login?account=nobody")).status).toBe(404);
  expect((await rig.ask("/auth/login")).status).toBe(404);
  expect((await rig.ask("/auth/login?account=key")).status).toBe(400);
  rig.peer = ELSEWHERE;
  for (const name of ["nobody", "key", "account"])
    expect((await rig.ask(`/auth/login?account=${name}`)).status).toBe(401);
});

test("previews and prefetches neither open a sign-in nor use up a ticket", async () => {
  await using rig = startRig();
  const ticket = rig.tickets.issue("account");
  const path = `/auth/login?account=account&ticket=${ticket}`;
  expect((await rig.ask(path, { method: "HEAD" })).status).toBe(405);
  expect((await rig.ask(path, { headers: { "sec-purpose": "prefetch" } })).status).toBe(405);
  expect(rig.clock.pending).toBe(0);
  rig.peer = ELSEWHERE;
  expect((await rig.ask(path)).status).toBe(200);
});

test("the callback listener answers nothing but the way back", async () => {
  await using rig = startRig();
  const back = rig.issuer.consent(await begin(rig));
  expect((await rig.call(`${back.origin}/`)).status).toBe(404);
  expect((await rig.call(back, { method: "HEAD" })).status).toBe(405);
  expect((await rig.call(back, { method: "POST" })).status).toBe(405);
  expect((await rig.call(`${back.origin}/auth/confirm`)).status).toBe(405);
  expect((await rig.call(back)).status).toBe(200);
});
