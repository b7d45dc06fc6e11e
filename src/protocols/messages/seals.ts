// What vouches for a block that goes to a client and comes back with the next request: a model's own signature, or
// our mark where there is none. Marked blocks never reach an upstream that would check them (unmark.ts).

import type { Seal } from "../../core/hub.ts";

/** No signature begins like this: they are base64, which has no dot. */
export const MARK = "gw1.";
/** Reasoning that its upstream showed without sealing it; it may go back there. */
const UNSEALED = `${MARK}c`;
/** Reasoning that its upstream sealed; without the seal it is of no use there. */
const UNCARRIED = `${MARK}x`;

/** For a citation's index into the provider's search: there was none. */
export const NO_INDEX = UNCARRIED;

/** Whether it is of our making. */
export function isMarked(signature: string | undefined): boolean {
  return signature?.startsWith(MARK) === true;
}

/** @param seal of the reasoning, if it has one */
export function signatureFor(seal: Seal | undefined): string {
  if (seal?.protocol === "messages") return seal.data;
  return seal === undefined ? UNSEALED : UNCARRIED;
}

/** The seals behind a signature; undefined for reasoning that no upstream has a use for. */
export function sealsOf(signature: string): readonly Seal[] | undefined {
  if (signature === UNSEALED || signature === "") return [];
  if (isMarked(signature)) return undefined;
  return [{ protocol: "messages", kind: "signature", data: signature }];
}
