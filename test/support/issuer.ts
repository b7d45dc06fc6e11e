// A scripted issuer of logins: signing in by browser or device code, and refresh tokens that are good for one use.
// A refresh token presented twice costs its whole family, as at issuers that detect reuse (RFC 9700 §4.14.2).

import { page, reply } from "./issuer-answer.ts";
import { controlEndpoint } from "./issuer-control.ts";
import { ScriptQueue } from "./issuer-scripts.ts";
import { SignIn } from "./issuer-sign-in.ts";
import { tokenEndpoint, type TokenDesk } from "./issuer-token-endpoint.ts";
import { TokenVault } from "./issuer-tokens.ts";
import {
  PERSON,
  type Issuer,
  type IssuerAccount,
  type IssuerOptions,
  type Seed,
  type SeededLogin,
} from "./issuer-types.ts";
import { parseJson, pickText } from "./json-pick.ts";
import { startUpstream, type Answer, type Upstream, type UpstreamRequest } from "./upstream.ts";

export { codedError, oauthError, SCRIPTS } from "./issuer-scripts.ts";
export { shortId } from "./issuer-tokens.ts";
export { PERSON } from "./issuer-types.ts";
export type * from "./issuer-types.ts";

const HOUR_MS = 3_600_000;

/** Listens on a free port of 127.0.0.1. */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const upstream = await startUpstream();
  const { url } = upstream;
  const now = options.now ?? ((): number => Date.now());
  const desk: TokenDesk = {
    vault: new TokenVault(() => url, now),
    scripts: new ScriptQueue(),
    settings: {
      consent: "grant",
      account: PERSON,
      lifetimeMs: HOUR_MS,
      denial: { error: "access_denied", description: "the user said no" },
      deviceInterval: "5",
      ...options.settings,
    },
    now,
    clientId: options.clientId,
    posts: [],
  };
  const signIn = new SignIn(desk, () => url);
  const issuer = issuerOf(desk, signIn, upstream);
  const routes = routesOf(desk, signIn);
  const control = controlEndpoint(issuer);
  upstream.otherwise((request, connection) => {
    const route = request.path.startsWith("/control/")
      ? control
      : routes.get(`${request.method} ${request.path}`);
    return (route ?? (() => reply(404, { error: "not_found" })))(request)(request, connection);
  });
  return issuer;
}

function routesOf(
  desk: TokenDesk,
  signIn: SignIn,
): ReadonlyMap<string, (request: UpstreamRequest) => Answer> {
  const token = tokenEndpoint(desk);
  const device = "/api/accounts/deviceauth";
  const userCode = signIn.scripted("usercode", (request) => signIn.userCode(request));
  const poll = signIn.scripted("device_poll", (request) => signIn.devicePoll(request));
  return new Map<string, (request: UpstreamRequest) => Answer>([
    ["GET /oauth/authorize", (request) => signIn.authorize(request)],
    ["GET /oauth/decide", (request) => signIn.decide(request)],
    ["POST /oauth/token", () => token],
    ["POST /oauth/revoke", (request) => revoke(desk.vault, request)],
    [`POST ${device}/usercode`, () => userCode],
    [`POST ${device}/token`, () => poll],
    ["GET /codex/device", (request) => signIn.devicePage(request)],
    ["POST /codex/device", (request) => signIn.devicePage(request)],
    ["GET /deviceauth/callback", () => page(200, "Signed in", "")],
  ]);
}

/** A token nobody knows is no error (RFC 7009 §2.2). */
function revoke(vault: TokenVault, request: UpstreamRequest): Answer {
  const token = pickText(parseJson(request.body.toString("utf8")), "token") ?? "";
  const family = vault.familyOf(token);
  if (family !== undefined) vault.revoke(family.id, "logout");
  return reply(200, {});
}

function issuerOf(desk: TokenDesk, signIn: SignIn, upstream: Upstream): Issuer {
  const { vault, scripts } = desk;
  const close = async (): Promise<void> => {
    scripts.close();
    // What a script leaves without an answer would wait for its client for ever.
    for (const request of upstream.requests) if (request.endedAt === undefined) request.connection.reset();
    await upstream.close();
  };
  return {
    url: upstream.url,
    settings: desk.settings,
    seed: (seed = {}) => seedLogin(desk, seed),
    script: (...more) => scripts.add(more),
    always: (script) => scripts.setAlways(script),
    get scriptsLeft() {
      return scripts.left;
    },
    get waiting() {
      return scripts.waiting;
    },
    release: () => scripts.release(),
    get ledger() {
      return {
        posts: desk.posts,
        authorizations: signIn.authorizations,
        reuses: vault.reuses,
        revokedFamilies: vault.revocations,
        presented: vault.presented,
      };
    },
    presentations: (refresh) => vault.presentations(refresh),
    isAccess: (token) => vault.isAccess(token),
    accountOf: (access) => vault.familyOf(access)?.account,
    liveRefresh(family) {
      const known = vault.family(family);
      return known === undefined || known.revoked ? undefined : known.live;
    },
    revokeAccess: (token) => vault.revokeAccess(token),
    expireRefresh: (token) => vault.expireRefresh(token),
    revokeFamily: (family) => vault.revoke(family, "test"),
    approveDevice: (userCode, account) => signIn.approve(userCode, account),
    secrets: () => [...vault.secrets],
    close,
    [Symbol.asyncDispose]: close,
  };
}

function seedLogin(desk: TokenDesk, seed: Seed): SeededLogin {
  const account: IssuerAccount = {
    accountId: seed.accountId ?? PERSON.accountId,
    userId: seed.userId ?? PERSON.userId,
    email: seed.email ?? PERSON.email,
    plan: seed.plan ?? PERSON.plan,
  };
  const lifetimeMs = seed.lifetimeMs ?? desk.settings.lifetimeMs;
  const family = desk.vault.newFamily(account, seed.clientId ?? desk.clientId);
  const minted = desk.vault.mint(family, { lifetimeMs }, true);
  return {
    family: family.id,
    account,
    refresh: family.live,
    access: minted.access,
    id: minted.id,
    expiresAt: Math.floor((desk.now() + lifetimeMs) / 1000) * 1000,
  };
}
