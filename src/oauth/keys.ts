// Random keys that are shown to one browser, and compared without telling by the time it takes how much was right.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

export interface OneTimeKey {
  /** The key itself. Secret. */
  readonly text: string;
  /** SHA-256, hex: what may be kept of it. */
  readonly hash: string;
  matches(text: string): boolean;
}

const KEY_BYTES = 32;

/** A key of 256 random bits, or the given one. */
export function createKey(text: string = randomBytes(KEY_BYTES).toString("base64url")): OneTimeKey {
  const digest = sha256(text);
  return {
    text,
    hash: digest.toString("hex"),
    matches: (other) => timingSafeEqual(sha256(other), digest),
  };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
