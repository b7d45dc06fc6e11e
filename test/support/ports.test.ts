import { expect, test } from "bun:test";
import { get } from "./client.ts";
import { blackHole, closedPort } from "./ports.ts";

test("a closed port refuses at once", async () => {
  const reply = await get(`http://127.0.0.1:${await closedPort()}`, "/", { timeoutMs: 1000 });
  expect(reply.end).toBe("refused");
});

test("a black hole neither refuses nor accepts", async () => {
  using hole = await blackHole();
  const replies = await Promise.all([1, 2, 3].map(() => get(hole.url, "/", { timeoutMs: 200 })));
  expect(replies.map((reply) => reply.end)).toEqual(["timeout", "timeout", "timeout"]);
  const signal = AbortSignal.timeout(200);
  await expect(fetch(hole.url, { signal })).rejects.toThrow("timed out");
});
