// Signing in with a browser that runs elsewhere: tickets, the admin token, and the address that is pasted back.
import { expect, test } from "bun:test";
import { ADMIN_TOKEN, ELSEWHERE, FIRST, keyIn, SECOND, startRig, type LoginRig } from "./login-rig.ts";

function remoteRig(options: Parameters<typeof startRig>[0] = {}): LoginRig {
  const rig = startRig({ callbackPort: 1455, ...options });
  rig.peer = ELSEWHERE;
  return rig;
}

const ticketed = (rig: LoginRig, account = "account"): string =>
  `account=${encodeURIComponent(account)}&ticket=${rig.tickets.issue(account)}`;

test("a ticket opens the page with the link and the form; the pasted address signs in", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  expect(open.page.status).toBe(200);
  expect(open.page.text).toContain("Never paste an address for");
  expect(new URL(open.authorizeUrl).searchParams.get("redirect_uri")).toBe(
    "http://localhost:1455/auth/callback",
  );
  const done = await open.post(rig.issuer.consent(open.authorizeUrl).href);
  expect(done.status).toBe(200);
  expect(done.text).toContain("Signed in");
  expect(rig.kept.map(([account, { source }]) => [account, source])).toEqual([["account", "paste"]]);
  expect(done.headers.get("set-cookie")).toContain("Max-Age=0");
  expect(rig.clock.pending).toBe(0);
});

test("no port is opened for a browser elsewhere", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  try {
    await using rig = remoteRig({ callbackPort: holder.port ?? 0 });
    const open = await rig.pastePage(ticketed(rig));
    expect((await open.post(rig.issuer.consent(open.authorizeUrl).href)).status).toBe(200);
  } finally {
    await holder.stop(true);
  }
});

test("the address may be pasted with or without its scheme, as its query only, with spaces or quotes about it", async () => {
  const forms = [
    (url: URL) => url.href.replace("http://", ""),
    (url: URL) => url.search,
    (url: URL) => url.search.slice(1),
    (url: URL) => ` \n"${url.href}#" \n`,
  ];
  for (const form of forms) {
    await using rig = remoteRig();
    const open = await rig.pastePage(ticketed(rig));
    const address = form(rig.issuer.consent(open.authorizeUrl));
    expect([address, (await open.post(address)).status]).toEqual([address, 200]);
  }
});

test("a ticket is good once, for its own account, for an hour", async () => {
  await using rig = remoteRig({ names: ["other"] });
  const status = async (account: string, ticket: string): Promise<number> =>
    (await rig.ask(`/auth/login?account=${account}&ticket=${ticket}`)).status;
  const ticket = rig.tickets.issue("account");
  expect(Buffer.from(ticket, "base64url").byteLength).toBe(32);
  expect(await status("other", ticket)).toBe(401);
  expect(await status("account", `${ticket}x`)).toBe(401);
  expect(await status("account", "")).toBe(401);
  expect(await status("account", ticket)).toBe(200);
  expect(await status("account", ticket)).toBe(401);
  const late = rig.tickets.issue("account");
  await rig.clock.pass(3_600_000);
  expect(await status("account", late)).toBe(401);
});

test("tickets are bounded: the oldest make room", async () => {
  await using rig = startRig();
  const first = rig.tickets.issue("account");
  for (let i = 0; i < 2_047; i += 1) rig.tickets.issue("account");
  const last = rig.tickets.issue("account");
  expect(rig.tickets.take(first, "account")).toBe(false);
  expect(rig.tickets.take(last, "account")).toBe(true);
});

test("no ticket is lost while sixteen sign-ins are open", async () => {
  await using rig = remoteRig();
  for (let i = 0; i < 16; i += 1) await rig.pastePage(ticketed(rig));
  const query = ticketed(rig);
  expect((await rig.ask(`/auth/login?${query}`)).status).toBe(429);
  await rig.clock.pass(600_000);
  expect((await rig.ask(`/auth/login?${query}`)).status).toBe(200);
});

test("the admin token opens it too; five wrong ones a minute from one address and none is looked at", async () => {
  await using rig = remoteRig();
  const status = async (token: string): Promise<number> =>
    (await rig.ask("/auth/login?account=account", { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await status(ADMIN_TOKEN)).toBe(200);
  for (let i = 0; i < 5; i += 1) expect(await status(`wrong-${i}`)).toBe(401);
  expect(await status("wrong")).toBe(429);
  expect(await status(ADMIN_TOKEN)).toBe(429);
  rig.peer = { address: "198.51.100.1", forwarded: false };
  expect(await status(ADMIN_TOKEN)).toBe(200);
  rig.peer = ELSEWHERE;
  await rig.clock.pass(60_000);
  expect(await status(ADMIN_TOKEN)).toBe(200);
});

test("the cookie is for this session's pages only, and for TLS when the public address has it", async () => {
  await using rig = remoteRig();
  const plain = (await rig.pastePage(ticketed(rig))).page.headers.get("set-cookie") ?? "";
  expect(plain.split("; ").slice(1).toSorted()).toEqual([
    "HttpOnly",
    "Max-Age=600",
    "Path=/auth",
    "SameSite=Strict",
  ]);
  expect(Buffer.from(plain.split(/[=;]/)[1] ?? "", "base64url").byteLength).toBe(32);
  rig.publicUrl = "https://gateway.example";
  const secure = await rig.pastePage(ticketed(rig), { host: "gateway.example" });
  expect(secure.page.headers.get("set-cookie")).toContain("; Path=/auth; Max-Age=600; Secure");
  // Behind a path of its own, the browser takes the page's.
  rig.publicUrl = "https://gateway.example/ai";
  const behind = await rig.pastePage(ticketed(rig), { host: "gateway.example" });
  expect(behind.page.headers.get("set-cookie")).not.toContain("Path=");
});

test("the page can be reloaded with its cookie: the same sign-in goes on", async () => {
  await using rig = remoteRig();
  const query = ticketed(rig);
  const open = await rig.pastePage(query);
  const again = await rig.pastePage(query, { cookie: open.cookie });
  expect(again.page.status).toBe(200);
  expect(again.authorizeUrl).toBe(open.authorizeUrl);
  expect(rig.clock.pending).toBe(1);
});

test("an address pasted in another session, without cookie or with another form's key signs nobody in", async () => {
  await using rig = remoteRig();
  const mine = await rig.pastePage(ticketed(rig));
  const theirs = await rig.pastePage(ticketed(rig));
  const stolen = rig.issuer.consent(mine.authorizeUrl).href;
  const wrongSession = await theirs.post(stolen);
  expect(wrongSession.status).toBe(400);
  expect(wrongSession.text).toContain("no sign-in that is open here");
  expect((await mine.post(stolen, { cookie: "" })).status).toBe(401);
  expect((await mine.post(stolen, { cookie: "sub2api_flow=guess" })).status).toBe(401);
  expect((await mine.post(stolen, { key: theirs.key })).status).toBe(403);
  expect((await mine.post(stolen, { key: "" })).status).toBe(403);
  expect(rig.issuer.exchanges).toHaveLength(0);
  expect((await mine.post(stolen)).status).toBe(200);
  expect(rig.kept).toHaveLength(1);
});

test("the callback listener takes no answer of a sign-in whose browser is elsewhere", async () => {
  await using rig = startRig();
  const open = await rig.pastePage("account=account&paste=1");
  const local = await rig.ask("/auth/login?account=account");
  const { origin } = rig.issuer.consent(local.headers.get("location") ?? "");
  const { search } = rig.issuer.consent(open.authorizeUrl);
  expect((await rig.call(`${origin}/auth/callback${search}`)).status).toBe(400);
  expect(rig.issuer.exchanges).toHaveLength(0);
});

test("forms of other sites, other kinds of bodies and large ones are refused", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  const { href } = rig.issuer.consent(open.authorizeUrl);
  for (const headers of [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "none" },
    { origin: "http://evil.test" },
    { origin: "https://127.0.0.1:1" },
  ])
    expect([headers, (await open.post(href, { headers })).status]).toEqual([headers, 403]);
  expect((await open.post(href, { headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect((await open.post("x".repeat(20_000))).status).toBe(413);
  // On plain http a browser says `null` for a page that sends no referrer, and nothing else.
  const bare = await rig.ask("/auth/paste", {
    method: "POST",
    headers: { cookie: open.cookie, origin: "null" },
    body: new URLSearchParams({ key: open.key, address: href }),
  });
  expect(bare.status).toBe(200);
});

test("a form that does not arrive is given up after 15 seconds", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  const timers = rig.clock.pending;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("key=")),
  });
  const answer = rig.ask("/auth/paste", {
    method: "POST",
    headers: { cookie: open.cookie, "content-type": "application/x-www-form-urlencoded" },
    body,
  });
  while (rig.clock.pending === timers) await Bun.sleep(1);
  await rig.clock.pass(15_000);
  expect((await answer).status).toBe(408);
});

test("what is no address of an answer is told, and the form stays", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  for (const text of ["", "hello", "http://localhost:1455/auth/callback", "code=x", "state=x"]) {
    const page = await open.post(text);
    expect([text, page.status]).toEqual([text, 400]);
    expect(page.text).toContain("no answer of a sign-in in this address");
    expect(keyIn(page.text)).toBe(open.key);
  }
  expect((await open.post(rig.issuer.consent(open.authorizeUrl).href)).status).toBe(200);
  expect((await open.post("again")).status).toBe(401);
});

test("after a refusal the session may try again with a new sign-in", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  rig.issuer.refusal = Response.json({ error: "invalid_grant" }, { status: 400 });
  const used = rig.issuer.consent(open.authorizeUrl).href;
  const failed = await open.post(used);
  expect(failed.status).toBe(502);
  expect(failed.text).toContain("That did not work");
  expect((await open.post(used)).status).toBe(401);
  const cookie = failed.headers.get("set-cookie")?.split(";")[0] ?? "";
  const link = /href="(http[^"]*authorize[^"]*)"/.exec(failed.text)?.[1]?.replaceAll("&amp;", "&") ?? "";
  const done = await open.post(rig.issuer.consent(link).href, { cookie, key: keyIn(failed.text) });
  expect(done.status).toBe(200);
  expect(rig.kept).toHaveLength(1);
});

test("another identity is asked about in the same session and no other", async () => {
  await using rig = remoteRig({ identity: FIRST });
  rig.issuer.who = SECOND;
  const open = await rig.pastePage(ticketed(rig));
  const question = await open.post(rig.issuer.consent(open.authorizeUrl).href);
  expect(question.text).toContain("Another identity");
  const confirm = (cookie: string, key: string): Promise<{ status: number }> =>
    rig.ask("/auth/confirm", {
      method: "POST",
      headers: { cookie },
      body: new URLSearchParams({ key, answer: "yes" }),
    });
  expect((await confirm("", open.key)).status).toBe(401);
  expect((await confirm(open.cookie, "wrong")).status).toBe(403);
  expect(rig.kept).toHaveLength(0);
  expect((await confirm(open.cookie, keyIn(question.text))).status).toBe(200);
  expect(rig.kept.map(([, { identity }]) => identity.email)).toEqual(["two@example.test"]);
});

test("an open sign-in runs out after ten minutes", async () => {
  await using rig = remoteRig();
  const open = await rig.pastePage(ticketed(rig));
  await rig.clock.pass(600_000);
  expect((await open.post(rig.issuer.consent(open.authorizeUrl).href)).status).toBe(401);
  expect(rig.kept).toHaveLength(0);
});
