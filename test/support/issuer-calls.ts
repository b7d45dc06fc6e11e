// A plain client of the scripted issuer, for the tests of the issuer itself.

import { expect } from "bun:test";
import { challengeOf } from "./issuer-tokens.ts";
import type { Issuer } from "./issuer.ts";
import { isObject, parseJson, pickText, type JsonObject } from "./json-pick.ts";

export const CLIENT = "client-one";
export const REDIRECT = "http://localhost:1455/auth/callback";
export const VERIFIER = "v".repeat(64);
export const STATE = "state-of-this-test";

export interface Told {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  readonly body: JsonObject;
}

export async function told(response: Response): Promise<Told> {
  const text = await response.text();
  const type = response.headers.get("content-type");
  const body: unknown = type?.startsWith("application/json") && text.startsWith("{") ? parseJson(text) : {};
  return { status: response.status, type, text, body: isObject(body) ? body : {} };
}

export async function postForm(url: string, fields: Readonly<Record<string, string>>): Promise<Told> {
  const body = new URLSearchParams(fields);
  return told(await fetch(`${url}/oauth/token`, { method: "POST", body, redirect: "manual" }));
}

export async function postJson(url: string, path: string, body: unknown): Promise<Told> {
  const headers = { "content-type": "application/json" };
  return told(await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

export const refresh = (url: string, token: string, clientId = CLIENT): Promise<Told> =>
  postForm(url, { grant_type: "refresh_token", client_id: clientId, refresh_token: token });

export const codeOf = (error: Told): string | undefined =>
  pickText(error.body, "error", "code") ?? pickText(error.body, "error");

export function authorizeUrl(url: string, other: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT,
    redirect_uri: REDIRECT,
    code_challenge: challengeOf(VERIFIER),
    code_challenge_method: "S256",
    state: STATE,
    nonce: "nonce-one",
    ...other,
  });
  return `${url}/oauth/authorize?${query.toString()}`;
}

/** Where the browser is sent. */
export async function callback(url: string): Promise<URL> {
  const response = await fetch(url, { redirect: "manual" });
  expect(response.status).toBe(302);
  return new URL(response.headers.get("location") ?? "");
}

export async function freshCode(issuer: Issuer): Promise<string> {
  return (await callback(authorizeUrl(issuer.url))).searchParams.get("code") ?? "";
}

export const exchange = (
  url: string,
  code: string,
  other: Readonly<Record<string, string>> = {},
): Promise<Told> =>
  postForm(url, {
    grant_type: "authorization_code",
    client_id: CLIENT,
    code,
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
    ...other,
  });

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(1);
}

/** How a call ended that got no answer. */
export async function failed(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => false,
    () => true,
  );
}
