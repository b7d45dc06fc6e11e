// What rows say of an answer: good, failed as a whole, or cut after it had begun.
import assert from "node:assert/strict";
import type { ExchangeRecord } from "../../src/core/exchange.ts";
import type { Reply } from "../support/client.ts";
import type { Verdict } from "../support/oracle.ts";
import { wordsOf, type AccountName, type Case, type Stage } from "./row.ts";

/** The client got the whole answer of this account and saw nothing of any fault. */
export async function expectGood(stage: Stage, reply: Reply, by: AccountName): Promise<Verdict> {
  const verdict = await expectWhole(stage, reply);
  assert.equal(verdict.text, wordsOf(by), `said by ${by}`);
  return verdict;
}

/** A whole answer without an error in it, whoever gave it. */
export async function expectWhole(stage: Stage, reply: Reply): Promise<Verdict> {
  const verdict = stage.verdict(reply);
  assert.equal(reply.status, 200, `a good answer, not ${reply.status}: ${shown(reply)}`);
  assert.equal(reply.end, "complete", `ended by ${reply.end}: ${shown(reply)}`);
  assert.equal(verdict.error, undefined);
  assert.deepEqual(verdict.problems, []);
  assert.equal(verdict.complete, true, `the success marker: ${shown(reply)}`);
  assert.equal((await stage.record(reply)).outcome, "ok");
  return verdict;
}

export interface Expected {
  readonly status?: number;
  /** Of the error: Anthropic's word and OpenAI's. */
  readonly anthropic?: string;
  readonly openai?: string;
  /** The gateway's own code, without its prefix. */
  readonly code?: string;
}

/** The client got a whole error answer in its own protocol, and nothing else. */
export async function expectError(
  each: Case,
  stage: Stage,
  reply: Reply,
  expected: Expected,
): Promise<Verdict> {
  const verdict = stage.verdict(reply);
  assert.equal(reply.status, expected.status, `the status of ${shown(reply)}`);
  assert.equal(reply.end, "complete");
  assert.equal(verdict.complete, false);
  assert.equal(verdict.text, "");
  checkWords(each, verdict, expected);
  assert.notEqual((await stage.record(reply)).outcome, "ok");
  return verdict;
}

/** The client got the beginning of an answer, whole events only, then its protocol's error event and the end. */
export async function expectCut(
  each: Case,
  stage: Stage,
  reply: Reply,
  expected: Expected = {},
): Promise<Verdict> {
  const verdict = stage.verdict(reply);
  assert.equal(reply.status, 200, `a stream that had begun: ${shown(reply)}`);
  assert.equal(reply.end, "complete", `ended by ${reply.end}: ${shown(reply)}`);
  checkCut(verdict);
  checkWords(each, verdict, expected);
  assert.equal((await stage.record(reply)).outcome, "cut");
  return verdict;
}

/** A cut stream by what the client saw of it. */
export function checkCut(verdict: Verdict): void {
  assert.equal(verdict.complete, false, "a cut stream is never complete");
  assert.notEqual(verdict.error, undefined, "a cut stream says so");
  assert.deepEqual(verdict.problems, []);
  assert.equal(verdict.tail, "", "no half event");
}

function checkWords(each: Case, verdict: Verdict, expected: Expected): void {
  const { error } = verdict;
  assert.ok(error !== undefined, "an error in the client's protocol");
  const anthropic = each.client === "messages";
  const type = anthropic ? expected.anthropic : expected.openai;
  // `response.failed` has a code and no type.
  if (type !== undefined && error.type !== "response.failed") assert.equal(error.type, type);
  if (expected.code === undefined) return;
  const own = `gateway_${expected.code}`;
  const told = error.code === own || error.message.startsWith(`${own}: `);
  assert.ok(told, `${own} in ${JSON.stringify(error)}`);
}

/** Which accounts were tried, and how each ended: `first:account second:ok`. */
export async function expectAttempts(stage: Stage, reply: Reply, attempts: string): Promise<ExchangeRecord> {
  const record = await stage.record(reply);
  assert.equal(record.attempts.join(" "), attempts);
  return record;
}

/** How many requests the account's upstream has seen. */
export function expectHits(stage: Stage, name: AccountName, hits: number): void {
  assert.equal(stage.upstream(name).requests.length, hits, `requests to ${name}`);
}

/** The account may be chosen again at once. */
export function expectNotCooled(stage: Stage, name: AccountName): void {
  const status = stage.gateway.snapshot().find(({ account }) => account.name === name);
  assert.equal(status?.state, "ready", `${name} is ${status?.state}: ${status?.reason}`);
}

function shown(reply: Reply): string {
  return reply.text().slice(0, 400);
}
