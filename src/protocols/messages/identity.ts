// Who asks, and how the provider is to treat it: one id here, several fields elsewhere.

import { createHash } from "node:crypto";
import type { Identity } from "../../core/hub.ts";
import { parseObject, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { objectField, textField } from "../../core/request-fields.ts";

/** What the strictest of the fields holds. */
const MAX_LENGTH = 64;

/** The last member of an id that clients pack several into. */
const OLD_SESSION = /^(.+)_session_([0-9a-fA-F-]{16,})$/;

/** @throws GatewayError `invalid_request` */
export function decodeIdentity(body: JsonObject): Identity {
  const id = stringAt(objectField(body, "metadata"), "user_id");
  const tier = textField(body, "service_tier");
  const { user, session } = id === undefined || id === "" ? NOBODY : unpacked(id);
  return {
    user: undefined,
    safetyId: user && shortened(user),
    metadata: undefined,
    tier: tier === "standard_only" ? "default" : tier,
    // Where caches are found by a key, a conversation should stay at its own.
    cacheKey: session && shortened(session),
    cacheRetention: undefined,
    cacheOptions: undefined,
  };
}

interface Packed {
  readonly user: string | undefined;
  readonly session: string | undefined;
}

const NOBODY: Packed = { user: undefined, session: undefined };

/** A user is the same in all sessions, so the session is no part of who it is. */
function unpacked(id: string): Packed {
  const packed = parseObject(id);
  if (packed !== undefined) {
    const { session_id: _, ...rest } = packed;
    const user = Object.keys(rest).length > 0 ? JSON.stringify(rest) : undefined;
    return { user, session: stringAt(packed, "session_id") };
  }
  const [, user, session] = OLD_SESSION.exec(id) ?? [];
  return { user: user ?? id, session };
}

function shortened(id: string): string {
  return id.length <= MAX_LENGTH ? id : createHash("sha256").update(id).digest("hex");
}

export function encodeIdentity({ safetyId, user, tier }: Identity): JsonObject {
  const id = safetyId ?? user;
  return {
    metadata: id === undefined ? undefined : { user_id: shortened(id) },
    service_tier: tier && (tier === "default" ? "standard_only" : "auto"),
  };
}

/** The tier an answer was served in, by its name here and in the hub. */
const TIERS: readonly (readonly [string, string])[] = [
  ["standard", "default"],
  ["priority", "priority"],
];

export function decodeTier(tier: string | undefined): string | undefined {
  return TIERS.find(([own]) => own === tier)?.[1];
}

export function encodeTier(tier: string | undefined): string | undefined {
  return TIERS.find(([, hub]) => hub === tier)?.[0];
}
