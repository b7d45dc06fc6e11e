// Everything a sign-in goes through, over real sockets: an issuer that checks, the gateway's routes, and a note of all
// that was shown, logged and kept.
import { createHash } from "node:crypto";
import type { LogLine } from "../../src/core/ports.ts";
import { createGuard, createPeerFinder, type Peer } from "../../src/http/guard.ts";
import { createFlows, type Flows } from "../../src/oauth/flows.ts";
import type { Identity, SignedIn } from "../../src/oauth/login.ts";
import { createLoginRoutes } from "../../src/oauth/login-routes.ts";
import { createTickets, type Tickets } from "../../src/oauth/tickets.ts";
import type { IssuerSite } from "../../src/oauth/token-endpoint.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export const ADMIN_TOKEN = "admin-token-of-these-tests-0123456789";
export const CLIENT_ID = "client-of-these-tests";

/** Claims of the next id token that differ from the right ones; `undefined` leaves a claim out. */
export type Claims = Readonly<Record<string, unknown>>;

export interface SmallIssuer {
  readonly site: IssuerSite;
  /** What the browser does at the issuer: signs in, and comes back to this address. */
  consent(authorizeUrl: string): URL;
  /** The token endpoint's form fields, as they came. */
  readonly exchanges: readonly URLSearchParams[];
  /** Who signs in from now on. */
  who: Identity;
  claims: Claims;
  /** Instead of tokens: the next answer of the token endpoint. */
  refusal: Response | undefined;
  /** Instead of a readable id token. */
  idToken: string | undefined;
  /** Every state, nonce, code, verifier and token there was. */
  secrets(): readonly string[];
  stop(): Promise<void>;
}

export const FIRST: Identity = {
  accountId: "workspace-1",
  userId: "user-1",
  email: "one@example.test",
  plan: "plus",
};
export const SECOND: Identity = {
  accountId: "workspace-2",
  userId: "user-2",
  email: "two@example.test",
  plan: "team",
};

export function startSmallIssuer(clock: VirtualClock): SmallIssuer {
  const secrets = new Set<string>();
  const exchanges: URLSearchParams[] = [];
  const codes = new Map<string, URLSearchParams>();
  const secret = (kind: string): string => {
    const made = `${kind}-${crypto.randomUUID()}`;
    secrets.add(made);
    return made;
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (new URL(request.url).pathname !== "/oauth/token") return new Response("?", { status: 404 });
      const form = new URLSearchParams(await request.text());
      exchanges.push(form);
      secrets.add(form.get("code_verifier") ?? "");
      const asked = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const { refusal } = issuer;
      issuer.refusal = undefined;
      if (refusal !== undefined) return refusal;
      const flaw = flawOf(form, asked);
      if (flaw !== undefined || asked === undefined)
        return Response.json({ error: { code: "invalid_grant", message: flaw } }, { status: 400 });
      return Response.json(tokens(asked.get("nonce") ?? undefined));
    },
  });
  const tokens = (nonce: string | undefined): Record<string, unknown> => {
    const { who } = issuer;
    const seconds = Math.floor(clock.wall() / 1_000);
    const claims = {
      iss: issuer.site.issuer,
      aud: [CLIENT_ID],
      exp: seconds + 3_600,
      nonce,
      email: who.email,
      "https://api.openai.com/auth": {
        chatgpt_account_id: who.accountId,
        chatgpt_user_id: who.userId,
        chatgpt_plan_type: who.plan,
      },
      ...issuer.claims,
    };
    const id = issuer.idToken ?? jwt(claims);
    const access = jwt({ exp: seconds + 3_600, jti: secret("access") });
    for (const each of [id, access]) secrets.add(each);
    return { id_token: id, access_token: access, refresh_token: secret("refresh"), expires_in: 3_600 };
  };
  const issuer: SmallIssuer = {
    site: { issuer: `http://127.0.0.1:${server.port}`, clientId: CLIENT_ID, proxy: undefined },
    consent(authorizeUrl) {
      const { searchParams } = new URL(authorizeUrl);
      const code = secret("code");
      codes.set(code, searchParams);
      for (const name of ["state", "nonce"]) secrets.add(searchParams.get(name) ?? "");
      const back = new URL(searchParams.get("redirect_uri") ?? "");
      back.search = new URLSearchParams({ code, state: searchParams.get("state") ?? "" }).toString();
      return back;
    },
    exchanges,
    who: FIRST,
    claims: {},
    refusal: undefined,
    idToken: undefined,
    secrets: () => [...secrets].filter((each) => each !== ""),
    stop: () => server.stop(true),
  };
  return issuer;
}

/** What an issuer has to refuse: another client, another way back, a verifier that is not the challenge's. */
function flawOf(form: URLSearchParams, asked: URLSearchParams | undefined): string | undefined {
  if (asked === undefined) return "unknown code";
  if (form.get("client_id") !== asked.get("client_id")) return "another client";
  if (form.get("redirect_uri") !== asked.get("redirect_uri")) return "another redirect_uri";
  const challenge = createHash("sha256")
    .update(form.get("code_verifier") ?? "")
    .digest("base64url");
  return challenge === asked.get("code_challenge") ? undefined : "the verifier does not fit";
}

function jwt(claims: Claims): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.${Buffer.from("signature").toString("base64url")}`;
}

export interface LoginRig extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly issuer: SmallIssuer;
  readonly flows: Flows;
  readonly tickets: Tickets;
  readonly url: string;
  readonly lines: readonly LogLine[];
  readonly kept: readonly (readonly [string, SignedIn])[];
  /** Where requests seem to come from instead of where they do. */
  peer: Peer | undefined;
  publicUrl: string | undefined;
  /** Makes keeping a login fail. */
  broken: boolean;
  /** A request to the gateway, redirects not followed; its answer is noted. */
  ask(path: string, init?: RequestInit): Promise<Shown>;
  /** A request to the callback listener. */
  call(url: string | URL, init?: RequestInit): Promise<Shown>;
  /** Signs in as a browser elsewhere would, up to the page with the form. */
  pastePage(query: string, headers?: Record<string, string>): Promise<PasteSession>;
  /** Everything shown and logged so far, but for the address of the issuer's page, which holds the state. */
  told(): string;
}

/** An answer, read. */
export interface Shown {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface PasteSession {
  readonly page: Shown;
  readonly cookie: string;
  readonly key: string;
  readonly authorizeUrl: string;
  post(
    address: string,
    more?: { cookie?: string; key?: string; headers?: Record<string, string> },
  ): Promise<Shown>;
}

export const ELSEWHERE: Peer = { address: "203.0.113.7", forwarded: false };

export interface RigOptions {
  readonly callbackPort?: number;
  /** `account` signs in; `key` has an API key. Others are added. */
  readonly names?: readonly string[];
  /** Whom the accounts were signed in as. */
  readonly identity?: Identity;
  /** Another issuer than the small one. */
  readonly site?: IssuerSite;
}

export function startRig(options: RigOptions = {}): LoginRig {
  const clock = new VirtualClock();
  const issuer = startSmallIssuer(clock);
  const lines: LogLine[] = [];
  const kept: (readonly [string, SignedIn])[] = [];
  const shown: string[] = [];
  const flows = createFlows({
    clock,
    callbackPort: options.callbackPort ?? 0,
    log: (line) => lines.push(line),
    async signIn(account, login) {
      if (rig.broken) throw new Error("the disk is full");
      kept.push([account, login]);
    },
  });
  const tickets = createTickets(clock);
  const guard = createGuard({
    clock,
    adminToken: () => ADMIN_TOKEN,
    publicUrl: () => rig.publicUrl,
    listenHost: () => "127.0.0.1",
  });
  const signing = ["account", ...(options.names ?? [])].map((name) => ({
    name,
    site: options.site ?? issuer.site,
    identity: options.identity,
  }));
  const routes = createLoginRoutes({
    flows,
    tickets,
    guard,
    clock,
    accounts: () => [...signing, { name: "key" }],
    publicUrl: () => rig.publicUrl,
  });
  const peerOf = createPeerFinder(() => []);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const peer = rig.peer ?? peerOf(request, server);
      // With a Host that cannot be one, Bun gives the path alone.
      const { pathname } = new URL(request.url, "http://localhost");
      if (pathname === "/auth/paste") return routes.paste(request, peer);
      if (pathname === "/auth/confirm") return routes.confirm(request, peer);
      return routes.login(request, peer);
    },
  });
  const note = async (request: Promise<Response>): Promise<Shown> => {
    const answer = await request;
    const text = await answer.text();
    const headers = [...answer.headers].filter(([name]) => name !== "location");
    shown.push(text.replaceAll(/href="http[^"]*"/g, ""), JSON.stringify(headers));
    return { status: answer.status, headers: answer.headers, text };
  };
  const rig: LoginRig = {
    clock,
    issuer,
    flows,
    tickets,
    url: `http://127.0.0.1:${server.port}`,
    lines,
    kept,
    peer: undefined,
    publicUrl: undefined,
    broken: false,
    ask: (path, init) => note(fetch(`${rig.url}${path}`, { redirect: "manual", ...init })),
    call: (url, init) => note(fetch(url, { redirect: "manual", ...init })),
    pastePage: async (query, headers = {}) =>
      session(rig, await rig.ask(`/auth/login?${query}`, { headers })),
    told: () => shown.join("\n") + JSON.stringify(lines),
    async [Symbol.asyncDispose]() {
      flows.close();
      await server.stop(true);
      await issuer.stop();
    },
  };
  return rig;
}

function session(rig: LoginRig, page: Shown): PasteSession {
  const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? "";
  const key = keyIn(page.text);
  const authorizeUrl = unescape(/href="(http[^"]*oauth\/authorize[^"]*)"/.exec(page.text)?.[1] ?? "");
  return {
    page,
    cookie,
    key,
    authorizeUrl,
    post: (address, more = {}) =>
      rig.ask("/auth/paste", {
        method: "POST",
        headers: { cookie: more.cookie ?? cookie, "sec-fetch-site": "same-origin", ...more.headers },
        body: new URLSearchParams({ key: more.key ?? key, address }),
      }),
  };
}

/** The hidden key of a page's form. */
export function keyIn(page: string): string {
  return /name="key" value="([^"]*)"/.exec(page)?.[1] ?? "";
}

function unescape(text: string): string {
  return text.replaceAll("&amp;", "&");
}
