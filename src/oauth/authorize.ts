// The authorization code flow with PKCE: where the browser is sent, how its answer is read, what the code is
// exchanged for. (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1.3.7)

import { decodeJwt, type JWTPayload } from "jose";
import {
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  validateAuthResponse,
} from "oauth4webapi";
import type { Clock } from "../core/ports.ts";
import type { LoginSource, SignedIn } from "./login.ts";
import { type Grant, IssuerError, type IssuerSite, requestTokens } from "./token-endpoint.ts";

/** What one sign-in is recognised by. All four are secret until it has ended. */
export interface Proof {
  /** 256 random bits each, base64url. */
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly challenge: string;
}

const SCOPE = "openid profile email offline_access";
/** Who asks; our own name. */
const ORIGINATOR = "sub2api_simple";
/** How far this machine's clock may be off. */
const SKEW_SECONDS = 300;
const MAX_WORDS = 300;

export async function createProof(): Promise<Proof> {
  const verifier = generateRandomCodeVerifier();
  const challenge = await calculatePKCECodeChallenge(verifier);
  return { state: generateRandomState(), nonce: generateRandomNonce(), verifier, challenge };
}

/** Where the browser goes to sign in. It holds the state: for that browser only. */
export function authorizeUrl(site: IssuerSite, proof: Proof, redirectUri: string): string {
  const url = new URL(`${site.issuer}/oauth/authorize`);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: site.clientId,
    redirect_uri: redirectUri,
    scope: SCOPE,
    code_challenge: proof.challenge,
    code_challenge_method: "S256",
    state: proof.state,
    nonce: proof.nonce,
    // Two switches of OpenAI's issuer: the workspaces go into the id token, and its page for local programs is shown.
    id_token_add_organizations: "true",
    codex_cli_simplified_flow: "true",
    originator: ORIGINATOR,
  }).toString();
  return url.href;
}

export type Answer =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "denied"; readonly error: string; readonly description: string | undefined }
  | { readonly kind: "unreadable" };

/** What the issuer sent back through the browser, once its state is known to be this proof's. */
export function readAnswer(parameters: URLSearchParams, site: IssuerSite, state: string): Answer {
  const told = parameters.get("iss");
  const issuer = told !== null && isIssuer(told, site) ? told : site.issuer;
  try {
    const checked = validateAuthResponse({ issuer }, { client_id: site.clientId }, parameters, state);
    const [code = "", another] = checked.getAll("code");
    return code === "" || another !== undefined ? { kind: "unreadable" } : { kind: "code", code };
  } catch (error) {
    // The causes of these errors hold the code: none of them may go on.
    if (!(error instanceof AuthorizationResponseError)) return { kind: "unreadable" };
    const { error: name, error_description: description } = error;
    return { kind: "denied", error: shortened(name), description: description && shortened(description) };
  }
}

export interface Exchange {
  readonly site: IssuerSite;
  readonly code: string;
  readonly verifier: string;
  /** The same as in the request for the code (RFC 6749 §4.1.3). */
  readonly redirectUri: string;
  /** Undefined where the issuer was given none. */
  readonly nonce?: string | undefined;
  readonly source: LoginSource;
}

/** Exchanges a code for a login. @throws IssuerError */
export async function exchangeCode(exchange: Exchange, clock: Clock): Promise<SignedIn> {
  const { site, code, verifier, redirectUri, nonce, source } = exchange;
  const grant = await requestTokens(
    site,
    {
      grant_type: "authorization_code",
      client_id: site.clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    },
    clock,
  );
  const flaw = idTokenFlaw(grant, { site, nonce, wall: clock.wall() });
  if (flaw !== undefined) throw new IssuerError("final", flaw);
  return {
    tokens: grant.tokens,
    identity: grant.identity,
    source,
    issuer: site.issuer,
    clientId: site.clientId,
  };
}

interface Expected {
  readonly site: IssuerSite;
  readonly nonce: string | undefined;
  /** Epoch ms. */
  readonly wall: number;
}

/**
 * Why an id token is not for us, if so. It came from the issuer itself, so its signature is not looked at (OpenID
 * Connect Core §3.1.3.7, 6). Without one there is nothing to mistake: state and PKCE have tied the code to this sign-in.
 */
function idTokenFlaw({ idToken }: Grant, { site, nonce, wall }: Expected): string | undefined {
  if (idToken === undefined) return undefined;
  let claims: JWTPayload;
  try {
    claims = decodeJwt(idToken);
  } catch {
    return "the issuer sent an id token that cannot be read";
  }
  const { iss, aud, exp } = claims;
  if (typeof iss !== "string" || !isIssuer(iss, site)) return "the id token comes from another issuer";
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(site.clientId)) return "the id token is meant for another client";
  if (typeof exp !== "number" || exp + SKEW_SECONDS < wall / 1_000)
    return "the id token has expired; check the clock of this machine";
  const { nonce: told } = claims;
  if (told !== undefined && told !== nonce) return "the id token belongs to another sign-in";
  return undefined;
}

/** Issuers differ in whether they write the last slash. */
function isIssuer(told: string, { issuer }: IssuerSite): boolean {
  return told.replace(/\/$/, "") === issuer.replace(/\/$/, "");
}

function shortened(words: string): string {
  return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}…` : words;
}

/**
 * What somebody copied from the address bar: the whole address, with or without its scheme, or only the part behind
 * the question mark. Undefined when there is nothing of the kind in it.
 */
export function readPasted(text: string): URLSearchParams | undefined {
  const line = text.trim().replace(/^["'<]|["'>]$/g, "");
  const query = line.slice(line.indexOf("?") + 1).replace(/#.*$/s, "");
  const parameters = new URLSearchParams(query);
  if (!parameters.has("state")) return undefined;
  return parameters.has("code") || parameters.has("error") ? parameters : undefined;
}
