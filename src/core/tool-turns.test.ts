import { expect, test } from "bun:test";
import type { Item } from "./hub.ts";
import { settleCalls } from "./tool-turns.ts";

const call = (id: string): Item => ({ type: "call", kind: "function", id, name: "f", input: "{}" });
const text = (value: string) => ({ type: "text" as const, text: value });
const result = (callId: string, said = callId): Item => ({
  type: "result",
  callId,
  blocks: [text(said)],
  failed: false,
});
const user: Item = { type: "message", role: "user", blocks: [text("u")] };
const said: Item = { type: "message", role: "assistant", blocks: [text("a")] };

function order(items: readonly Item[]): string[] {
  return settleCalls(items, "input").map((item) => {
    if (item.type === "call") return item.id;
    if (item.type === "result") return `${item.callId}:${item.failed ? "failed" : "ok"}`;
    return item.type === "message" ? item.role : item.type;
  });
}

test("results follow the run of their calls in its order, whatever stood between", () => {
  expect(order([user, call("1"), call("2"), result("2"), user, result("1"), user])).toEqual([
    "user",
    "1",
    "2",
    "1:ok",
    "2:ok",
    "user",
    "user",
  ]);
  expect(order([call("1"), said, result("1")])).toEqual(["1", "assistant", "1:ok"]);
  expect(order([call("1"), result("1"), call("2"), result("2")])).toEqual(["1", "1:ok", "2", "2:ok"]);
});

test("a call without a result gets a failed one", () => {
  expect(order([call("1"), user])).toEqual(["1", "1:failed", "user"]);
  expect(order([call("1")])).toEqual(["1", "1:failed"]);
});

test("ids may come again in later turns", () => {
  const settled = settleCalls([call("0"), result("0", "first"), call("0"), result("0", "second")], "input");
  expect(settled.filter((item) => item.type === "result").map((item) => item.blocks)).toEqual([
    [text("first")],
    [text("second")],
  ]);
});

test("a result without a call, or a second one, is the client's mistake", () => {
  expect(() => settleCalls([result("1")], "input")).toThrow("answers no tool call");
  expect(() => settleCalls([call("1"), result("1"), result("1")], "input")).toThrow("a second time");
});
