// Looks into the records beside a gateway that writes them: read-only, so that nothing it does can be in the way.

import { Database, type SQLQueryBindings } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { Protocol } from "../core/account.ts";
import type { ExchangeRecord, Usage } from "../core/exchange.ts";
import { failure } from "./common.ts";

/** What exchanges can be gathered by. */
export type UsageKey = "account" | "key" | "model" | "day";

export interface UsageQuery {
  readonly by: readonly UsageKey[];
  /** Epoch ms. */
  readonly since: number;
}

/** What was used by those exchanges that have all of this in common, and one model. */
export interface UsageSum {
  /** By key of the query. A day is one of UTC. */
  readonly of: Readonly<Partial<Record<UsageKey, string>>>;
  /** As its provider calls it. */
  readonly model: string;
  readonly requests: number;
  /** Requests of these for which nobody told what they used. */
  readonly untold: number;
  readonly usage: Usage;
}

export interface RecordsReader {
  usage(query: UsageQuery): readonly UsageSum[];
  /** Exchanges with this id, or whose id begins so, at most `limit`: the exact one, then the newest. */
  find(id: string, limit: number): readonly ExchangeRecord[];
  /** The newest. */
  latest(): ExchangeRecord | undefined;
  close(): void;
}

const EXPRESSIONS: Readonly<Record<UsageKey, string>> = {
  account: "coalesce(account, '')",
  key: "key",
  model: "coalesce(upstream_model, model)",
  day: "date(started_at / 1000, 'unixepoch')",
};

/** @returns undefined when there are no records yet. @throws with a message for the operator */
export function openRecordsReader(path: string): RecordsReader | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const database = new Database(path, { readonly: true });
    database.run("PRAGMA busy_timeout = 5000");
    return readerOf(database, path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Error {
  return failure(`the records in ${path} cannot be read; run this as the user of the gateway`, error);
}

function readerOf(database: Database, path: string): RecordsReader {
  const all = <Row>(sql: string, ...values: SQLQueryBindings[]): Row[] => {
    try {
      return database.query<Row, SQLQueryBindings[]>(sql).all(...values);
    } catch (error) {
      throw unreadable(path, error);
    }
  };
  return {
    usage: ({ by, since }) => all<SumRow>(usageSql(by), since).map((row) => sumOf(row, by)),
    find(id, limit) {
      // The end of a prefix's range: no pattern, so no character of it has a meaning.
      const sql =
        "SELECT * FROM exchanges WHERE id >= ? AND id < ? ORDER BY id <> ?, started_at DESC LIMIT ?";
      return all<RecordRow>(sql, id, `${id}\u{10FFFF}`, id, limit).map(recordOf);
    },
    latest: () => all<RecordRow>("SELECT * FROM exchanges ORDER BY seq DESC LIMIT 1").map(recordOf)[0],
    close: () => database.close(),
  };
}

interface SumRow extends Readonly<Record<string, string | number>> {
  readonly priced: string;
  readonly requests: number;
  readonly untold: number;
  readonly input: number;
  readonly cache_read: number;
  readonly cache_write: number;
  readonly output: number;
  readonly reasoning: number;
}

function usageSql(by: readonly UsageKey[]): string {
  const keys = by.map((key) => `${EXPRESSIONS[key]} AS by_${key}`);
  const tokens = ["input", "cache_read", "cache_write", "output", "reasoning"].map(
    (name) => `coalesce(sum(${name}_tokens), 0) AS ${name}`,
  );
  const counts = ["count(*) AS requests", "sum(input_tokens IS NULL) AS untold"];
  const columns = [...keys, `${EXPRESSIONS.model} AS priced`, ...counts, ...tokens];
  const groups = [...by.map((key) => `by_${key}`), "priced"].join(", ");
  return `SELECT ${columns.join(", ")} FROM exchanges WHERE started_at >= ? GROUP BY ${groups} ORDER BY ${groups}`;
}

function sumOf(row: SumRow, by: readonly UsageKey[]): UsageSum {
  return {
    of: Object.fromEntries(by.map((key) => [key, String(row[`by_${key}`])])),
    model: row.priced,
    requests: row.requests,
    untold: row.untold,
    usage: {
      input: row.input,
      cacheRead: row.cache_read,
      cacheWrite: row.cache_write,
      output: row.output,
      reasoning: row.reasoning,
    },
  };
}

/** The columns of a row as SQLite gives them. */
interface RecordRow {
  readonly id: string;
  readonly started_at: number;
  readonly protocol: string;
  readonly stream: number;
  readonly key: string;
  readonly model: string;
  readonly session: string;
  readonly account: string | null;
  readonly upstream_model: string | null;
  readonly upstream_protocol: Protocol | null;
  readonly attempts: string;
  readonly status: number;
  readonly outcome: string;
  readonly error: string | null;
  readonly input_tokens: number | null;
  readonly cache_read_tokens: number | null;
  readonly cache_write_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
  readonly waited_ms: number;
  readonly first_byte_ms: number | null;
  readonly took_ms: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

function recordOf(row: RecordRow): ExchangeRecord {
  const attempts: unknown = JSON.parse(row.attempts);
  return {
    id: row.id,
    startedAt: row.started_at,
    protocol: row.protocol,
    stream: row.stream === 1,
    key: row.key,
    model: row.model,
    session: row.session,
    account: row.account ?? undefined,
    upstreamModel: row.upstream_model ?? undefined,
    upstreamProtocol: row.upstream_protocol ?? undefined,
    attempts: Array.isArray(attempts) ? attempts.map(String) : [],
    status: row.status,
    outcome: row.outcome,
    error: row.error ?? undefined,
    usage: usageOf(row),
    waitedMs: row.waited_ms,
    firstByteMs: row.first_byte_ms ?? undefined,
    tookMs: row.took_ms,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
  };
}

function usageOf(row: RecordRow): Usage | undefined {
  if (row.input_tokens === null) return undefined;
  return {
    input: row.input_tokens,
    cacheRead: row.cache_read_tokens ?? 0,
    cacheWrite: row.cache_write_tokens ?? 0,
    output: row.output_tokens ?? 0,
    reasoning: row.reasoning_tokens ?? 0,
  };
}
