// Cooldowns over a restart: what was left of them, and when that was. The wall clock may have been stepped since,
// so a stored cooldown can only have become shorter.

import { createHash } from "node:crypto";
import type { Account } from "../core/account.ts";
import { numberAt, parseObject, stringAt } from "../core/json.ts";
import type { Clock, Records } from "../core/ports.ts";
import { type CoolKind, type Cooldown, LONGEST_MS } from "./cooldown.ts";

/** How long after its end a cooldown is remembered, so that a probe that fails still doubles it. */
const KEPT_MS = 24 * 3_600_000;

/** A login may have been renewed by the time of a restart, and what it rests for is short. */
const KINDS: readonly CoolKind[] = ["limit", "quota", "extra", "credential", "model"];

export interface Found {
  readonly account: string;
  readonly cooldown: Cooldown;
  /** Of the credential that was refused. */
  readonly credential: string | undefined;
}

export class SavedCooldowns {
  readonly #records: Pick<Records, "save" | "load">;
  readonly #clock: Clock;

  constructor(records: Pick<Records, "save" | "load">, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  save(account: Account, cooldown: Cooldown): void {
    const { name } = account;
    const { kind, model, until, probeAt, doublings } = cooldown;
    if (!KINDS.includes(kind)) return;
    const now = this.#clock.now();
    const wall = this.#clock.wall();
    const leftMs = Math.max(0, until - now);
    const probeInMs = Math.max(0, probeAt - now);
    const credential = kind === "credential" ? fingerprint(account) : undefined;
    const what = { account: name, kind, model, credential };
    const value = JSON.stringify({ ...what, leftMs, probeInMs, doublings, savedAt: wall });
    this.#write(name, cooldown, { value, expiresAt: wall + leftMs + KEPT_MS });
  }

  remove(account: string, cooldown: Cooldown): void {
    this.#write(account, cooldown, { value: "", expiresAt: 0 });
  }

  load(): readonly Found[] {
    const now = this.#clock.now();
    const wall = this.#clock.wall();
    return this.#records.load("cooldown", wall).flatMap(({ value }) => {
      const saved = parseObject(value);
      const account = stringAt(saved, "account");
      const kind = KINDS.find((each) => each === stringAt(saved, "kind"));
      if (account === undefined || kind === undefined) return [];
      const passedMs = Math.max(0, wall - (numberAt(saved, "savedAt") ?? wall));
      const left = (name: string): number =>
        Math.min(LONGEST_MS, Math.max(0, (numberAt(saved, name) ?? 0) - passedMs));
      const cooldown: Cooldown = {
        kind,
        model: stringAt(saved, "model") ?? "",
        until: now + left("leftMs"),
        probeAt: now + left("probeInMs"),
        doublings: numberAt(saved, "doublings") ?? 0,
        after: 0,
      };
      return [{ account, cooldown, credential: stringAt(saved, "credential") }];
    });
  }

  #write(account: string, { kind, model }: Cooldown, state: { value: string; expiresAt: number }): void {
    this.#records.save({ kind: "cooldown", key: JSON.stringify([account, kind, model]), ...state });
  }
}

/** Tells one credential from another without telling what it is. */
export function fingerprint({ credential }: Account): string {
  const mark = credential?.kind === "login" ? `login ${credential.generation}` : credential?.secret;
  return createHash("sha256")
    .update(mark ?? "")
    .digest("base64url")
    .slice(0, 12);
}
