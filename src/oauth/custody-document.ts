// What is kept of a login: one JSON text, sealed as a whole.

import { createHash } from "node:crypto";
import {
  arrayAt,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  parseObject,
  stringAt,
} from "../core/json.ts";
import type { Identity, LoginAccount, LoginSource, SignedIn, Tokens } from "./login.ts";

/** Written down before a refresh token is presented, so that nobody presents it again without knowing. */
export interface Journal {
  readonly attempt: string;
  /** Of the refresh token that is presented. */
  readonly tokenHash: string;
  /** Epoch ms. */
  readonly at: number;
  /** A process stopped while it presented this token, and this is the one time it is presented again. */
  readonly retried: boolean;
  /**
   * `in_flight`: nobody has written down what came of it. `unclear`: whoever presented it lived to see that the issuer
   * gave no clear answer, and may go on asking.
   */
  readonly state: "in_flight" | "unclear";
}

export interface LoginDocument {
  readonly tokens: Tokens;
  /** Epoch ms at which the access token came. */
  readonly obtainedAt: number;
  readonly identity: Identity;
  readonly source: LoginSource;
  readonly issuer: string;
  readonly clientId: string;
  /** Another sign-in is one more; a renewal keeps it. */
  readonly generation: number;
  /** Hashes of the configuration's refresh tokens that have been taken in, the newest last. */
  readonly seeds: readonly string[];
  readonly journal?: Journal | undefined;
  /** Why it cannot be renewed any more. Its access token may still be good. */
  readonly lost?: string | undefined;
  readonly follow?: string | undefined;
}

/** Processes with an older configuration must not take its token for a new one. */
const MAX_SEEDS = 16;
const NOBODY: Identity = { accountId: undefined, userId: undefined, email: undefined, plan: undefined };
const SOURCES: readonly LoginSource[] = [
  "browser",
  "device",
  "paste",
  "config",
  "import",
  "follow",
  "token_state",
];

/** SHA-256, hex. */
export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

export interface Place {
  readonly generation: number;
  /** Of the logins before it. */
  readonly seeds: readonly string[];
  /** The configuration's token: once somebody has signed in, it is not new any more. */
  readonly seed: string | undefined;
  /** Epoch ms. */
  readonly wall: number;
}

/** A sign-in as it is kept. */
export function signedIn(login: SignedIn, { generation, seeds, seed, wall }: Place): LoginDocument {
  const { tokens, identity, source, issuer, clientId, follow } = login;
  return {
    tokens,
    obtainedAt: wall,
    identity,
    source,
    issuer,
    clientId,
    generation,
    seeds: withHash(seeds, seed),
    follow,
  };
}

function withHash(seeds: readonly string[], seed: string | undefined): readonly string[] {
  const hash = seed === undefined ? undefined : hashOf(seed);
  return hash === undefined || seeds.includes(hash) ? seeds : [...seeds, hash].slice(-MAX_SEEDS);
}

/** The login that counts: a refresh token in the configuration that was never seen there is a new sign-in. */
export function withSeed(
  before: LoginDocument | undefined,
  { seed, issuer, clientId }: LoginAccount,
  wall: number,
): LoginDocument | undefined {
  if (seed === undefined || before?.seeds.includes(hashOf(seed)) === true) return before;
  const tokens: Tokens = { access: "", refresh: seed, expiresAt: 0 };
  const generation = (before?.generation ?? 0) + 1;
  const login: SignedIn = { tokens, identity: NOBODY, source: "config", issuer, clientId };
  return signedIn(login, { generation, seeds: before?.seeds ?? [], seed, wall });
}

/** What is not told anew stays known. */
export function mergeIdentity(before: Identity, told: Identity): Identity {
  return {
    accountId: told.accountId ?? before.accountId,
    userId: told.userId ?? before.userId,
    email: told.email ?? before.email,
    plan: told.plan ?? before.plan,
  };
}

export function writeDocument(document: LoginDocument): string {
  return JSON.stringify(document);
}

/** Undefined when it is none. */
export function readDocument(text: string): LoginDocument | undefined {
  const json = parseObject(text);
  const tokens = objectAt(json, "tokens");
  const access = stringAt(tokens, "access");
  const issuer = stringAt(json, "issuer");
  const clientId = stringAt(json, "clientId");
  const generation = numberAt(json, "generation");
  if (access === undefined || issuer === undefined || clientId === undefined || generation === undefined)
    return undefined;
  const told = stringAt(json, "source");
  return {
    tokens: { access, refresh: stringAt(tokens, "refresh"), expiresAt: numberAt(tokens, "expiresAt") ?? 0 },
    obtainedAt: numberAt(json, "obtainedAt") ?? 0,
    identity: identityIn(objectAt(json, "identity")),
    source: SOURCES.find((source) => source === told) ?? "import",
    issuer,
    clientId,
    generation,
    seeds: (arrayAt(json, "seeds") ?? []).filter((seed: Json) => typeof seed === "string"),
    journal: journalIn(objectAt(json, "journal")),
    lost: stringAt(json, "lost"),
    follow: stringAt(json, "follow"),
  };
}

function identityIn(json: JsonObject | undefined): Identity {
  return {
    accountId: stringAt(json, "accountId"),
    userId: stringAt(json, "userId"),
    email: stringAt(json, "email"),
    plan: stringAt(json, "plan"),
  };
}

function journalIn(json: JsonObject | undefined): Journal | undefined {
  const attempt = stringAt(json, "attempt");
  const tokenHash = stringAt(json, "tokenHash");
  if (attempt === undefined || tokenHash === undefined) return undefined;
  return {
    attempt,
    tokenHash,
    at: numberAt(json, "at") ?? 0,
    retried: json?.["retried"] === true,
    state: stringAt(json, "state") === "unclear" ? "unclear" : "in_flight",
  };
}
