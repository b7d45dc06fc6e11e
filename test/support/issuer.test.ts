import { describe, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { join } from "node:path";
import {
  authorizeUrl,
  callback,
  CLIENT,
  codeOf,
  exchange,
  failed,
  freshCode,
  postJson,
  REDIRECT,
  refresh,
  STATE,
  told,
  VERIFIER,
  type Told,
} from "./issuer-calls.ts";
import { startIssuerProcess } from "./issuer-remote.ts";
import { challengeOf } from "./issuer-tokens.ts";
import { SCRIPTS, startIssuer } from "./issuer.ts";
import { pickText } from "./json-pick.ts";

describe("signing in at the scripted issuer", () => {
  test("gives a code for consent and tokens for the code, with the claims of whoever signed in", async () => {
    await using issuer = await startIssuer({ settings: { lifetimeMs: 60_000 } });
    const back = await callback(authorizeUrl(issuer.url));
    expect(back.origin + back.pathname).toBe(REDIRECT);
    expect(back.searchParams.get("state")).toBe(STATE);
    const answer = await exchange(issuer.url, back.searchParams.get("code") ?? "");
    expect([answer.status, answer.body["token_type"], answer.body["expires_in"]]).toEqual([
      200,
      "Bearer",
      60,
    ]);
    const id = decodeJwt(pickText(answer.body, "id_token") ?? "");
    expect(id).toMatchObject({
      iss: issuer.url,
      aud: [CLIENT],
      nonce: "nonce-one",
      email: "one@example.com",
      "https://api.openai.com/auth": {
        chatgpt_account_id: "account-one",
        chatgpt_plan_type: "plus",
        chatgpt_user_id: "user-one",
      },
    });
    const access = pickText(answer.body, "access_token") ?? "";
    expect(Math.abs((decodeJwt(access).exp ?? 0) * 1000 - Date.now() - 60_000)).toBeLessThan(30_000);
    expect(issuer.isAccess(access)).toBe(true);
    expect(issuer.accountOf(access)?.accountId).toBe("account-one");
    expect(issuer.ledger.posts).toMatchObject([
      { grant: "authorization_code", format: "form", outcome: "issued" },
    ]);
  });

  test.each([
    ["another verifier", { code_verifier: "w".repeat(64) }],
    ["a verifier that is too short", { code_verifier: "v".repeat(42) }],
    ["a verifier with characters that are not allowed", { code_verifier: `${"v".repeat(63)}/` }],
    ["another redirect_uri", { redirect_uri: "http://127.0.0.1:1455/auth/callback" }],
    ["another client", { client_id: "client-two" }],
    ["a code that was never issued", { code: "ac_made-up" }],
  ])("refuses the code with %s, and then still takes it with the right one", async (_what, other) => {
    await using issuer = await startIssuer();
    const code = await freshCode(issuer);
    const refusal = await exchange(issuer.url, code, other);
    expect([refusal.status, codeOf(refusal)]).toEqual([400, "invalid_grant"]);
    expect((await exchange(issuer.url, code)).status).toBe(200);
  });

  test("revokes what a code was exchanged for when the code comes again", async () => {
    await using issuer = await startIssuer();
    const code = await freshCode(issuer);
    const access = pickText((await exchange(issuer.url, code)).body, "access_token") ?? "";
    expect(codeOf(await exchange(issuer.url, code))).toBe("invalid_grant");
    expect(issuer.isAccess(access)).toBe(false);
    expect(issuer.ledger.revokedFamilies).toEqual([{ family: "family-1", reason: "code_replay" }]);
  });

  test.each([
    ["response_type", "token"],
    ["client_id", "client-two"],
    ["redirect_uri", "https://evil.example/callback"],
    ["code_challenge_method", "plain"],
    ["code_challenge", "short"],
    ["state", ""],
  ])("shows a page instead of a redirect when %s is %p", async (name, value) => {
    await using issuer = await startIssuer({ clientId: CLIENT });
    const answer = await told(
      await fetch(authorizeUrl(issuer.url, { [name]: value }), { redirect: "manual" }),
    );
    expect([answer.status, answer.text.includes(`${name} is missing`)]).toEqual([400, true]);
    expect(issuer.ledger.authorizations[0]?.problems).toHaveLength(1);
  });

  test("denies with words of the test's choice", async () => {
    await using issuer = await startIssuer();
    issuer.settings.consent = "deny";
    issuer.settings.denial = { error: "access_denied", description: "<script>alert(1)</script>" };
    const { searchParams } = await callback(authorizeUrl(issuer.url));
    expect(Object.fromEntries(searchParams)).toEqual({
      error: "access_denied",
      error_description: "<script>alert(1)</script>",
      state: STATE,
    });
  });

  test("can send the browser back with a wrong state, without one, without a code, or with a wrong one", async () => {
    await using issuer = await startIssuer();
    const names = async (): Promise<string[]> => [
      ...(await callback(authorizeUrl(issuer.url))).searchParams.keys(),
    ];
    issuer.settings.consent = "wrong-state";
    expect((await callback(authorizeUrl(issuer.url))).searchParams.get("state")).not.toBe(STATE);
    issuer.settings.consent = "no-state";
    expect(await names()).toEqual(["code"]);
    issuer.settings.consent = "no-code";
    expect(await names()).toEqual(["state"]);
    issuer.settings.consent = "wrong-code";
    expect(codeOf(await exchange(issuer.url, await freshCode(issuer)))).toBe("invalid_grant");
  });

  test("shows a page whose links allow or deny, once", async () => {
    await using issuer = await startIssuer();
    issuer.settings.consent = "page";
    const link = async (answer: string): Promise<string> => {
      const text = await (await fetch(authorizeUrl(issuer.url))).text();
      const href = new RegExp(`id="${answer}" href="([^"]+)"`).exec(text)?.[1] ?? "";
      return issuer.url + href.replaceAll("&amp;", "&");
    };
    const allow = await link("allow");
    const code = (await callback(allow)).searchParams.get("code") ?? "";
    expect((await exchange(issuer.url, code)).status).toBe(200);
    expect((await fetch(allow, { redirect: "manual" })).status).toBe(400);
    expect((await callback(await link("deny"))).searchParams.get("error")).toBe("access_denied");
  });

  test("signs in with a device code once it is approved, and only once", async () => {
    await using issuer = await startIssuer();
    const base = "/api/accounts/deviceauth";
    const { body } = await postJson(issuer.url, `${base}/usercode`, { client_id: CLIENT });
    expect(body["interval"]).toBe("5");
    const poll = (): Promise<Told> =>
      postJson(issuer.url, `${base}/token`, {
        device_auth_id: body["device_auth_id"],
        user_code: body["user_code"],
      });
    expect((await poll()).status).toBe(403);
    issuer.approveDevice(String(body["user_code"]));
    const approved = await poll();
    expect(approved.status).toBe(200);
    expect((await poll()).status).toBe(404);
    const verifier = String(approved.body["code_verifier"]);
    expect(challengeOf(verifier)).toBe(String(approved.body["code_challenge"]));
    const code = String(approved.body["authorization_code"]);
    const fields = { code_verifier: verifier, redirect_uri: `${issuer.url}/deviceauth/callback` };
    expect(codeOf(await exchange(issuer.url, code, { ...fields, redirect_uri: REDIRECT }))).toBe(
      "invalid_grant",
    );
    expect((await exchange(issuer.url, code, fields)).status).toBe(200);
  });

  test("approves a device code on its page, and forgets it after 15 minutes", async () => {
    let now = 1_800_000_000_000;
    await using issuer = await startIssuer({ now: () => now });
    const base = "/api/accounts/deviceauth";
    const { body } = await postJson(issuer.url, `${base}/usercode`, { client_id: CLIENT });
    const userCode = String(body["user_code"]);
    const poll = (): Promise<Told> =>
      postJson(issuer.url, `${base}/token`, { device_auth_id: body["device_auth_id"], user_code: userCode });
    const send = (code: string): Promise<Response> =>
      fetch(`${issuer.url}/codex/device`, { method: "POST", body: new URLSearchParams({ user_code: code }) });
    expect([(await send("AAAA-AAAAA")).status, (await poll()).status]).toEqual([400, 403]);
    now += 15 * 60_000;
    expect((await poll()).status).toBe(404);
    now -= 1;
    expect([(await send(userCode)).status, (await poll()).status]).toEqual([200, 200]);
  });
});

describe("the scripted issuer", () => {
  test("remembers every secret it has issued or seen", async () => {
    await using issuer = await startIssuer();
    const code = await freshCode(issuer);
    const { body } = await exchange(issuer.url, code);
    await refresh(issuer.url, "rt_made-up");
    const told = ["access_token", "refresh_token", "id_token"].map((name) => String(body[name]));
    for (const secret of [STATE, code, VERIFIER, ...told, "rt_made-up"])
      expect(issuer.secrets()).toContain(secret);
  });

  test("can be scripted from another process", async () => {
    await using issuer = await startIssuerProcess({ clientId: CLIENT, settings: { lifetimeMs: 1000 } });
    const login = await issuer.seed({ email: "two@example.com" });
    await issuer.script(SCRIPTS.lost, SCRIPTS.held);
    expect(await failed(refresh(issuer.url, login.refresh))).toBe(true);
    expect(await issuer.liveRefresh(login.family)).not.toBe(login.refresh);
    const second = refresh(issuer.url, login.refresh);
    while ((await issuer.state()).waiting === 0) await Bun.sleep(1);
    await issuer.release();
    expect(codeOf(await second)).toBe("refresh_token_reused");
    expect(await issuer.ledger()).toMatchObject({
      reuses: 1,
      posts: [
        { outcome: "issued", told: false },
        { outcome: "reused", told: true },
      ],
    });
    expect(await issuer.access(login.access)).toMatchObject({
      valid: false,
      account: { email: "two@example.com" },
    });
    expect(await issuer.presentations(login.refresh)).toBe(2);
    expect((await issuer.settings({ consent: "deny" })).lifetimeMs).toBe(1000);
    expect(await issuer.secrets()).toContain(login.refresh);
    expect(await failed(issuer.revokeFamily("family-99"))).toBe(true);
  });

  test("in a process of its own ends when its standard input does", async () => {
    const file = join(import.meta.dirname, "issuer-process.ts");
    const child = Bun.spawn([process.execPath, file], { stdin: "pipe", stdout: "pipe" });
    await child.stdout.getReader().read();
    expect(child.exitCode).toBeNull();
    await child.stdin.end();
    expect(await child.exited).toBe(0);
  });
});
