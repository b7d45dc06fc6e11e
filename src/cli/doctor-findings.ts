// What a check of `doctor` finds, and what all checks are given.

import type { Account as AccountConfig } from "../config/account.ts";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../core/ports.ts";
import type { Io } from "./io.ts";

export interface Finding {
  readonly check: "config" | "machine" | "data" | "listen" | "login" | "upstream" | "clock";
  readonly state: "ok" | "warn" | "fail";
  /** The account, file, address or setting it is about. */
  readonly subject: string;
  /** The end of a sentence that begins with the subject. */
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
}

/** How a login of an account stands. */
export type Standing =
  | { readonly state: "ready" }
  | { readonly state: "needs_login"; readonly reason: string };

export interface DoctorDesk {
  /** What is wrong with the database, as the end of a sentence. @throws with a message for the operator */
  readonly databaseTrouble: (config: Config) => string | undefined;
  /** @throws with a message for the operator */
  readonly standings: (config: Config, env: Io["env"]) => Promise<ReadonlyMap<string, Standing>>;
  /** A question that costs nothing; undefined for accounts that have to sign in. */
  readonly question: (
    account: AccountConfig,
  ) => { readonly url: string; readonly headers: Headers } | undefined;
}

export interface World {
  readonly io: Io;
  readonly config: Config;
  /** Absolute. */
  readonly configPath: string;
  readonly desk: DoctorDesk;
  readonly clock: Clock;
}

export type Check = (world: World) => Promise<readonly Finding[]> | readonly Finding[];
