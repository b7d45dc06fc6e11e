// Durations and sizes as people write them: "1h30m", "500ms", 90 (seconds); "32MiB", "10MB", 4096 (bytes).

import type { Checked } from "./problems.ts";

/** As Go's time.ParseDuration, which older configs were written for, and days. */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/;
const SIZE = /^(\d+(?:\.\d+)?) ?(b|kb|mb|gb|kib|mib|gib)$/i;

/** A duration in whole milliseconds; undefined when it is none. Numbers are seconds. */
function durationMs(value: number | string): number | undefined {
  if (typeof value === "number") return Math.round(value * 1000);
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(DURATION_PART))
    ms += Number(count) * (DURATION_UNITS[unit ?? ""] ?? 0);
  return Math.round(ms);
}

export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
}

export function duration(value: number | string, range: DurationRange): Checked<number> {
  const ms = durationMs(value);
  if (ms === undefined)
    return { message: "is not a duration", suggestion: '"1h30m", "500ms", or a number of seconds' };
  if (ms < range.minMs) return { message: `must be at least ${formatMs(range.minMs)}` };
  if (ms > range.maxMs) return { message: `must be at most ${formatMs(range.maxMs)}` };
  return { value: ms };
}

function formatMs(ms: number): string {
  if (ms % 86_400_000 === 0 && ms > 0) return `${ms / 86_400_000}d`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** A size in whole bytes. */
export function size(value: number | string, maxBytes: number): Checked<number> {
  const match = typeof value === "string" ? SIZE.exec(value.trim()) : undefined;
  const bytes =
    typeof value === "number"
      ? value
      : Number(match?.[1] ?? Number.NaN) * (SIZE_UNITS[match?.[2]?.toLowerCase() ?? ""] ?? 0);
  if (Number.isNaN(bytes))
    return { message: "is not a size", suggestion: '"32MiB", "10MB", or a number of bytes' };
  if (bytes < 1) return { message: "must be at least 1 byte" };
  if (bytes > maxBytes) return { message: `must be at most ${maxBytes / 1024 ** 2} MiB` };
  return { value: Math.floor(bytes) };
}
