// What `import` needs of the world: files with logins, and the logins that the gateway keeps.

import type { Config } from "../config/schema.ts";
import type { Io } from "./io.ts";
import type { Who } from "./who.ts";

/** A login as `import` looks at it; the tokens only pass through. */
export interface FoundLogin {
  readonly tokens: {
    readonly access: string;
    readonly refresh: string | undefined;
    /** Epoch ms; 0 when it is not known. */
    readonly expiresAt: number;
  };
  readonly identity: Who;
  /** Where it can be renewed, and as which client; undefined when only the config knows. */
  readonly site:
    | {
        readonly issuer: string;
        readonly clientId: string;
        /** Whether each is what an account has when its config does not name it. */
        readonly usual: { readonly issuer: boolean; readonly clientId: boolean };
      }
    | undefined;
}

export interface LoginFile {
  readonly kind: "codex" | "token_state";
  /** By account name; Codex's has none, and is called so. */
  readonly logins: ReadonlyMap<string, FoundLogin>;
}

/** What the command needs of the logins. */
export interface ImportDesk {
  /** Who a configured account is signed in as; undefined while it has to sign in, or where no login is kept. */
  identity(name: string): Who | undefined;
  /**
   * Keeps a login durably, in place of the one before. Where it can be renewed is the login's `site`, or else the
   * account's. `follow`: the file it is read from again and again.
   * @throws with words for the operator
   */
  signIn(name: string, login: FoundLogin, source: LoginSource, follow: string | undefined): Promise<void>;
  /** Waits until everything is saved. */
  close(): Promise<void>;
}

export type LoginSource = "import" | "follow" | "token_state";

export interface ImportTools {
  /** @throws with words for the operator; `problem` is "missing" when there is no such file */
  readonly read: (path: string) => Promise<LoginFile>;
  /** Opens the logins of a config, which may be a little ahead of its file. @throws with words for the operator */
  readonly open: (config: Config, env: Io["env"]) => Promise<ImportDesk>;
}
