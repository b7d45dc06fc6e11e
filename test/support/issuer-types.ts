// What a scripted issuer is told and what it tells. Everything but `Issuer` itself goes through JSON unchanged, so that
// an issuer in a process of its own (issuer-process.ts) can be scripted in the same words.

/** Whoever signs in; becomes the claims of the tokens. */
export interface IssuerAccount {
  readonly accountId: string;
  readonly userId: string;
  readonly email: string;
  readonly plan: string;
}

/**
 * What the user does at `/oauth/authorize`: `grant` and `deny` answer at once, `page` shows a page with both links.
 * The others are broken redirects: a state of somebody else, none, no code, or a code that was never issued.
 */
export type Consent = "grant" | "deny" | "page" | "wrong-state" | "no-state" | "no-code" | "wrong-code";

/** Mutable: a test changes them as it goes. */
export interface IssuerSettings {
  consent: Consent;
  /** Who signs in next, in a browser or with a device code. */
  account: IssuerAccount;
  /** How long an access token lives, in ms. */
  lifetimeMs: number;
  /** `error` and `error_description` of a denial. */
  denial: { readonly error: string; readonly description: string };
  /** What a device flow is told to wait between two polls, in seconds; the wire has it as text. */
  deviceInterval: string;
}

/** Where a script takes effect: a grant of the token endpoint, or one of the two calls of a device flow. */
export type IssuerStep = "authorization_code" | "refresh_token" | "usercode" | "device_poll";

export type TokenField = "access_token" | "refresh_token" | "id_token" | "token_type" | "expires_in";

/**
 * `silence` never answers, `drop` is RST, `hang-up` is FIN without a byte. `without` leaves members out; a refresh that
 * is not told a new refresh token keeps its old one. `replace` puts other values in their place.
 */
export type ScriptedAnswer =
  | "silence"
  | "drop"
  | "hang-up"
  | { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: number; readonly html: string }
  | { readonly redirect: string; readonly status?: 301 | 302 | 307 | 308 }
  | { readonly without: readonly TokenField[] }
  | { readonly replace: Readonly<Record<string, unknown>> };

/** What happens to one call. Without members: what an issuer in good health does. */
export interface IssuerScript {
  /** Only for this step; without it, for either grant of the token endpoint. */
  readonly on?: IssuerStep;
  /** Waits so many ms, or until `release()`. It goes on although the client leaves: the request has arrived. */
  readonly wait?: number | "release";
  /** Whether the wait comes before the grant is judged and its token used up (so without this), or after. */
  readonly waitAt?: "before" | "after";
  readonly answer?: ScriptedAnswer;
  /**
   * Judges the grant and uses its token up although the answer does not tell: the window in which a login can be
   * lost. Without it, an answer that is not the issuer's own leaves everything as it was.
   */
  readonly rotate?: boolean;
  /** Other claims for the id token; null leaves one out. */
  readonly idClaims?: Readonly<Record<string, unknown>>;
  /** An access token that is no JWT, so that nobody can read its `exp`. */
  readonly opaqueAccess?: boolean;
}

/**
 * `issued`: new tokens. `kept`: a new access token under the old refresh token. `reused`: a refresh token that had been
 * used up, its family is revoked. `refused`: anything else wrong (see `error`). `scripted`: nothing was looked at.
 */
export type TokenOutcome = "pending" | "issued" | "kept" | "reused" | "refused" | "scripted";

/** One POST to the token endpoint. */
export interface TokenPost {
  /** From 1. */
  readonly number: number;
  /** Epoch ms. */
  readonly at: number;
  readonly grant: string;
  readonly format: "form" | "json" | "neither";
  readonly clientId: string | undefined;
  /** `shortId` of the refresh token presented. */
  readonly token: string | undefined;
  readonly family: string | undefined;
  readonly outcome: TokenOutcome;
  /** The error code that was answered or would have been. */
  readonly error: string | undefined;
  /** Whether the whole answer was handed to the kernel; not whether the client has read it. */
  readonly told: boolean;
}

/** What `GET /oauth/authorize` was asked. */
export interface AuthorizeRequest {
  readonly parameters: Readonly<Record<string, string>>;
  /** What was wrong with it; empty when it was admitted. */
  readonly problems: readonly string[];
}

export interface RevokedFamily {
  readonly family: string;
  readonly reason: "reuse" | "code_replay" | "logout" | "test";
}

export interface Seed extends Partial<IssuerAccount> {
  /** The only client that may refresh; without it, the first that does. */
  readonly clientId?: string;
  /** For the first access token; a negative one has run out. */
  readonly lifetimeMs?: number;
}

export interface SeededLogin {
  readonly family: string;
  readonly account: IssuerAccount;
  readonly refresh: string;
  readonly access: string;
  readonly id: string;
  /** Of the access token, epoch ms. */
  readonly expiresAt: number;
}

export interface IssuerLedger {
  readonly posts: readonly TokenPost[];
  readonly authorizations: readonly AuthorizeRequest[];
  /** Presentations of a refresh token that had been used up. */
  readonly reuses: number;
  readonly revokedFamilies: readonly RevokedFamily[];
  /** How often each refresh token was presented, by `shortId`, whatever the answer. */
  readonly presented: Readonly<Record<string, number>>;
}

/** What both an issuer in this process and one in another can do. */
export interface IssuerOptions {
  /** The only client id admitted; without it any, but each grant only to the client it was made for. */
  readonly clientId?: string;
  readonly settings?: Partial<IssuerSettings>;
  /** Epoch ms, for `exp` and all that expires; the real time without it. */
  readonly now?: () => number;
}

export interface Issuer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at the end: also the `iss` of its tokens. */
  readonly url: string;
  readonly settings: IssuerSettings;
  /** A login that nobody had to sign in for. */
  seed(seed?: Seed): SeededLogin;
  /** For the next calls, one each, in this order. */
  script(...scripts: readonly IssuerScript[]): void;
  /** For all calls that no script is left for; `{}` is good health. */
  always(script: IssuerScript): void;
  /** Scripts nobody has called for yet. */
  readonly scriptsLeft: number;
  /** Calls that wait for `release`. */
  readonly waiting: number;
  /** Lets go those that wait now. */
  release(): void;
  readonly ledger: IssuerLedger;
  /** How often a refresh token was presented, whatever the answer. */
  presentations(refresh: string): number;
  /** Valid now: known, not run out, not revoked. */
  isAccess(token: string): boolean;
  /** The account an access token was issued for, valid or not. */
  accountOf(access: string): IssuerAccount | undefined;
  /** The refresh token a family would accept now. */
  liveRefresh(family: string): string | undefined;
  /** The tokens still look fit but are not accepted any more. */
  revokeAccess(token: string): void;
  expireRefresh(token: string): void;
  revokeFamily(family: string): void;
  /** @throws when no device flow has this code */
  approveDevice(userCode: string, account?: IssuerAccount): void;
  /** Every code, token, verifier and state ever issued or seen: none of them may turn up anywhere else. */
  secrets(): readonly string[];
  close(): Promise<void>;
}

export const PERSON: IssuerAccount = {
  accountId: "account-one",
  userId: "user-one",
  email: "one@example.com",
  plan: "plus",
};
