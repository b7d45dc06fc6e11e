// How an upstream connection fails: what the client may be told and whom to blame.

import type { GatewayError } from "../core/errors.ts";
import type { Blame } from "../core/outcome.ts";

export class BrokenUpstream extends Error {
  readonly failure: GatewayError;
  readonly blame: Blame;

  constructor(failure: GatewayError, blame: Blame) {
    super(failure.message, { cause: failure.cause });
    this.failure = failure;
    this.blame = blame;
  }
}

/** Nobody answered there, whoever asks. */
export const UNREACHED: Blame = { on: "route", unreached: true };
