// Signing in through the gateway's own port: who may begin, and the way of a browser that runs elsewhere.

import type { Clock } from "../core/ports.ts";
import { PortBusyError } from "./callback.ts";
import { FLOW_MS, type Flow } from "./flow.ts";
import { type Flows, TooManyFlowsError } from "./flows.ts";
import { type Form, readForm } from "./form.ts";
import {
  endPage,
  messagePage,
  pastePage,
  portBusyPage,
  privateHeaders,
  questionPage,
  STRAY_WORDS,
} from "./pages.ts";
import type { SignInTarget, Step } from "./steps.ts";
import type { Tickets } from "./tickets.ts";

/** Where a request came from. */
export interface Peer {
  readonly address: string;
  /** Whether a proxy says that it passed the request on. */
  readonly forwarded: boolean;
}

/** The checks of the gateway's own port. */
export interface LoginGuard {
  /** Whether the request names a host of ours. */
  ownHost(request: Request): boolean;
  /** A browser on this machine, and no proxy between. */
  isLocal(request: Request, peer: Peer): boolean;
  /** What the request's admin token is worth. */
  admin(request: Request, peer: Peer): "none" | "right" | "wrong" | "limited";
}

export interface LoginRouteOptions {
  readonly flows: Flows;
  /** Every configured account; `site` only where it signs in. */
  readonly accounts: () => readonly (Omit<SignInTarget, "site"> & Partial<Pick<SignInTarget, "site">>)[];
  readonly tickets: Tickets;
  readonly guard: LoginGuard;
  readonly clock: Clock;
  /** Where people reach the gateway, if not at the address it listens on; without a slash at its end. */
  readonly publicUrl: () => string | undefined;
}

export type LoginRoute = (request: Request, peer: Peer) => Promise<Response>;

export interface LoginRoutes {
  /** GET /auth/login?account=NAME[&ticket=TICKET][&paste=1] */
  readonly login: LoginRoute;
  /** POST /auth/paste */
  readonly paste: LoginRoute;
  /** POST /auth/confirm */
  readonly confirm: LoginRoute;
}

const COOKIE = "sub2api_flow";
const MINUTE_SECONDS = 60;

export function createLoginRoutes(options: LoginRouteOptions): LoginRoutes {
  return {
    login: (request, peer) => login(options, request, peer),
    paste: (request) => withFlow(options, request, (flow, fields) => paste(options, flow, fields)),
    confirm: (request) => withFlow(options, request, (flow, fields) => confirm(options, flow, fields)),
  };
}

async function login(options: LoginRouteOptions, request: Request, peer: Peer): Promise<Response> {
  const { flows, guard, accounts } = options;
  if (!guard.ownHost(request)) return misdirected();
  const { headers, method, url } = request;
  // Previews and prefetches must neither open a sign-in nor use up a ticket.
  if (method !== "GET" || /prefetch|preview/.test(headers.get("sec-purpose") ?? headers.get("purpose") ?? ""))
    return messagePage(405, "Nothing was begun", "Open this address in a browser.", { allow: "GET" });
  const { searchParams } = new URL(url);
  const name = searchParams.get("account") ?? "";
  const local = guard.isLocal(request, peer) && !isFromElsewhere(headers);
  const open = flowOf(flows, request);
  if (!local && open?.target.name === name) return pasteForm(options, open, 200);
  const right = local ? "right" : rightOf(options, request, peer);
  if (right === "busy") return tooMany();
  if (right !== "right") return right === "limited" ? limited() : notAllowed();
  const target = accounts().find((each) => each.name === name);
  if (target === undefined) return unknownAccount(name);
  const { site, identity } = target;
  if (site === undefined) return notOauth(name);
  const mode = local && !searchParams.has("paste") ? "browser" : "paste";
  try {
    const flow = await flows.begin({ name, site, identity }, mode);
    return mode === "browser" ? redirect(flow.url) : pasteForm(options, flow, 200);
  } catch (error) {
    if (error instanceof TooManyFlowsError) return tooMany();
    if (error instanceof PortBusyError) return portBusyPage(name, error.port);
    throw error;
  }
}

type Right = "right" | "wrong" | "limited" | "busy";

/** A ticket is used up only when a sign-in can be opened for it. */
function rightOf(options: LoginRouteOptions, request: Request, peer: Peer): Right {
  const { searchParams } = new URL(request.url);
  const ticket = searchParams.get("ticket");
  if (ticket !== null) {
    if (options.flows.full) return "busy";
    if (options.tickets.take(ticket, searchParams.get("account") ?? "")) return "right";
  }
  const admin = options.guard.admin(request, peer);
  return admin === "none" ? "wrong" : admin;
}

/** Another site's page could otherwise open sign-ins in the browser of whoever looks at it. */
function isFromElsewhere(headers: Headers): boolean {
  return !["none", "same-origin"].includes(headers.get("sec-fetch-site") ?? "none");
}

type Fields = URLSearchParams;

/** A form of the session's own pages: right host, right site, right cookie, right key. */
async function withFlow(
  options: LoginRouteOptions,
  request: Request,
  work: (flow: Flow, fields: Fields) => Promise<Response>,
): Promise<Response> {
  if (!options.guard.ownHost(request)) return misdirected();
  const home = options.publicUrl();
  const origins = home === undefined ? [] : [new URL(home).origin];
  const form: Form = await readForm(request, options.clock, origins);
  if (!form.ok) return messagePage(form.status, "Nothing was signed in", form.why);
  const flow = flowOf(options.flows, request);
  if (flow === undefined) return noSession();
  if (!flow.form.matches(form.fields.get("key") ?? ""))
    return messagePage(
      403,
      "Nothing was signed in",
      "This form belongs to another sign-in. Reload its page.",
    );
  return work(flow, form.fields);
}

async function paste(options: LoginRouteOptions, flow: Flow, fields: Fields): Promise<Response> {
  const step = await flow.paste(fields.get("address") ?? "");
  if (step.kind === "stray") return pasteForm(options, flow, 400, STRAY_WORDS[step.why]);
  if (step.kind === "question") return questionPage(flow.target.name, step, flow.form.text);
  if (step.kind === "denied" || step.kind === "failed") return pasteAgain(options, flow, step);
  return endPage(flow.target.name, step, { "set-cookie": cookie(options, "", 0) });
}

/** The session has shown its right: it may try once more without another ticket. */
async function pasteAgain(
  options: LoginRouteOptions,
  { target }: Flow,
  step: Exclude<Step, { kind: "question" | "stray" }>,
): Promise<Response> {
  try {
    const flow = await options.flows.begin(target, "paste");
    return pasteForm(options, flow, step.kind === "failed" ? 502 : 400, againWords(step));
  } catch (error) {
    if (error instanceof TooManyFlowsError) return endPage(target.name, step);
    throw error;
  }
}

function againWords(step: Step): string {
  if (step.kind === "failed")
    return `That did not work: ${step.reason}. Nothing was changed; you can try again.`;
  if (step.kind !== "denied") return "Nothing was changed; you can try again.";
  const said = step.description === undefined ? step.error : `${step.error}: ${step.description}`;
  return `The issuer did not grant it (${said}). Nothing was changed; you can try again.`;
}

async function confirm(options: LoginRouteOptions, flow: Flow, fields: Fields): Promise<Response> {
  const end = await flow.confirm(fields.get("answer") === "yes");
  return endPage(flow.target.name, end, { "set-cookie": cookie(options, "", 0) });
}

function pasteForm(options: LoginRouteOptions, flow: Flow, status: number, notice?: string): Response {
  const { question, target, url, form } = flow;
  if (question !== undefined) return questionPage(target.name, question, form.text);
  const port = options.flows.callbackPort;
  const shown = { account: target.name, url, formKey: form.text, port };
  return pastePage(notice === undefined ? shown : { ...shown, notice }, status, {
    "set-cookie": cookie(options, flow.session.text, FLOW_MS / 1_000),
  });
}

/** The open flow that the request's cookie holds the session of. */
function flowOf(flows: Flows, request: Request): Flow | undefined {
  const pairs = (request.headers.get("cookie") ?? "").split(";").map((pair) => pair.trim());
  const found = pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
  return found === undefined || found === "" ? undefined : flows.find("session", found);
}

function cookie({ publicUrl }: LoginRouteOptions, value: string, seconds: number): string {
  const home = URL.parse(publicUrl() ?? "");
  const secure = home?.protocol === "https:" ? "; Secure" : "";
  // Behind a path of its own the browser knows best where the page lay (RFC 6265 §5.1.4).
  const path = home === null || home.pathname === "/" ? "; Path=/auth" : "";
  return `${COOKIE}=${value}; HttpOnly; SameSite=Strict${path}; Max-Age=${seconds}${secure}`;
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { ...privateHeaders(), location } });
}

function misdirected(): Response {
  return messagePage(
    421,
    "Not under this name",
    "The gateway is not known by the name in this address. Use localhost, or set public_url in its config.",
  );
}

function notAllowed(): Response {
  return messagePage(
    401,
    "Not allowed",
    "Open this address itself in a browser on the gateway's machine, or use a sign-in link of the gateway. A link works once, for one hour.",
  );
}

function limited(): Response {
  return messagePage(429, "Too many attempts", "Wait a minute, then try again.", {
    "retry-after": String(MINUTE_SECONDS),
  });
}

function tooMany(): Response {
  return messagePage(
    429,
    "Too many sign-ins are open",
    "Finish one of them, or wait: each ends after 10 minutes at the latest.",
    { "retry-after": String(MINUTE_SECONDS) },
  );
}

function unknownAccount(name: string): Response {
  return messagePage(404, "No such account", `The gateway's config has no account named "${name}".`);
}

function notOauth(name: string): Response {
  return messagePage(
    400,
    "This account does not sign in",
    `"${name}" is not an OpenAI account of type oauth: it has its credential in the config.`,
  );
}

function noSession(): Response {
  return messagePage(
    401,
    "No sign-in is open here",
    "It has ended, or was begun in another browser. Begin once more where you began, and paste in the same browser.",
  );
}
