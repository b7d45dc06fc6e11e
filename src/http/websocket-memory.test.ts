import { expect, test } from "bun:test";
import { createMemory, type Memory, type Owner } from "./websocket-memory.ts";

class Guest implements Owner {
  busy = false;
  left = false;
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  leave(): void {
    this.left = true;
    this.#memory.delete(this);
  }
}

function guests(count: number, maxBytes: number): { memory: Memory; list: Guest[] } {
  const memory = createMemory(maxBytes);
  return { memory, list: Array.from({ length: count }, () => new Guest(memory)) };
}

function conversation(bytes: number): { id: string; items: Uint8Array } {
  return { id: "resp_1", items: new Uint8Array(bytes) };
}

test("over the bound the conversation that has rested longest is forgotten, and its socket left", () => {
  const { memory, list } = guests(5, 350);
  for (const guest of list.slice(0, 3)) memory.set(guest, conversation(100));
  const [first] = list;
  if (first !== undefined) memory.get(first);
  for (const guest of list.slice(3)) expect(memory.set(guest, conversation(100))).toBe(true);
  expect(list.map(({ left }) => left)).toEqual([false, true, true, false, false]);
  expect(list.map((guest) => memory.get(guest)?.id)).toEqual([
    "resp_1",
    undefined,
    undefined,
    "resp_1",
    "resp_1",
  ]);
});

test("a socket with an answer under way stays, since it will have a newer conversation", () => {
  const { memory, list } = guests(2, 150);
  const [busy, other] = list;
  if (busy === undefined || other === undefined) throw new Error("there are two");
  memory.set(busy, conversation(100));
  busy.busy = true;
  memory.set(other, conversation(100));
  expect([busy.left, memory.get(busy)]).toEqual([false, undefined]);
});

test("a conversation over the bound is not kept, and not in the place of another one", () => {
  const { memory, list } = guests(2, 150);
  const [first, second] = list;
  if (first === undefined || second === undefined) throw new Error("there are two");
  memory.set(first, conversation(100));
  expect([memory.set(second, conversation(200)), memory.get(second)]).toEqual([false, undefined]);
  expect(memory.get(first)?.id).toBe("resp_1");
});
