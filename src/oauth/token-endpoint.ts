// Asks an issuer for tokens. A refresh token is good for one use, so its answer is read as leniently as can be: what
// is lost here has to be made again by a person.

import { type JsonObject, numberAt, objectAt, parseObject, stringAt } from "../core/json.ts";
import type { Clock } from "../core/ports.ts";
import { fetchThrough } from "../core/proxy.ts";
import { USER_AGENT } from "../core/version.ts";
import { expiryOf, identityOf } from "./claims.ts";
import type { Identity, Tokens } from "./login.ts";

export interface IssuerSite {
  /** Without a slash at its end. */
  readonly issuer: string;
  readonly clientId: string;
  readonly proxy: string | undefined;
}

export interface Grant {
  /** `access` is "" and has run out when the issuer sent a refresh token alone. */
  readonly tokens: Tokens;
  /** Members that the answer leaves out are undefined: who renews keeps what was known. */
  readonly identity: Identity;
  readonly idToken: string | undefined;
}

/** `final`: the grant is over, whoever tries. `passing`: anything else. */
export type Failure = "final" | "passing";

export class IssuerError extends Error {
  readonly kind: Failure;
  /** Short words for the operator. Never a secret, never the issuer's own text. */
  readonly reason: string;
  /** False when the request has certainly not arrived: a one-use token in it is still unused. */
  readonly reached: boolean;

  constructor(kind: Failure, reason: string, reached = true) {
    super(reason);
    this.name = "IssuerError";
    this.kind = kind;
    this.reason = reason;
    this.reached = reached;
  }
}

const CAP_MS = 30_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** For an access token that does not say in any way how long it lives. */
const DEFAULT_LIFE_MS = 600_000;
/** A clock that is off by less does no harm; the issuer's Date has whole seconds, and the answer has travelled. */
const SKEW_MS = 60_000;

const FINAL: ReadonlyMap<string, string> = new Map([
  ["invalid_grant", "the issuer does not accept it any more (invalid_grant)"],
  ["refresh_token_expired", "the refresh token has expired"],
  ["refresh_token_reused", "the refresh token was used before, by somebody else or by an earlier try"],
  ["refresh_token_invalidated", "the refresh token was invalidated"],
  ["refresh_token_revoked", "the login was revoked"],
]);

/** What fetch says when no connection came about, so that nothing can have been sent. */
const UNSENT =
  /^(?:ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|DNS|ERR_INVALID_URL)/;

/**
 * Posts a form to `{issuer}/oauth/token` (RFC 6749 §4.1.3, §6), once.
 * @throws IssuerError
 */
export async function requestTokens(
  site: IssuerSite,
  parameters: Readonly<Record<string, string>>,
  clock: Clock,
): Promise<Grant> {
  if (!isSafe(site.issuer)) throw new IssuerError("passing", "the issuer's address is not https", false);
  const { status, text, date } = await post(site, parameters, clock);
  const answer = parseObject(text);
  if (status >= 200 && status < 300) {
    const grant = answer && grantOf(answer, clock.wall(), date);
    if (grant !== undefined) return grant;
    throw new IssuerError("passing", `the issuer's answer holds no tokens (status ${status})`);
  }
  const code = codeOf(answer);
  const final = status >= 400 && status < 500 ? FINAL.get(code ?? "") : undefined;
  if (final !== undefined) throw new IssuerError("final", final);
  const detail = code !== undefined && /^[a-z_]{1,40}$/.test(code) ? `, ${code}` : "";
  throw new IssuerError("passing", `the issuer answered with an error (status ${status}${detail})`);
}

/** Tokens go over https, or stay on this machine. */
function isSafe(issuer: string): boolean {
  const url = URL.parse(issuer);
  if (url === null) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

interface TokenAnswer {
  readonly status: number;
  readonly text: string;
  /** The issuer's own time, epoch ms. */
  readonly date: number | undefined;
}

async function post(
  site: IssuerSite,
  parameters: Readonly<Record<string, string>>,
  clock: Clock,
): Promise<TokenAnswer> {
  const late = new AbortController();
  const stopTimer = clock.after(CAP_MS, () => late.abort());
  try {
    const response = await fetchThrough(site.proxy, `${site.issuer}/oauth/token`, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
        "user-agent": USER_AGENT,
      },
      body: new URLSearchParams(parameters).toString(),
      redirect: "manual",
      // On a connection that was used before, fetch would send it again by itself when that has gone stale.
      keepalive: false,
      signal: late.signal,
    });
    const date = Date.parse(response.headers.get("date") ?? "");
    const text = await readText(response);
    return { status: response.status, text, date: Number.isNaN(date) ? undefined : date };
  } catch (error) {
    if (error instanceof IssuerError) throw error;
    // The error itself may quote the request, so none of it goes on but its code.
    if (late.signal.aborted) throw new IssuerError("passing", "the issuer did not answer within 30 s");
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (UNSENT.test(code)) throw new IssuerError("passing", `the issuer cannot be reached (${code})`, false);
    throw new IssuerError("passing", `the connection to the issuer broke (${code})`);
  } finally {
    stopTimer();
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_ANSWER_BYTES)
      throw new IssuerError("passing", "the issuer's answer is too large to hold tokens");
  }
  return text + decoder.decode();
}

/** `{"error": "x"}` (RFC 6749 §5.2), `{"error": {"code": "x"}}` as OpenAI has it, or a bare code. */
function codeOf(answer: JsonObject | undefined): string | undefined {
  return stringAt(objectAt(answer, "error"), "code") ?? stringAt(answer, "error") ?? stringAt(answer, "code");
}

function grantOf(answer: JsonObject, wall: number, date: number | undefined): Grant | undefined {
  const access = filledAt(answer, "access_token") ?? "";
  const refresh = filledAt(answer, "refresh_token");
  if (access === "" && refresh === undefined) return undefined;
  const idToken = filledAt(answer, "id_token");
  const expiresAt = access === "" ? 0 : endOf(answer, access, { wall, date });
  return { tokens: { access, refresh, expiresAt }, identity: identityOf(idToken, access), idToken };
}

interface Now {
  readonly wall: number;
  readonly date: number | undefined;
}

/** Epoch ms by our clock at which a token ends that has just been given out. */
function endOf(answer: JsonObject, access: string, { wall, date }: Now): number {
  const seconds = secondsOf(answer);
  if (seconds !== undefined) return wall + seconds * 1_000;
  const end = expiryOf(access);
  if (end === undefined) return wall + DEFAULT_LIFE_MS;
  // `exp` is a time of the issuer's clock. By ours it might have passed already, and again after every renewal.
  const skew = date === undefined || Math.abs(date - wall) < SKEW_MS ? 0 : date - wall;
  const ours = end - skew;
  return ours > wall ? ours : wall + DEFAULT_LIFE_MS;
}

/** `expires_in` as a number or as text; undefined when it is none that a living token can have. */
function secondsOf(answer: JsonObject): number | undefined {
  const told = stringAt(answer, "expires_in");
  const seconds = told === undefined ? numberAt(answer, "expires_in") : Number(told);
  return seconds !== undefined && seconds > 0 && seconds < 1e10 ? seconds : undefined;
}

function filledAt(answer: JsonObject, key: string): string | undefined {
  const text = stringAt(answer, key)?.trim();
  return text === "" ? undefined : text;
}
