// The one line that every request leaves in the log.

import type { ExchangeRecord } from "../core/exchange.ts";
import type { LogLine } from "../core/ports.ts";

/** Outcomes after which the client has no whole answer, through no fault of its own. */
const BROKEN = new Set(["failed", "cut"]);

/** `in_tokens` are all of the prompt, `cached_tokens` those of them that a cache served. */
export function requestLine(record: ExchangeRecord): LogLine {
  const { usage, upstreamModel, attempts } = record;
  return {
    level: BROKEN.has(record.outcome) ? "warn" : "info",
    event: "request",
    fields: {
      status: record.status,
      outcome: record.outcome,
      protocol: record.protocol,
      model: record.model,
      upstream_model: upstreamModel === record.model ? undefined : upstreamModel,
      account: record.account ?? null,
      key: record.key,
      in_tokens: usage === undefined ? null : usage.input + usage.cacheRead + usage.cacheWrite,
      cached_tokens: usage === undefined ? null : usage.cacheRead,
      out_tokens: usage === undefined ? null : usage.output,
      waited_ms: tenths(record.waitedMs),
      first_ms: record.firstByteMs === undefined ? null : tenths(record.firstByteMs),
      total_ms: tenths(record.tookMs),
      attempts: attempts.length > 1 ? attempts.join(" ") : undefined,
      error: record.error,
      id: record.id,
    },
  };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
