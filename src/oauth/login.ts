// What a login is made of. Everything here is secret but the identity, and the identity is the operator's business.

export interface Tokens {
  readonly access: string;
  readonly refresh: string | undefined;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** Who has signed in, as the issuer's tokens claim it. */
export interface Identity {
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly email: string | undefined;
  readonly plan: string | undefined;
}

export type LoginSource = "browser" | "device" | "paste" | "config" | "import" | "follow" | "token_state";

/** What a sign-in or an import brings. */
export interface SignedIn {
  readonly tokens: Tokens;
  readonly identity: Identity;
  readonly source: LoginSource;
  readonly issuer: string;
  readonly clientId: string;
  /** The file of another program that renews this login; we only read it. */
  readonly follow?: string | undefined;
}

/** The part of a configured account that its login depends on. */
export interface LoginAccount {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly proxy: string | undefined;
  /** `refresh_token` of the configuration. */
  readonly seed: string | undefined;
  /** `chatgpt_account_id` of the configuration; wins over the id token. */
  readonly accountId: string | undefined;
}

export type LoginStanding =
  | {
      readonly state: "ready";
      readonly generation: number;
      readonly identity: Identity;
      readonly source: LoginSource;
    }
  | {
      readonly state: "needs_login";
      readonly reason: string;
      /** Whom it was signed in as before, if ever. */
      readonly identity?: Identity | undefined;
    };
