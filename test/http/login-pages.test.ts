// What the pages of a sign-in show: everything escaped, nothing secret, nothing from elsewhere.
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { ELSEWHERE, FIRST, SECOND, startRig, type Shown } from "./login-rig.ts";

const INJECTIONS = [
  "<script>alert(1)</script>",
  "<SCRIPT SRC=//evil.test/x.js></SCRIPT>",
  "<img src=x onerror=alert(1)>",
  "<img/src='x'/onerror=alert(1)>",
  '"><script>alert(1)</script>',
  "'><script>alert(1)</script>",
  '" onmouseover="alert(1)',
  "' onmouseover='alert(1)",
  "` onmouseover=`alert(1)",
  "<svg onload=alert(1)>",
  "<svg/onload=alert(1)//",
  "<svg><script>alert(1)</script></svg>",
  "<body onload=alert(1)>",
  "<iframe src=javascript:alert(1)>",
  '<iframe srcdoc="<script>alert(1)</script>">',
  "<a href=javascript:alert(1)>x</a>",
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
  "</title><script>alert(1)</script>",
  "</style><script>alert(1)</script>",
  "</textarea><script>alert(1)</script>",
  "</code></li></ol><form action=//evil.test><input name=address>",
  "<form action=//evil.test><button>Continue</button></form>",
  "<input autofocus onfocus=alert(1)>",
  "<details open ontoggle=alert(1)>",
  "<video><source onerror=alert(1)>",
  "<audio src onerror=alert(1)>",
  "<object data=javascript:alert(1)>",
  "<embed src=javascript:alert(1)>",
  "<base href=//evil.test/>",
  "<meta http-equiv=refresh content='0;url=//evil.test'>",
  "<link rel=stylesheet href=//evil.test/x.css>",
  "<style>body{background:url(//evil.test)}</style>",
  "<!--<script>alert(1)</script>-->",
  "--><script>alert(1)</script><!--",
  "<![CDATA[<script>alert(1)</script>]]>",
  "<?php echo 1 ?><b onclick=alert(1)>",
  "<b style='x:expression(alert(1))'>x</b>",
  "<marquee onstart=alert(1)>",
  "<select autofocus onfocus=alert(1)>",
  "<template><script>alert(1)</script></template>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<scr\u0000ipt>alert(1)</scr\u0000ipt>",
  "<script\u000d\u000a>alert(1)</script>",
  "\u2028<script>alert(1)</script>\u2029",
  "\u202e<script>alert(1)</script>",
  "%3Cscript%3Ealert(1)%3C/script%3E<i>",
  "&lt;script&gt;alert(1)&lt;/script&gt;<i>",
  "＜script＞<x onclick=alert(1)>",
  "${alert(1)}{{constructor.constructor('alert(1)')()}}<u>",
];

/** Elements with their attributes, as a parser of HTML sees them. */
function elementsOf(page: string): string[] {
  const found: string[] = [];
  new HTMLRewriter()
    .on("*", {
      element: ({ tagName, attributes }) =>
        void found.push(`${tagName} ${[...attributes].map(([name]) => name).join(" ")}`),
    })
    .transform(page);
  return found;
}

/** The same page with a harmless text: what came from outside may add no element, attribute or comment. */
function expectInert(page: Shown, harmless: Shown, text: string): void {
  expect([text, elementsOf(page.text)]).toEqual([text, elementsOf(harmless.text)]);
  if (/[<>"'`]/.test(text)) expect(page.text).not.toContain(text);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
}

test("there are fifty of them, each with something that markup is made of", () => {
  expect(new Set(INJECTIONS).size).toBeGreaterThanOrEqual(50);
});

test("an account's name is only text on every page it stands on", async () => {
  const plain = "harmless";
  await using rig = startRig({ names: [plain, ...INJECTIONS], identity: FIRST });
  const pagesOf = async (name: string): Promise<Shown[]> => {
    rig.issuer.who = FIRST;
    rig.peer = undefined;
    const account = encodeURIComponent(name);
    const local = await rig.ask(`/auth/login?account=${account}`);
    const back = rig.issuer.consent(local.headers.get("location") ?? "");
    rig.issuer.who = SECOND;
    const question = await rig.call(back);
    rig.flows.find("form", /name="key" value="([^"]+)"/.exec(question.text)?.[1] ?? "")?.cancel();
    const unknown = await rig.ask(`/auth/login?account=${account}x`);
    rig.issuer.who = FIRST;
    rig.peer = ELSEWHERE;
    const open = await rig.pastePage(`account=${account}&ticket=${rig.tickets.issue(name)}`);
    const done = await open.post(rig.issuer.consent(open.authorizeUrl).href);
    return [question, unknown, open.page, done];
  };
  const harmless = await pagesOf(plain);
  expect(harmless.map(({ status }) => status)).toEqual([200, 404, 200, 200]);
  for (const name of INJECTIONS)
    for (const [i, page] of (await pagesOf(name)).entries()) expectInert(page, harmless[i] ?? page, name);
});

test("an account's name is only text when the port is busy", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  try {
    await using rig = startRig({ callbackPort: holder.port ?? 0, names: INJECTIONS });
    const harmless = await rig.ask("/auth/login?account=account");
    for (const name of INJECTIONS) {
      const page = await rig.ask(`/auth/login?account=${encodeURIComponent(name)}`);
      expect(page.status).toBe(409);
      expectInert(page, harmless, name);
    }
  } finally {
    await holder.stop(true);
  }
});

test("the issuer's error and its description are only text", async () => {
  await using rig = startRig();
  const denied = async (error: string, description: string): Promise<Shown> => {
    const answer = await rig.ask("/auth/login?account=account");
    const back = rig.issuer.consent(answer.headers.get("location") ?? "");
    const state = back.searchParams.get("state") ?? "";
    back.search = new URLSearchParams({ error, error_description: description, state }).toString();
    return rig.call(back);
  };
  const harmless = await denied("access_denied", "no");
  expect(harmless.text).toContain("access_denied: no");
  for (const text of INJECTIONS) {
    expectInert(await denied(text, "no"), harmless, text);
    expectInert(await denied("access_denied", text), harmless, text);
  }
});

test("what somebody is called at the issuer is only text", async () => {
  await using rig = startRig();
  const signedIn = async (text: string): Promise<Shown> => {
    rig.issuer.who = { accountId: text, userId: text, email: text, plan: text };
    const answer = await rig.ask("/auth/login?account=account");
    return rig.call(rig.issuer.consent(answer.headers.get("location") ?? ""));
  };
  const harmless = await signedIn("x");
  expect(harmless.text).toContain("Signed in");
  for (const text of INJECTIONS) expectInert(await signedIn(text), harmless, text);
});

test("every answer forbids scripts, frames, sniffing, referrers and copies, and allows its one style by hash", async () => {
  await using rig = startRig();
  const local = await rig.ask("/auth/login?account=account");
  const back = rig.issuer.consent(local.headers.get("location") ?? "");
  const answers = [
    local,
    await rig.call(`${back.origin}/auth/callback?code=x&state=y`),
    await rig.call(back),
    await rig.ask("/auth/login?account=nobody"),
    await rig.ask("/auth/login?account=key"),
    await rig.ask("/auth/login?account=account&paste=1"),
    await rig.ask("/auth/login?account=account", { headers: { host: "evil.test" } }),
    await rig.ask("/auth/paste", { method: "POST" }),
    await rig.ask("/auth/login", { method: "HEAD" }),
  ];
  for (const { headers, text } of answers) {
    const policy = headers.get("content-security-policy") ?? "";
    for (const words of [
      "default-src 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ])
      expect(policy).toContain(words);
    expect(policy).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("access-control-allow-origin")).toBeNull();
    expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    const style = /<style>([^]*?)<\/style>/.exec(text)?.[1];
    if (style === undefined) continue;
    expect(policy).toContain(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
    expect(text).not.toMatch(/<script|\sstyle=|\son\w+=/);
  }
  expect(answers.filter(({ text }) => text.includes("<style>")).length).toBeGreaterThanOrEqual(7);
});

test("no code, state, nonce, verifier or token stands in any page, header or log line", async () => {
  await using rig = startRig({ identity: FIRST });
  const begin = async (): Promise<URL> => {
    const answer = await rig.ask("/auth/login?account=account");
    return rig.issuer.consent(answer.headers.get("location") ?? "");
  };
  await rig.call(await begin());
  // Replay, refusal, denial, a failed save, another identity, and the same by paste.
  const replayed = await begin();
  const keepsListener = await begin();
  await Promise.all([rig.call(replayed), rig.call(replayed)]);
  rig.issuer.refusal = Response.json({ error: "invalid_grant" }, { status: 400 });
  await rig.call(keepsListener);
  const denied = await begin();
  denied.searchParams.set("error", "access_denied");
  await rig.call(denied);
  rig.broken = true;
  await rig.call(await begin());
  rig.broken = false;
  rig.issuer.claims = { nonce: "not-this-one" };
  await rig.call(await begin());
  rig.issuer.claims = {};
  const open = await rig.pastePage("account=account&paste=1");
  rig.issuer.refusal = new Response("<html>", { status: 500 });
  await open.post(rig.issuer.consent(open.authorizeUrl).href);
  const other = await rig.pastePage("account=account&paste=1");
  rig.issuer.who = SECOND;
  await other.post(rig.issuer.consent(other.authorizeUrl).href);
  const secrets = rig.issuer.secrets();
  expect(secrets.length).toBeGreaterThan(30);
  const told = rig.told();
  expect(told).toContain("login-done");
  for (const secret of secrets) expect(told.includes(secret) ? secret : "").toBe("");
});
