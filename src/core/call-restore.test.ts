import { expect, test } from "bun:test";
import { CallRestorer } from "./call-restore.ts";
import type { StreamEvent, Tool } from "./hub.ts";
import { ToolNames } from "./tool-names.ts";

function restore(tools: readonly Tool[], name: string, input: string, whole = true): StreamEvent[] {
  const restorer = new CallRestorer(new ToolNames(tools));
  const events: StreamEvent[] = [
    { type: "block_open", block: { type: "call", kind: "function", id: "c", name } },
    { type: "delta", text: input.slice(0, 5) },
    { type: "delta", text: input.slice(5) },
    { type: "block_close", whole },
  ];
  return events.flatMap((event) => restorer.step(event));
}

const SEARCH: Tool = {
  kind: "function",
  name: "search",
  namespace: "web",
  parameters: undefined,
  strict: undefined,
};

test("an undeclared parallel call becomes the calls it holds, by the client's names", () => {
  const uses = [
    { recipient_name: "functions.web__search", parameters: { q: "a" } },
    { recipient_name: "functions.other", parameters: {} },
  ];
  const open = (id: string, name: string, namespace?: string): StreamEvent => ({
    type: "block_open",
    block: { type: "call", kind: "function", id, name, namespace },
  });
  for (const name of ["parallel", "multi_tool_use.parallel"])
    expect(restore([SEARCH], name, JSON.stringify({ tool_uses: uses }))).toEqual([
      open("c_0", "search", "web"),
      { type: "delta", text: '{"q":"a"}' },
      { type: "block_close", whole: true },
      open("c_1", "other"),
      { type: "delta", text: "{}" },
      { type: "block_close", whole: true },
    ]);
});

test("a parallel call of another shape, cut off, or declared stays a call", () => {
  const open: StreamEvent = {
    type: "block_open",
    block: { type: "call", kind: "function", id: "c", name: "parallel" },
  };
  expect(restore([], "parallel", '{"a":1}')).toEqual([
    open,
    { type: "delta", text: '{"a":1}' },
    { type: "block_close", whole: true },
  ]);
  expect(restore([], "parallel", '{"tool_uses":[', false).at(-1)).toEqual({
    type: "block_close",
    whole: false,
  });
  const declared: Tool = { kind: "function", name: "parallel", parameters: undefined, strict: undefined };
  expect(restore([declared], "parallel", '{"tool_uses":[{}]}')).toHaveLength(4);
});
