// Signing in with a code that is typed on any device: no port, no paste. OpenAI's own form of it, not RFC 8628.

import { parseObject, stringAt, type Json, type JsonObject } from "../core/json.ts";
import type { Clock } from "../core/ports.ts";
import { fetchThrough } from "../core/proxy.ts";
import { exchangeCode } from "./authorize.ts";
import type { SignedIn } from "./login.ts";
import { IssuerError, type IssuerSite } from "./token-endpoint.ts";

export interface DeviceCode {
  /** Where it is typed. */
  readonly url: string;
  readonly userCode: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

export interface DeviceOptions {
  readonly clock: Clock;
  /** Shows the code to whoever signs in. */
  readonly onCode: (code: DeviceCode) => void;
  readonly signal: AbortSignal;
}

const WITHIN_MS = 900_000;
const CALL_MS = 30_000;
const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 60;
/** So much slower after being told that it is too often (RFC 8628 §3.5). */
const SLOWER_MS = 5_000;
const MAX_ANSWER_BYTES = 65_536;

/** @throws IssuerError when the issuer refuses, when the time is over, or when `signal` is aborted */
export async function signInByDevice(site: IssuerSite, options: DeviceOptions): Promise<SignedIn> {
  const { clock, onCode, signal } = options;
  const first = await call(site, "usercode", { client_id: site.clientId }, options);
  const asked = first.body;
  const id = stringAt(asked, "device_auth_id");
  const userCode = stringAt(asked, "user_code") ?? stringAt(asked, "usercode");
  if (first.status === 404) throw new IssuerError("final", "the issuer offers no sign-in by code");
  if (first.status !== 200 || id === undefined || userCode === undefined)
    throw new IssuerError("passing", `the issuer gave no code to type (status ${first.status})`);
  const deadline = clock.now() + WITHIN_MS;
  onCode({ url: `${site.issuer}/codex/device`, userCode, expiresAt: clock.wall() + WITHIN_MS });
  let intervalMs = intervalOf(asked);
  for (;;) {
    await pause(clock, intervalMs, signal);
    if (clock.now() >= deadline) throw new IssuerError("final", "nobody typed the code in time");
    const { status, body } = await call(site, "token", { device_auth_id: id, user_code: userCode }, options);
    if (status === 200) return redeem(site, body, clock);
    if (status === 429) intervalMs += SLOWER_MS;
    // 403 and 404 mean that nobody has typed it yet; what is amiss at the issuer may pass while there is time.
    else if (![0, 403, 404].includes(status) && status < 500)
      throw new IssuerError("final", `the issuer refused the sign-in (status ${status})`);
  }
}

async function redeem(site: IssuerSite, body: JsonObject | undefined, clock: Clock): Promise<SignedIn> {
  const code = stringAt(body, "authorization_code");
  const verifier = stringAt(body, "code_verifier");
  if (code === undefined || verifier === undefined)
    throw new IssuerError("final", "the issuer's answer holds no authorization code");
  const redirectUri = `${site.issuer}/deviceauth/callback`;
  return exchangeCode({ site, code, verifier, redirectUri, source: "device" }, clock);
}

/** Seconds, as a number or, as the issuer has it, as a string. */
function intervalOf(body: JsonObject | undefined): number {
  const told: Json | undefined = body?.["interval"];
  const seconds = typeof told === "string" && told.trim() !== "" ? Number(told) : told;
  const usable =
    typeof seconds === "number" && seconds > 0 ? Math.min(seconds, MAX_SECONDS) : DEFAULT_SECONDS;
  return usable * 1_000;
}

interface CallAnswer {
  /** 0: there was none. */
  readonly status: number;
  readonly body: JsonObject | undefined;
}

async function call(
  site: IssuerSite,
  what: "usercode" | "token",
  body: Readonly<Record<string, string>>,
  { clock, signal }: DeviceOptions,
): Promise<CallAnswer> {
  const late = new AbortController();
  const stopTimer = clock.after(CALL_MS, () => late.abort());
  try {
    const response = await fetchThrough(site.proxy, `${site.issuer}/api/accounts/deviceauth/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.any([late.signal, signal]),
    });
    const text = await response.text();
    return { status: response.status, body: text.length > MAX_ANSWER_BYTES ? undefined : parseObject(text) };
  } catch {
    if (signal.aborted) throw givenUp();
    return { status: 0, body: undefined };
  } finally {
    stopTimer();
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      stopTimer();
      reject(givenUp());
    };
    const stopTimer = clock.after(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function givenUp(): IssuerError {
  return new IssuerError("final", "the sign-in was given up");
}
