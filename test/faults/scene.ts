// Two accounts under virtual time, the first of which answers as a row says: for rows about who rests for how long.
import assert from "node:assert/strict";
import type { AccountStatus } from "../../src/core/ports.ts";
import type { Reply } from "../support/client.ts";
import { json } from "../support/answers.ts";
import { provider } from "../support/provider.ts";
import { providerError, type Platform } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { stage, wordsOf, type AccountName, type Case, type Stage } from "./row.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** An upstream whose next answers a row chooses; it answers well when none is left. */
export class Script {
  readonly #next: Answer[] = [];
  readonly #good: Answer;

  constructor(name: AccountName) {
    this.#good = provider({ text: wordsOf(name) });
  }

  readonly answer: Answer = (request, connection) => (this.#next.shift() ?? this.#good)(request, connection);

  /** Answers that nobody has asked for yet. */
  get left(): number {
    return this.#next.length;
  }

  next(...answers: readonly Answer[]): void {
    this.#next.push(...answers);
  }
}

export function platformOf(each: Case): Platform {
  return each.upstream === "messages" ? "anthropic" : "openai";
}

/** A recorded error of the case's provider. `change` edits its head and body as text. */
export function recorded(each: Case, name: string, change = (text: string): string => text): Answer {
  const { status, headers, body } = providerError(platformOf(each), name);
  const list = Object.fromEntries(Array.isArray(headers) ? headers : Object.entries(headers));
  return json(status, change(body), JSON.parse(change(JSON.stringify(list))));
}

export function statusOf(stage: Stage, name: AccountName): AccountStatus {
  const status = stage.gateway.snapshot().find(({ account }) => account.name === name);
  if (status === undefined) throw new Error(`no account ${name}`);
  return status;
}

/** How long the account rests from now on. */
export function restMs(stage: Stage, name: AccountName, clock: VirtualClock): number {
  const { state, until, reason } = statusOf(stage, name);
  assert.equal(state, "cooling", `${name} is ${state}: ${reason}`);
  return Math.round((until ?? 0) - clock.wall());
}

export interface Scene extends AsyncDisposable {
  readonly stage: Stage;
  readonly clock: VirtualClock;
  readonly script: Script;
  /** A conversation of its own, so that nothing but priority says who is asked. */
  ask(): Promise<Reply>;
}

export async function scene(each: Case): Promise<Scene> {
  const clock = new VirtualClock();
  const script = new Script("first");
  const on = await stage(each, { clock, accounts: [{ answer: script.answer }, {}] });
  let asked = 0;
  const ask = (): Promise<Reply> => on.ask({ text: `Conversation ${(asked += 1)}.` });
  return { stage: on, clock, script, ask, [Symbol.asyncDispose]: () => on[Symbol.asyncDispose]() };
}

/** Lets virtual time flow until it is done: slowly, so that real sockets keep up with it. */
export async function flowing<T>(clock: VirtualClock, work: Promise<T>, stepMs = 10): Promise<T> {
  const over = work.then(
    () => true,
    () => true,
  );
  const notYet = (): Promise<boolean> => Bun.sleep(1).then(() => false);
  while (!(await Promise.race([over, notYet()]))) await clock.pass(stepMs);
  return work;
}
