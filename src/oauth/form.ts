// Reads the forms of our own pages, and refuses those of others.

import type { Clock } from "../core/ports.ts";

export type Form =
  | { readonly ok: true; readonly fields: URLSearchParams }
  /** An HTTP status, and why in words. */
  | { readonly ok: false; readonly status: 403 | 408 | 413 | 415; readonly why: string };

const MAX_BYTES = 16_384;
const READ_MS = 15_000;

/** `origins`: those our pages may have besides the request's own Host, as `scheme://host`. */
export async function readForm(
  request: Request,
  clock: Clock,
  origins: readonly string[] = [],
): Promise<Form> {
  if (!isOwnPage(request.headers, origins))
    return { ok: false, status: 403, why: "This form was sent by another site." };
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/x-www-form-urlencoded")
    return { ok: false, status: 415, why: "Only the form of the page before is taken." };
  const text = await readText(request, clock);
  if (text === "slow") return { ok: false, status: 408, why: "The form did not arrive in time." };
  if (text === "large") return { ok: false, status: 413, why: "The form is too large." };
  return { ok: true, fields: new URLSearchParams(text.text) };
}

/**
 * Browsers say where a form stood by `Sec-Fetch-Site`, on plain http by `Origin` alone. That is `null` on our own
 * pages, because they send no referrer (Fetch §3.2), so it decides nothing; the key in the form does.
 */
function isOwnPage(headers: Headers, origins: readonly string[]): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = headers.get("origin");
  if (origin === null || origin === "null") return true;
  return URL.parse(origin)?.host === headers.get("host")?.toLowerCase() || origins.includes(origin);
}

async function readText(
  request: Request,
  clock: Clock,
): Promise<{ readonly text: string } | "slow" | "large"> {
  const reader = request.body?.getReader();
  if (reader === undefined) return { text: "" };
  const late = Promise.withResolvers<"slow">();
  const stopTimer = clock.after(READ_MS, () => late.resolve("slow"));
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), late.promise]);
      if (read === "slow") return read;
      if (read.done) return { text: Buffer.concat(pieces).toString("utf8") };
      bytes += read.value.byteLength;
      if (bytes > MAX_BYTES) return "large";
      pieces.push(read.value);
    }
  } catch {
    // The browser has left: nobody reads the answer.
    return "slow";
  } finally {
    stopTimer();
    void reader.cancel().catch(() => undefined);
  }
}
