// What vouches for a block that goes to a client and comes back with the next request: a model's own signature, an
// envelope around what another protocol has sealed, or our mark where there is neither. Nothing of ours ever reaches an
// upstream that would check it (leave-out.ts).

import { isShowable, MARK, readSeal } from "../../core/envelope.ts";
import type { Seal } from "../../core/hub.ts";

/** Reasoning that its upstream showed without sealing it; it may go back there. */
const UNSEALED = `${MARK}c`;
/** For a citation's index into the provider's search: there was none. */
export const NO_INDEX = `${MARK}x`;

/** Whether a model has signed it. */
export function isSigned(signature: string): boolean {
  return signature !== "" && signature !== UNSEALED;
}

/** @param seal of the reasoning, if it has one */
export function signatureFor(seal: Seal | undefined): string {
  return seal !== undefined && isShowable(seal, "messages") ? seal.data : UNSEALED;
}

/** The seals behind a signature. */
export function sealsOf(signature: string): readonly Seal[] {
  if (!isSigned(signature)) return [];
  return [readSeal(signature, { protocol: "messages", kind: "signature" })];
}
