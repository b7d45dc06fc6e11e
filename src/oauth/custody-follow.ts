// Logins that another program renews: its file is read, never written, and nothing is presented to the issuer.

import type { Clock, Log } from "../core/ports.ts";
import { type LoginDocument, mergeIdentity } from "./custody-document.ts";
import type { Held } from "./custody-held.ts";
import { LoginFileError } from "./foreign-file.ts";
import type { Identity, Tokens } from "./login.ts";

export interface Followed {
  /** `expiresAt` is 0 when the access token does not say. The refresh token is not ours to use. */
  readonly tokens: Tokens;
  readonly identity: Identity;
}

export interface FollowOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** @throws when there is no login in the file; LoginFileError has words for the operator */
  readonly read: (path: string) => Promise<Followed>;
}

/** A token that does not say when it ends is looked at again after so long. */
const UNKNOWN_LIFE_MS = 600_000;

export interface Follower {
  /** Looks into the file of a followed login, once at a time. Never throws. */
  look(held: Held): Promise<void>;
}

export function createFollower(options: FollowOptions): Follower {
  const looking = new Map<Held, Promise<void>>();
  return {
    look(held) {
      const under = looking.get(held);
      if (under !== undefined) return under;
      const look = lookInto(held, options).finally(() => looking.delete(held));
      looking.set(held, look);
      return look;
    },
  };
}

async function lookInto(held: Held, { clock, log, read }: FollowOptions): Promise<void> {
  const path = held.document?.follow;
  if (path === undefined) return;
  let found: Followed | string;
  try {
    found = await read(path);
  } catch (error) {
    found = error instanceof LoginFileError ? error.message : `${path} cannot be read`;
  }
  const { document } = held;
  // A sign-in may have come meanwhile.
  if (document?.follow !== path) return;
  const next = typeof found === "string" ? undefined : followedBy(document, found, clock.wall());
  if (next !== undefined) held.take(next, held.version);
  if (held.isUsable) return;
  const reason =
    typeof found === "string"
      ? found
      : `its token is not good any more, and the program that ${path} belongs to has to renew it: use that program, or sign it in anew`;
  if (held.document?.lost === reason) return;
  held.take({ ...(held.document ?? document), lost: reason }, held.version);
  log({ level: "error", event: "login-lost", fields: { account: held.name, reason, stillServes: false } });
}

/** Undefined when the file has nothing new. */
function followedBy(document: LoginDocument, found: Followed, wall: number): LoginDocument | undefined {
  const { access, expiresAt } = found.tokens;
  const says = expiresAt > 0;
  if (access === "" || (says && access === document.tokens.access)) return undefined;
  const tokens = { access, refresh: undefined, expiresAt: says ? expiresAt : wall + UNKNOWN_LIFE_MS };
  const identity = mergeIdentity(document.identity, found.identity);
  return { ...document, tokens, obtainedAt: wall, identity, lost: undefined };
}
