// Where the gateway and those in front of it are of different minds, and why that is harmless. What is not here fails.
import type { FrontName } from "./fronts.ts";

/**
 * `strict`: the gateway refuses what the front takes. `lax`: it takes what the front refuses; `alone` if the other front
 * takes it too. `fewer`, `more`: both take requests, not as many. `body`: as many, with other bodies. `surplus`: behind the
 * front the gateway answers more than it was asked. `unread`: nobody knows what the front passes on.
 */
export type Kind = "strict" | "lax" | "alone" | "fewer" | "more" | "body" | "surplus" | "unread";

export interface Known {
  readonly kind: Kind;
  readonly fronts: readonly FrontName[];
  /** One of the input's twists is one of these; none given: any. */
  readonly twists?: readonly string[];
  readonly reason: string;
}

const BOTH = ["haproxy", "nginx"] as const;
const ADDRESSES = ["whole address", "odd address"];
const SIZES = ["many lines", "too many lines", "long line", "long target", "unknown method"];
const TRAILERS = ["trailers", "request as trailers", "last chunk otherwise"];

export const KNOWN: readonly Known[] = [
  { kind: "unread", fronts: BOTH, reason: "the front passes on what the recorder cannot read, as HTTP/1.0" },
  { kind: "alone", fronts: BOTH, reason: "the other front takes the same request, and the same body of it" },
  { kind: "strict", fronts: BOTH, reason: "what is refused is not misread" },
  {
    kind: "lax",
    fronts: BOTH,
    twists: ADDRESSES,
    reason: "no address but the path means anything here, and both end the request at the same byte",
  },
  {
    kind: "lax",
    fronts: BOTH,
    twists: ["coding doubled in a list", "a comma put in"],
    reason:
      "an empty element of a list counts for nothing (RFC 9110, section 5.6.1): what is left is chunked",
  },
  {
    kind: "lax",
    fronts: BOTH,
    twists: SIZES,
    reason: "limits are a matter of taste, and ours of the runtime",
  },
  {
    kind: "lax",
    fronts: BOTH,
    twists: TRAILERS,
    reason: "the body is whole before its trailers; these the runtime refuses, with the connection",
  },
  {
    kind: "surplus",
    fronts: ["haproxy"],
    twists: TRAILERS,
    reason:
      "trailers are refused with a 400 behind the answer and the connection ends: they never are a request",
  },
  {
    kind: "fewer",
    fronts: BOTH,
    twists: ["a request behind"],
    reason:
      "requests sent before the answer to the one before: the runtime ends the connection, and no front does that",
  },
  {
    kind: "lax",
    fronts: BOTH,
    twists: ["a request behind"],
    reason:
      "the front ends the connection with the request that it refuses, the gateway refuses that and reads the next",
  },
];
