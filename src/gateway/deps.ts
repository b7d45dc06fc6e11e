// What the request line is given by the composition root.

import type { Protocol } from "../core/account.ts";
import type { Envelopes } from "../core/envelope.ts";
import type { ClientKey, ExchangeRecord } from "../core/exchange.ts";
import type { JsonObject } from "../core/json.ts";
import type { Logins } from "../core/login.ts";
import type { AccountPool, Clock, Codec, Log, LogLine, Provider, Random, Records } from "../core/ports.ts";

/** The part of the configuration that requests read. A reload replaces it whole. */
export interface Settings {
  /** SHA-256 of a token, in hex -> its key. */
  readonly keys: ReadonlyMap<string, ClientKey>;
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly defaultInstructions: Readonly<Record<string, string>>;
  readonly extraParams: Readonly<Record<string, JsonObject>>;
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
  readonly maxAccountSwitches: number;
  readonly connectTimeoutMs: number;
  readonly firstEventTimeoutMs: number;
  readonly streamReadTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly logRequests: boolean;
  readonly logStreams: boolean;
  readonly logPayloads: boolean;
  readonly logErrorBodies: boolean;
}

export interface Deps {
  readonly settings: () => Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly pool: AccountPool;
  readonly envelopes: Envelopes;
  readonly codecs: Readonly<Record<Protocol, Codec>>;
  readonly logins: Logins;
  readonly providers: Readonly<Record<string, Provider>>;
  readonly records: Pick<Records, "append">;
  readonly log: Log;
  readonly requestLine: (record: ExchangeRecord) => LogLine;
}
