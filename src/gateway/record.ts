// The last step of the line: once for every exchange, whatever happened.

import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** Never throws: a record that cannot be kept is no reason to lose the process. */
export function record(deps: Deps, exchange: Exchange): void {
  try {
    keep(deps, exchange);
  } catch (thrown) {
    deps.log({ level: "error", event: "record-lost", fields: { id: exchange.id, cause: textOf(thrown) } });
  }
}

function keep(deps: Deps, exchange: Exchange): void {
  const row = exchange.record();
  deps.records.append(row);
  const cause = exchange.failure instanceof Error ? exchange.failure.cause : undefined;
  if (cause !== undefined && row.error === "internal") {
    deps.log({ level: "error", event: "internal-error", fields: { id: row.id, cause: textOf(cause) } });
  }
  if (deps.settings().logRequests) deps.log(deps.requestLine(row));
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
