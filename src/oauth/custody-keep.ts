// Puts changes of a login into the store. A new token that cannot be saved is used from memory and saved again and again:
// the one it came from is used up.

import type { Clock, Log, Random } from "../core/ports.ts";
import { hashOf, type LoginDocument } from "./custody-document.ts";
import type { Held, Unsaved } from "./custody-held.ts";
import type { Safe } from "./custody-safe.ts";

export interface KeepTools {
  readonly safe: Safe;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How long one process alone may renew a login. */
export const CLAIM_MS = 90_000;

const FIRST_RETRY_MS = 500;
/** Far below the claim, which is held while there is something to save; and nobody should be first when a disk recovers. */
const MAX_RETRY_MS = 3_000;
/** Others change one login so often only when something is broken. */
const MAX_REBASES = 20;

/** `overtaken`: the store holds a login of other origin, which now counts. */
export type Keeping = "saved" | "unsaved" | "overtaken";

/**
 * Changes the login that has this generation and a refresh token of this hash, wherever that still stands. Never throws.
 * What cannot be saved now counts in memory, and is saved as soon as it can be.
 */
export async function keepChange(held: Held, change: Unsaved, tools: KeepTools): Promise<Keeping> {
  const { unsaved } = held;
  if (!isAbout(change, held)) return "overtaken";
  // The store still has what was before all that is unsaved.
  const wanted =
    unsaved === undefined ? change : { ...unsaved, change: { ...unsaved.change, ...change.change } };
  try {
    return await tryKeep(held, wanted, tools);
  } catch (error) {
    const { document } = held;
    if (document === undefined || !isAbout(change, held)) return "overtaken";
    held.unsaved = wanted;
    held.take({ ...document, ...wanted.change }, held.version);
    if (unsaved === undefined) {
      tell(held, tools, error);
      void keepTrying(held, tools);
    }
    return "unsaved";
  }
}

/** Another sign-in, or another process's renewal, may have come while we were away. */
function isAbout({ generation, tokenHash }: Unsaved, held: Held): boolean {
  if (held.document?.generation !== generation) return false;
  return held.unsaved !== undefined || held.refreshHash === tokenHash;
}

/** @throws when the store cannot be read or written now */
async function tryKeep(held: Held, wanted: Unsaved, { safe }: KeepTools): Promise<Keeping> {
  let { document: base, version } = held;
  for (let rebases = 0; rebases < MAX_REBASES && base !== undefined; rebases++) {
    const document: LoginDocument = { ...base, ...wanted.change };
    if (await safe.write(held.name, version + 1, document)) {
      held.unsaved = undefined;
      held.take(document, version + 1);
      return "saved";
    }
    const kept = await safe.read(held.name);
    if (kept.kind === "unreadable") throw new Error(kept.reason);
    // Somebody wrote meanwhile. Ours counts only where the token still stands that ours was made of.
    if (kept.kind === "login") {
      if (!isStill(wanted, kept.document)) {
        held.unsaved = undefined;
        held.adopt(kept);
        return "overtaken";
      }
      base = kept.document;
    }
    ({ version } = kept);
  }
  throw new Error("it changes all the time");
}

function isStill({ generation, tokenHash }: Unsaved, { generation: theirs, tokens }: LoginDocument): boolean {
  const hash = tokens.refresh === undefined ? undefined : hashOf(tokens.refresh);
  return theirs === generation && hash === tokenHash;
}

function tell({ name: account }: Held, { log }: KeepTools, error: unknown): void {
  const fields = { account, error: error instanceof Error ? error.message : "unknown" };
  log({ level: "error", event: "login-unsaved", fields });
}

/** Until it is saved or overtaken. Nobody else may renew it meanwhile: they know the used token only. */
async function keepTrying(held: Held, tools: KeepTools): Promise<void> {
  const { clock, random, log, safe } = tools;
  const { owner } = held;
  let kept: Keeping | undefined;
  for (let failures = 0; held.unsaved !== undefined; failures++) {
    const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
    await pause(held, clock, base * (1 - random() / 4));
    try {
      await safe.claim(held.name, owner, CLAIM_MS);
    } catch {
      // Who cannot write cannot claim either, here or elsewhere.
    }
    if (held.isGivenUp) return;
    if (held.unsaved !== undefined) kept = await keepChange(held, held.unsaved, tools);
  }
  await safe.renounce(held.name, owner);
  if (kept !== "saved") return;
  log({ level: "info", event: "login-saved", fields: { account: held.name } });
}

async function pause(held: Held, clock: Clock, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  held.hurry = resolve;
  await promise;
  cancel();
  held.hurry = () => {};
}
