// What the issuer's tokens claim about who signed in. Read, not verified: they come from the issuer itself over TLS,
// or from a file of the operator's, and the upstream has the last word on them.

import { decodeJwt } from "jose";
import { isObject, type Json, type JsonObject, numberAt, objectAt, stringAt } from "../core/json.ts";
import type { Identity } from "./login.ts";

/** OpenAI's claims stand under these names. */
const AUTH = "https://api.openai.com/auth";
const PROFILE = "https://api.openai.com/profile";

/** Later than any token lives, and the last a Date can hold. */
const LAST_SECOND = 8.64e12;

/** Who signed in. What the id token leaves out may stand in the access token; neither has to be readable. */
export function identityOf(idToken: string | undefined, accessToken: string): Identity {
  const id = claimsOf(idToken);
  const access = claimsOf(accessToken);
  const auth = (key: string): string | undefined =>
    filled(stringAt(objectAt(id, AUTH), key)) ?? filled(stringAt(objectAt(access, AUTH), key));
  const email = (claims: JsonObject | undefined): string | undefined =>
    filled(stringAt(claims, "email")) ?? filled(stringAt(objectAt(claims, PROFILE), "email"));
  return {
    accountId: auth("chatgpt_account_id"),
    userId: auth("chatgpt_user_id") ?? auth("user_id"),
    email: email(id) ?? email(access),
    plan: auth("chatgpt_plan_type"),
  };
}

/** Epoch ms at which an access token ends; undefined when it does not say. */
export function expiryOf(accessToken: string): number | undefined {
  const seconds = numberAt(claimsOf(accessToken), "exp");
  return seconds === undefined || seconds <= 0 || seconds > LAST_SECOND ? undefined : seconds * 1000;
}

function claimsOf(token: string | undefined): JsonObject | undefined {
  if (token === undefined) return undefined;
  try {
    const claims = decodeJwt(token) as Json;
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

function filled(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
