import { describe, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import {
  CLIENT,
  codeOf,
  exchange,
  failed,
  freshCode,
  postForm,
  postJson,
  refresh,
  until,
} from "./issuer-calls.ts";
import { SCRIPTS, shortId, startIssuer, type IssuerScript } from "./issuer.ts";
import { pickText } from "./json-pick.ts";

describe("refreshing at the scripted issuer", () => {
  test.each(["form", "json"])("gives the next refresh token, asked as %s", async (format) => {
    await using issuer = await startIssuer();
    const login = issuer.seed({ accountId: "account-two", plan: "pro" });
    const fields = { grant_type: "refresh_token", client_id: CLIENT, refresh_token: login.refresh };
    const answer = await (format === "form"
      ? postForm(issuer.url, fields)
      : postJson(issuer.url, "/oauth/token", fields));
    const next = pickText(answer.body, "refresh_token") ?? "";
    expect(answer.status).toBe(200);
    expect(next).not.toBe(login.refresh);
    expect(issuer.liveRefresh(login.family)).toBe(next);
    expect(issuer.accountOf(pickText(answer.body, "access_token") ?? "")).toEqual(login.account);
    expect(issuer.ledger.posts).toMatchObject([
      { format, token: shortId(login.refresh), family: login.family, outcome: "issued", told: true },
    ]);
    expect((await refresh(issuer.url, next)).status).toBe(200);
    expect([issuer.ledger.reuses, issuer.ledger.revokedFamilies.length]).toEqual([0, 0]);
  });

  test("revokes a family, access tokens too, when a used-up refresh token comes again; others live on", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    const other = issuer.seed();
    const { body } = await refresh(issuer.url, login.refresh);
    const [access, next] = [String(body["access_token"]), String(body["refresh_token"])];
    expect([issuer.isAccess(login.access), issuer.isAccess(access)]).toEqual([true, true]);
    const again = await refresh(issuer.url, login.refresh);
    expect([again.status, codeOf(again)]).toEqual([401, "refresh_token_reused"]);
    expect([issuer.isAccess(login.access), issuer.isAccess(access)]).toEqual([false, false]);
    expect(codeOf(await refresh(issuer.url, next))).toBe("refresh_token_invalidated");
    expect(issuer.liveRefresh(login.family)).toBeUndefined();
    expect(issuer.ledger).toMatchObject({
      reuses: 1,
      revokedFamilies: [{ family: login.family, reason: "reuse" }],
      presented: { [shortId(login.refresh)]: 2, [shortId(next)]: 1 },
    });
    expect([issuer.presentations(login.refresh), issuer.presentations(other.refresh)]).toEqual([2, 0]);
    expect(issuer.isAccess(other.access)).toBe(true);
    expect((await refresh(issuer.url, other.refresh)).status).toBe(200);
  });

  test("takes a refresh token once, however many present it at the same time", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(issuer.url, login.refresh)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect([issuer.ledger.reuses, issuer.presentations(login.refresh)]).toEqual([9, 10]);
  });

  test("refuses tokens that are unknown, expired, revoked, or another client's", async () => {
    await using issuer = await startIssuer();
    const [expired, revoked, foreign] = [
      issuer.seed(),
      issuer.seed(),
      issuer.seed({ clientId: "client-two" }),
    ];
    issuer.expireRefresh(expired.refresh);
    issuer.revokeFamily(revoked.family);
    const codes = [];
    for (const token of ["rt_made-up", expired.refresh, revoked.refresh, foreign.refresh])
      codes.push(codeOf(await refresh(issuer.url, token)));
    expect(codes).toEqual([
      "refresh_token_invalidated",
      "refresh_token_expired",
      "refresh_token_invalidated",
      "invalid_client",
    ]);
    expect((await refresh(issuer.url, foreign.refresh, "client-two")).status).toBe(200);
    expect(codeOf(await postForm(issuer.url, { grant_type: "password", client_id: CLIENT }))).toBe(
      "unsupported_grant_type",
    );
  });

  test("lets access tokens run out and revokes them", async () => {
    let now = 1_800_000_000_000;
    await using issuer = await startIssuer({ now: () => now, settings: { lifetimeMs: 5000 } });
    const [first, second] = [issuer.seed(), issuer.seed({ lifetimeMs: -1000 })];
    expect([issuer.isAccess(first.access), issuer.isAccess(second.access)]).toEqual([true, false]);
    expect([decodeJwt(first.access).exp, first.expiresAt]).toEqual([1_800_000_005, now + 5000]);
    now += 4999;
    expect(issuer.isAccess(first.access)).toBe(true);
    now += 1;
    expect(issuer.isAccess(first.access)).toBe(false);
    const third = issuer.seed();
    issuer.revokeAccess(third.access);
    expect(issuer.isAccess(third.access)).toBe(false);
  });

  test("revokes a family when its client signs out", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    const answer = await postJson(issuer.url, "/oauth/revoke", { token: login.refresh, client_id: CLIENT });
    expect([answer.status, issuer.isAccess(login.access)]).toEqual([200, false]);
    expect(issuer.ledger.revokedFamilies).toEqual([{ family: login.family, reason: "logout" }]);
  });
});

describe("a scripted answer to a refresh", () => {
  test.each([
    ["invalidGrant", 400, "invalid_grant"],
    ["reused", 401, "refresh_token_reused"],
    ["expired", 401, "refresh_token_expired"],
    ["invalidated", 401, "refresh_token_invalidated"],
    ["broken", 500, "server_error"],
    ["unavailable", 503, "temporarily_unavailable"],
    ["tooMany", 429, "slow_down"],
    ["page", 200, undefined],
    ["badGateway", 502, undefined],
    ["notJson", 200, undefined],
    ["emptyObject", 200, undefined],
  ] as const)("is %s: status %i, code %p, and nothing has changed", async (name, status, code) => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(SCRIPTS[name]);
    const answer = await refresh(issuer.url, login.refresh);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.type?.startsWith("text/html")).toBe(name === "page" || name === "badGateway");
    expect(issuer.ledger.posts).toMatchObject([{ outcome: "scripted" }]);
    expect((await refresh(issuer.url, login.refresh)).status).toBe(200);
  });

  test.each([
    ["withoutExpiry", ["access_token", "id_token", "refresh_token", "token_type"]],
    ["withoutId", ["access_token", "expires_in", "refresh_token", "token_type"]],
    ["withoutType", ["access_token", "expires_in", "id_token", "refresh_token"]],
    ["withoutAccess", ["expires_in", "id_token", "refresh_token", "token_type"]],
    ["withoutRefresh", ["access_token", "expires_in", "id_token", "token_type"]],
    ["bare", ["access_token"]],
  ] as const)("lacks what %s says", async (name, members) => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(SCRIPTS[name]);
    expect(Object.keys((await refresh(issuer.url, login.refresh)).body).toSorted()).toEqual([...members]);
  });

  test("keeps the old refresh token good when it tells no new one", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(SCRIPTS.withoutRefresh);
    const access = String((await refresh(issuer.url, login.refresh)).body["access_token"]);
    expect(issuer.isAccess(access)).toBe(true);
    expect(issuer.ledger.posts[0]?.outcome).toBe("kept");
    expect((await refresh(issuer.url, login.refresh)).status).toBe(200);
  });

  test("can have other members, other claims and an access token that is no JWT", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(SCRIPTS.expiryAsText, {
      ...SCRIPTS.opaque,
      idClaims: { iss: "https://evil.example", exp: null },
    });
    const first = await refresh(issuer.url, login.refresh);
    expect(first.body["expires_in"]).toBe("3600");
    const second = await refresh(issuer.url, String(first.body["refresh_token"]));
    const id = decodeJwt(String(second.body["id_token"]));
    expect([id.iss, id.exp, id.aud]).toEqual(["https://evil.example", undefined, [CLIENT]]);
    const access = String(second.body["access_token"]);
    expect(() => decodeJwt(access)).toThrow();
    expect(issuer.isAccess(access)).toBe(true);
  });

  test("can lead elsewhere", async () => {
    await using issuer = await startIssuer();
    issuer.script({ answer: { redirect: "http://127.0.0.1:9/elsewhere", status: 307 } });
    const fields = { grant_type: "refresh_token", client_id: CLIENT, refresh_token: issuer.seed().refresh };
    const response = await fetch(`${issuer.url}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams(fields),
      redirect: "manual",
    });
    expect([response.status, response.headers.get("location")]).toEqual([
      307,
      "http://127.0.0.1:9/elsewhere",
    ]);
  });

  test("dropped before the token is used up leaves it good; dropped afterwards, it has become a reuse", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(SCRIPTS.drop, SCRIPTS.hangUp, SCRIPTS.lost);
    for (let count = 0; count < 3; count += 1)
      expect(await failed(refresh(issuer.url, login.refresh))).toBe(true);
    expect(issuer.ledger.posts.map(({ outcome, told }) => [outcome, told])).toEqual([
      ["scripted", false],
      ["scripted", false],
      ["issued", false],
    ]);
    expect(issuer.liveRefresh(login.family)).not.toBe(login.refresh);
    expect(codeOf(await refresh(issuer.url, login.refresh))).toBe("refresh_token_reused");
  });

  test("held goes on when the client has left, before or after the token is used up", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    const leaveDuring = async (script: IssuerScript): Promise<void> => {
      issuer.script(script);
      const leaving = new AbortController();
      const fields = { grant_type: "refresh_token", client_id: CLIENT };
      const body = new URLSearchParams({ ...fields, refresh_token: issuer.liveRefresh(login.family) ?? "" });
      const call = fetch(`${issuer.url}/oauth/token`, { method: "POST", body, signal: leaving.signal });
      const ended = failed(call);
      await until(() => issuer.waiting === 1);
      leaving.abort();
      expect(await ended).toBe(true);
    };
    await leaveDuring(SCRIPTS.held);
    expect(issuer.liveRefresh(login.family)).toBe(login.refresh);
    issuer.release();
    await until(() => issuer.liveRefresh(login.family) !== login.refresh);
    const second = issuer.liveRefresh(login.family);
    await leaveDuring(SCRIPTS.heldAfter);
    expect(issuer.liveRefresh(login.family)).not.toBe(second);
    issuer.release();
  });

  test("waits as long as it is told, and silence ends with the issuer", async () => {
    const issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script({ wait: 30 }, SCRIPTS.silence, { wait: 600_000 });
    const from = performance.now();
    const { body } = await refresh(issuer.url, login.refresh);
    expect(performance.now() - from).toBeGreaterThan(25);
    const pending = [1, 2].map(() => failed(refresh(issuer.url, String(body["refresh_token"]))));
    await until(() => issuer.ledger.posts.length === 3);
    await issuer.close();
    expect(await Promise.all(pending)).toEqual([true, true]);
  });

  test("is only for its step, and the standing script for all calls that no other is left for", async () => {
    await using issuer = await startIssuer();
    const login = issuer.seed();
    issuer.script(
      { on: "authorization_code", ...SCRIPTS.badGateway },
      { on: "device_poll", ...SCRIPTS.page },
    );
    const next = String((await refresh(issuer.url, login.refresh)).body["refresh_token"]);
    expect(issuer.scriptsLeft).toBe(2);
    expect((await exchange(issuer.url, await freshCode(issuer))).status).toBe(502);
    expect((await postJson(issuer.url, "/api/accounts/deviceauth/token", {})).type).toStartWith("text/html");
    issuer.always(SCRIPTS.unavailable);
    issuer.script(SCRIPTS.tooMany);
    const statuses = [];
    for (let count = 0; count < 3; count += 1) statuses.push((await refresh(issuer.url, next)).status);
    expect(statuses).toEqual([429, 503, 503]);
    issuer.always({});
    expect((await refresh(issuer.url, next)).status).toBe(200);
  });
});
