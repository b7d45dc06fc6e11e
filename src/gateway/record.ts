// The last step of the line: once for every exchange, whatever happened.

import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

export function record(deps: Deps, exchange: Exchange): void {
  const row = exchange.record();
  deps.records.append(row);
  const cause = exchange.failure instanceof Error ? exchange.failure.cause : undefined;
  if (cause !== undefined && row.error === "internal") {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    deps.log({ level: "error", event: "internal-error", fields: { id: row.id, cause: text } });
  }
  if (deps.settings().logRequests) deps.log(deps.requestLine(row));
}
