// What holds at the end of every scenario: no slot is taken, and every exchange is recorded exactly once.
import { expect } from "bun:test";
import type { Reply } from "../support/client.ts";
import type { Gateway } from "../support/gateway.ts";

const RECORDED_WITHIN_MS = 2000;

/** `replies`: whatever the clients got; each answer's request id must stand in one record. */
export async function expectSettled(gateway: Gateway, replies: readonly Reply[]): Promise<void> {
  await expectRecorded(gateway, replies.length);
  const answered = replies.map((reply) => reply.header("x-request-id")).filter((id) => id !== undefined);
  const recorded = new Set(gateway.exchanges.map((record) => record.id));
  expect(answered.filter((id) => !recorded.has(id))).toEqual([]);
}

/** For clients that do not show the id of their request. */
export async function expectRecorded(gateway: Gateway, exchanges: number): Promise<void> {
  await gateway.idle();
  const until = performance.now() + RECORDED_WITHIN_MS;
  while (gateway.exchanges.length < exchanges && performance.now() < until) await Bun.sleep(2);
  const ids = gateway.exchanges.map((record) => record.id);
  expect([gateway.active(), ids.length, new Set(ids).size]).toEqual([0, exchanges, exchanges]);
}
