// Which conversation is this? Affinity hangs on the answer: prompt caches live at one account, so turns of one
// conversation must meet again and two conversations must not be glued together.

import { hash } from "node:crypto";
import type { Protocol } from "./account.ts";
import {
  elementsAt,
  isObject,
  type Json,
  type Members,
  member,
  parseObject,
  stringAt,
  textOf,
  valueAt,
} from "./json.ts";

/** Headers by which clients name a conversation: Claude Code; Codex, new and old; opencode. */
const SESSION_HEADERS = [
  "x-claude-code-session-id",
  "session-id",
  "session_id",
  "thread-id",
  "conversation-id",
  "conversation_id",
  "x-session-affinity",
  "x-session-id",
] as const;

export interface Opening {
  readonly protocol: Protocol;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly members: Members;
  readonly model: string;
}

/**
 * The conversation's key within one client key: an id the client gave, else a digest of the opening (model,
 * system text and first user message), which stays while the conversation grows.
 */
export function sessionOf(opening: Opening, keyName: string): string {
  const given = givenId(opening);
  if (given !== undefined) return shortened(hash("sha256", `${keyName}\0id\0${given}`, "base64url"));
  // In one piece: to feed a digest bit by bit costs more than to make it.
  return shortened(hash("sha256", `${[keyName, ...partsOf(opening)].join("\0")}\0`, "base64url"));
}

/** 128 bits and a little: enough to tell conversations apart. */
function shortened(digest: string): string {
  return digest.slice(0, 22);
}

function givenId({ headers, body, members }: Opening): string | undefined {
  for (const name of SESSION_HEADERS) {
    const value = headers.get(name);
    if (value !== null && value !== "") return value;
  }
  const metadata = objectMember(body, members, "metadata");
  const fromUser = userSession(stringAt(metadata, "user_id"));
  if (fromUser !== undefined) return fromUser;
  const cacheKey = member(members, "prompt_cache_key");
  const key = cacheKey === undefined ? undefined : valueAt(body, cacheKey);
  if (typeof key === "string" && key !== "") return key;
  return stringAt(objectMember(body, members, "client_metadata"), "session_id");
}

/** The session part of `metadata.user_id`: JSON in a string, or the older `…_session_<uuid>`. */
function userSession(userId: string | undefined): string | undefined {
  if (userId === undefined) return undefined;
  const old = /_session_([0-9a-fA-F-]{16,})$/.exec(userId);
  return old?.[1] ?? stringAt(parseObject(userId), "session_id");
}

function objectMember(body: Uint8Array, members: Members, key: string): Json | undefined {
  const found = member(members, key);
  return found !== undefined && body[found.start] === 0x7b ? valueAt(body, found) : undefined;
}

/** Model, system text, and the turns up to the first user's. */
function partsOf({ body, members, model, protocol }: Opening): readonly string[] {
  const parts = [model];
  const system = member(members, protocol === "messages" ? "system" : "instructions");
  if (system !== undefined) parts.push(stable(valueAt(body, system)));
  const turns = member(members, protocol === "responses" ? "input" : "messages");
  if (turns === undefined) return parts;
  if (body[turns.start] !== 0x5b) return [...parts, textOf(body, turns)];
  for (const span of elementsAt(body, turns.start)) {
    const turn = valueAt(body, span);
    parts.push(stable(turn));
    if (stringAt(turn, "role") === "user") break;
  }
  return parts;
}

/**
 * The value without what changes from turn to turn: cache marks wander to the newest message, and Claude
 * Code's billing line carries a hash of the whole request (`cch=`).
 */
function stable(value: Json): string {
  const plain = JSON.stringify(value);
  if (!plain.includes('"cache_control"') && !plain.includes("cch=")) return plain;
  return JSON.stringify(value, (key, inner: Json) => {
    if (key === "cache_control") return undefined;
    return Array.isArray(inner) ? inner.filter((each) => !isBillingLine(each)) : inner;
  });
}

function isBillingLine(value: Json): boolean {
  const text = isObject(value) ? stringAt(value, "text") : undefined;
  return text !== undefined && text.startsWith("x-anthropic-billing-header:") && text.includes("cch=");
}
