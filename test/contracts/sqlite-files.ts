// A folder with a database in it, and a look into the database that goes past the store.

import { Database } from "bun:sqlite";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Protocol } from "../../src/core/account.ts";
import type { ExchangeRecord, Usage } from "../../src/core/exchange.ts";
import type { LogLine, Records } from "../../src/core/ports.ts";
import { openRecords } from "../../src/stores/sqlite.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { NOW } from "./records.ts";

export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "records-"));
  readonly path = join(this.folder, "data", "sub2api.sqlite");
  readonly clock = new VirtualClock(NOW);
  readonly lines: LogLine[] = [];
  readonly lasting = true;
  readonly log = (line: LogLine): void => void this.lines.push(line);

  open(recover = false): Records {
    return openRecords({ path: this.path, clock: this.clock, log: this.log, recover });
  }

  /** What refuses the database, as the operator reads it. */
  refusal(): string {
    try {
      this.open().close();
    } catch (error) {
      return String(error);
    }
    return "not refused";
  }

  exchanges(): readonly ExchangeRecord[] {
    return readExchanges(this.path);
  }

  /** Events of the log lines so far. */
  get events(): string[] {
    return this.lines.map((line) => line.event);
  }

  /** Name -> mode, of what lies in the data folder. */
  get modes(): Record<string, string> {
    const folder = join(this.folder, "data");
    const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);
    const files = readdirSync(folder).map((name) => [name, mode(join(folder, name))] as const);
    return Object.fromEntries([[".", mode(folder)] as const, ...files]);
  }

  get names(): string[] {
    return readdirSync(join(this.folder, "data")).toSorted();
  }

  bytes(): Buffer {
    return readFileSync(this.path);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

type Row = Readonly<Record<string, string | number | null>>;

export function readExchanges(path: string): ExchangeRecord[] {
  const database = new Database(path, { readwrite: true });
  const rows = database.query<Row, []>("SELECT * FROM exchanges ORDER BY seq").all();
  database.close(true);
  return rows.map(exchangeIn);
}

function exchangeIn(row: Row): ExchangeRecord {
  return {
    id: String(row["id"]),
    startedAt: Number(row["started_at"]),
    protocol: String(row["protocol"]) as Protocol,
    stream: row["stream"] === 1,
    key: String(row["key"]),
    model: String(row["model"]),
    session: String(row["session"]),
    account: text(row["account"]),
    upstreamModel: text(row["upstream_model"]),
    upstreamProtocol: text(row["upstream_protocol"]) as Protocol | undefined,
    attempts: JSON.parse(String(row["attempts"])) as string[],
    status: Number(row["status"]),
    outcome: String(row["outcome"]),
    error: text(row["error"]),
    usage: usageIn(row),
    waitedMs: Number(row["waited_ms"]),
    firstByteMs: row["first_byte_ms"] === null ? undefined : Number(row["first_byte_ms"]),
    tookMs: Number(row["took_ms"]),
    bytesIn: Number(row["bytes_in"]),
    bytesOut: Number(row["bytes_out"]),
  };
}

function usageIn(row: Row): Usage | undefined {
  if (row["input_tokens"] === null) return undefined;
  return {
    input: Number(row["input_tokens"]),
    cacheRead: Number(row["cache_read_tokens"]),
    cacheWrite: Number(row["cache_write_tokens"]),
    output: Number(row["output_tokens"]),
    reasoning: Number(row["reasoning_tokens"]),
  };
}

function text(value: string | number | null | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
