// Whose API speaks a protocol.
import type { Protocol } from "../support/oracle.ts";
import type { Platform } from "../support/samples.ts";

export function platformOf(protocol: Protocol): Platform {
  return protocol === "messages" ? "anthropic" : "openai";
}
