// What the scripted issuer has given out: codes, and families of tokens. A family is everything that came of one
// signing-in; presenting any used-up refresh token of it again revokes all of it, access tokens too.

import { createHash, randomBytes } from "node:crypto";
import type { IssuerAccount, IssuerScript, RevokedFamily } from "./issuer-types.ts";

const AUTH_CLAIM = "https://api.openai.com/auth";

/** A grant that is refused: the error code, and how the wire has it. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Family {
  readonly id: string;
  readonly account: IssuerAccount;
  clientId: string | undefined;
  revoked: boolean;
  /** The one refresh token that is good now. */
  live: string;
}

interface Refresh {
  readonly family: Family;
  expired: boolean;
}

interface AccessToken {
  readonly family: Family;
  readonly expiresAt: number;
  revoked: boolean;
}

export interface Code {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly nonce: string | undefined;
  readonly account: IssuerAccount;
  readonly expiresAt: number;
  /** The family it was exchanged for. */
  family?: Family;
}

/** Tokens for an answer; `refresh` is undefined when the old one stays. */
export interface Minted {
  readonly family: Family;
  readonly access: string;
  readonly id: string;
  readonly refresh: string | undefined;
  readonly lifetimeMs: number;
}

/** How tokens of one answer are to look. */
export interface Look {
  readonly nonce?: string | undefined;
  readonly lifetimeMs: number;
  readonly idClaims?: IssuerScript["idClaims"];
  readonly opaqueAccess?: boolean | undefined;
}

/** The scripted issuer's name for a token in its ledger, which does not tell it. */
export function shortId(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 12);
}

export function randomText(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

export class TokenVault {
  readonly #families = new Map<string, Family>();
  readonly #refreshes = new Map<string, Refresh>();
  readonly #accesses = new Map<string, AccessToken>();
  readonly #codes = new Map<string, Code>();
  readonly #presented = new Map<string, number>();
  readonly secrets = new Set<string>();
  readonly revocations: RevokedFamily[] = [];
  reuses = 0;
  readonly #issuer: () => string;
  readonly #now: () => number;

  constructor(issuer: () => string, now: () => number) {
    this.#issuer = issuer;
    this.#now = now;
  }

  get presented(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#presented);
  }

  presentations(refresh: string): number {
    return this.#presented.get(shortId(refresh)) ?? 0;
  }

  newFamily(account: IssuerAccount, clientId: string | undefined): Family {
    const family = { id: `family-${this.#families.size + 1}`, account, clientId, revoked: false, live: "" };
    this.#families.set(family.id, family);
    return family;
  }

  newCode(code: Code): string {
    const text = `ac_${randomText()}`;
    this.#codes.set(text, code);
    this.secrets.add(text);
    return text;
  }

  /** A new access token and id token, and the family's next refresh token unless the old one stays. */
  mint(family: Family, look: Look, rotate: boolean): Minted {
    const now = this.#now();
    const times = { iat: seconds(now), exp: seconds(now + look.lifetimeMs) };
    const { account } = family;
    const auth = {
      chatgpt_account_id: account.accountId,
      chatgpt_plan_type: account.plan,
      chatgpt_user_id: account.userId,
      user_id: account.userId,
    };
    const common = { iss: this.#issuer(), sub: `auth|${account.userId}`, ...times, jti: randomText(8) };
    const access = look.opaqueAccess
      ? `at_${randomText()}`
      : token({
          ...common,
          aud: ["https://api.openai.com/v1"],
          client_id: family.clientId,
          [AUTH_CLAIM]: auth,
        });
    const id = token({
      ...common,
      aud: [family.clientId ?? "nobody"],
      nonce: look.nonce,
      email: account.email,
      email_verified: true,
      [AUTH_CLAIM]: auth,
      ...replaced(look.idClaims),
    });
    this.#accesses.set(access, { family, expiresAt: now + look.lifetimeMs, revoked: false });
    const refresh = rotate ? this.#rotate(family) : undefined;
    for (const secret of [access, id, refresh]) if (secret !== undefined) this.secrets.add(secret);
    return { family, access, id, refresh, lifetimeMs: look.lifetimeMs };
  }

  /** @throws Refused */
  redeem(
    text: string,
    client: { readonly clientId: string; readonly redirectUri: string },
    verifier: string,
  ): Code {
    const code = this.#codes.get(text);
    if (code === undefined) throw grantError("no such code");
    if (code.family !== undefined) {
      this.revoke(code.family.id, "code_replay");
      throw grantError("the code has been used");
    }
    if (code.expiresAt <= this.#now()) throw grantError("the code has expired");
    if (code.clientId !== client.clientId) throw grantError("the code was issued to another client");
    if (code.redirectUri !== client.redirectUri)
      throw grantError("redirect_uri is not the one of the request");
    if (!/^[A-Za-z0-9\-._~]{43,128}$/.test(verifier)) throw grantError("code_verifier is not well formed");
    if (challengeOf(verifier) !== code.challenge) throw grantError("code_verifier does not fit");
    return code;
  }

  /** Counts a presentation, whatever becomes of it; the family, if the token is known. */
  present(refresh: string): Family | undefined {
    const id = shortId(refresh);
    this.#presented.set(id, (this.#presented.get(id) ?? 0) + 1);
    this.secrets.add(refresh);
    return this.#refreshes.get(refresh)?.family;
  }

  /**
   * The family that may have new tokens.
   * @throws Refused; a used-up token revokes its family first
   */
  refreshed(refresh: string, clientId: string): Family {
    const known = this.#refreshes.get(refresh);
    if (known === undefined) throw refreshError("refresh_token_invalidated");
    const { family } = known;
    if (family.clientId !== undefined && family.clientId !== clientId)
      throw new Refused(401, "invalid_client", "the token was issued to another client");
    if (family.live !== refresh) {
      this.reuses += 1;
      this.revoke(family.id, "reuse");
      throw refreshError("refresh_token_reused");
    }
    if (family.revoked) throw refreshError("refresh_token_invalidated");
    if (known.expired) throw refreshError("refresh_token_expired");
    family.clientId = clientId;
    return family;
  }

  revoke(id: string, reason: RevokedFamily["reason"]): void {
    const family = this.#families.get(id);
    if (family === undefined) throw new Error(`no family ${id}`);
    if (family.revoked) return;
    family.revoked = true;
    this.revocations.push({ family: id, reason });
  }

  familyOf(anyToken: string): Family | undefined {
    return this.#refreshes.get(anyToken)?.family ?? this.#accesses.get(anyToken)?.family;
  }

  family(id: string): Family | undefined {
    return this.#families.get(id);
  }

  isAccess(access: string): boolean {
    const known = this.#accesses.get(access);
    return known !== undefined && !known.revoked && !known.family.revoked && known.expiresAt > this.#now();
  }

  revokeAccess(access: string): void {
    const known = this.#accesses.get(access);
    if (known === undefined) throw new Error("no such access token");
    known.revoked = true;
  }

  expireRefresh(refresh: string): void {
    const known = this.#refreshes.get(refresh);
    if (known === undefined) throw new Error("no such refresh token");
    known.expired = true;
  }

  #rotate(family: Family): string {
    const next = `rt_${randomText()}`;
    this.#refreshes.set(next, { family, expired: false });
    family.live = next;
    return next;
  }
}

function grantError(message: string): Refused {
  return new Refused(400, "invalid_grant", message);
}

function refreshError(code: string): Refused {
  return new Refused(401, code, "sign in again");
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function replaced(claims: IssuerScript["idClaims"] = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, value ?? undefined]));
}

/** The shape of a JWT with a signature that is none: clients that got it from the issuer itself need not check it. */
function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT", kid: "scripted" })}.${part(claims)}.${randomText(64)}`;
}
