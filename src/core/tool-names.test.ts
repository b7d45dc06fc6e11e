import { describe, expect, test } from "bun:test";
import { GatewayError } from "./errors.ts";
import type { FunctionTool } from "./hub.ts";
import { shortId, ToolNames } from "./tool-names.ts";

function tool(name: string, namespace?: string): FunctionTool {
  return { kind: "function", name, namespace, parameters: undefined, strict: undefined };
}

describe("ToolNames", () => {
  test("leaves plain names alone and joins namespaced ones", () => {
    const names = new ToolNames([tool("read"), tool("read", "fs"), tool("x", "ns__")]);
    expect(names.wire({ name: "read" })).toBe("read");
    expect(names.wire({ name: "read", namespace: "fs" })).toBe("fs__read");
    expect(names.wire({ name: "x", namespace: "ns__" })).toBe("ns__x");
    expect(names.tool("fs__read")).toMatchObject({ name: "read", namespace: "fs" });
    expect(names.tool("unknown")).toBeUndefined();
  });

  test("cuts what is too long or taken, the same way every time, and finds the way back", () => {
    const long = tool("n".repeat(50), "a".repeat(40));
    const tools = [tool("fs__read"), tool("read", "fs"), long, tool("dotted.name")];
    const names = new ToolNames(tools);
    const wires = tools.map((each) => names.wire(each));
    expect(new Set(wires).size).toBe(4);
    expect(wires[0]).toBe("fs__read");
    for (const [at, wire] of wires.entries()) {
      expect(wire).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(names.tool(wire)).toBe(tools[at]);
      expect(new ToolNames(tools.toReversed()).wire(tools[at] ?? long)).toBe(wire);
    }
    // The history may know tools that are no longer declared.
    expect(new ToolNames([]).wire(long)).toBe(wires[2] ?? "");
  });

  test("refuses two tools of one name and a choice of none", () => {
    expect(() => new ToolNames([tool("a"), tool("a")])).toThrow(GatewayError);
    expect(() => new ToolNames([tool("a")]).declared({ name: "b" })).toThrow(
      "b, which is not among the tools",
    );
  });
});

test("ids that fit pass unchanged, longer ones are cut without meeting", () => {
  expect(shortId("call_1.a|b")).toBe("call_1.a|b");
  expect(shortId("x".repeat(64))).toBe("x".repeat(64));
  const [one, two] = [shortId(`${"x".repeat(80)}1`), shortId(`${"x".repeat(80)}2`)];
  expect(one).toHaveLength(64);
  expect(one).not.toBe(two);
  expect(shortId(`${"x".repeat(80)}1`)).toBe(one);
});
