// What can come of a sign-in, in whichever way it is done, and the question that is asked when somebody signs an
// account in as another identity than the one it had.

import type { Log } from "../core/ports.ts";
import type { Identity, SignedIn } from "./login.ts";
import type { IssuerSite } from "./token-endpoint.ts";

/** An account as a sign-in knows it. */
export interface SignInTarget {
  readonly name: string;
  readonly site: IssuerSite;
  /** Whom it was signed in as before, if ever. */
  readonly identity?: Identity | undefined;
}

/** How a sign-in ends. */
export type End =
  | { readonly kind: "signed-in"; readonly identity: Identity }
  /** The issuer said no; both texts are its own words: not to be trusted, not to be logged. */
  | { readonly kind: "denied"; readonly error: string; readonly description: string | undefined }
  /** The detail may name files: it is for the terminal of the operator only. */
  | { readonly kind: "failed"; readonly reason: string; readonly detail?: string }
  /** Another identity was not wanted: everything is as it was. */
  | { readonly kind: "kept" }
  /** Nobody came back in time, or the program ends. */
  | { readonly kind: "expired" };

export interface Question {
  readonly kind: "question";
  readonly had: Identity;
  readonly got: Identity;
  /** Answers it, once; a second answer gets the end of the first. */
  confirm(yes: boolean): Promise<End>;
}

/** An answer that belongs to no open sign-in, or to another one: nothing has happened. */
export interface Stray {
  readonly kind: "stray";
  readonly why: "unknown" | "used" | "unreadable";
}

export type Step = End | Question | Stray;

export interface Keeping {
  /** Keeps a login. May throw. */
  readonly signIn: (account: string, login: SignedIn) => Promise<void>;
  readonly log: Log;
}

/** Keeps a login that has come, or asks first. Never throws. */
export async function conclude(
  target: SignInTarget,
  login: SignedIn,
  keeping: Keeping,
): Promise<End | Question> {
  const { identity: had } = target;
  if (had === undefined || isSame(had, login.identity)) return keep(target.name, login, keeping);
  let answered: Promise<End> | undefined;
  const confirm = (yes: boolean): Promise<End> => {
    answered ??= yes ? keep(target.name, login, keeping) : Promise.resolve({ kind: "kept" });
    return answered;
  };
  return { kind: "question", had, got: login.identity, confirm };
}

async function keep(account: string, login: SignedIn, { signIn, log }: Keeping): Promise<End> {
  try {
    await signIn(account, login);
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown";
    log({ level: "error", event: "login-not-saved", fields: { account, error: why } });
    return { kind: "failed", reason: "the login could not be saved", detail: why };
  }
  return { kind: "signed-in", identity: login.identity };
}

/** Workspaces are shared by several people, so both ids count; one that is not known says nothing. */
function isSame(had: Identity, got: Identity): boolean {
  const agree = (a: string | undefined, b: string | undefined): boolean =>
    a === undefined || b === undefined || a === b;
  return agree(had.accountId, got.accountId) && agree(had.userId, got.userId);
}
