// How an upstream connection fails: what the client may be told, whom to blame, and whether anything was sent.

import type { GatewayError } from "../core/errors.ts";
import type { Blame } from "../core/outcome.ts";

export class BrokenUpstream extends Error {
  readonly failure: GatewayError;
  readonly blame: Blame;
  /** False when the request cannot have reached the upstream. */
  readonly sent: boolean;

  constructor(failure: GatewayError, blame: Blame, sent = true) {
    super(failure.message, { cause: failure.cause });
    this.failure = failure;
    this.blame = blame;
    this.sent = sent;
  }
}
