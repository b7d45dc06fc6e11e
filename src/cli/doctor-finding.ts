// What a check of `doctor` says, and what it is given to find it out.

import type { Config } from "../config/schema.ts";
import type { Clock } from "../core/ports.ts";
import type { DoctorDesk } from "../desks.ts";
import type { Io } from "./io.ts";

export interface Finding {
  /** The check that found it: one word. */
  readonly check: string;
  readonly state: "ok" | "warn" | "fail";
  /** The account, file or address it is about. */
  readonly subject: string;
  /** What is so, without the subject. Holds no secret. */
  readonly message: string;
  /** What to do about it; only where something is wrong. */
  readonly advice?: string | undefined;
}

export interface DoctorTools {
  readonly open: (config: Config, env: Io["env"]) => DoctorDesk;
  readonly clock: Clock;
  /** For tests: how long anybody on the network is waited for. */
  readonly withinMs?: number;
  /** For tests: where a browser comes back to. */
  readonly callbackPort?: number;
  /** For tests: the free bytes of the disk that holds this folder. */
  readonly freeBytes?: (folder: string) => number;
}

/** What every check of a config that can be used is given. */
export interface Patient {
  readonly io: Io;
  /** Absolute. */
  readonly configPath: string;
  readonly config: Config;
  readonly desk: DoctorDesk;
  readonly tools: DoctorTools;
}

export interface Pen {
  ok(message: string): Finding;
  warn(message: string, advice: string): Finding;
  fail(message: string, advice: string): Finding;
}

/** Writes findings of one check about one subject. */
export function about(check: string, subject: string): Pen {
  return {
    ok: (message) => ({ check, state: "ok", subject, message }),
    warn: (message, advice) => ({ check, state: "warn", subject, message, advice }),
    fail: (message, advice) => ({ check, state: "fail", subject, message, advice }),
  };
}

/** The system's short word for a failure: `ECONNREFUSED`; "" where there is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
