import { expect, test } from "bun:test";
import { outputLimit, traitsOf } from "./models.ts";

test.each([
  ["claude-opus-4-5-20251101", "budget", 64_000],
  ["anthropic.claude-sonnet-4-5-20250929-v1:0", "budget", 64_000],
  ["claude-opus-4-20250514", "budget", 32_000],
  ["claude-sonnet-4@20250514", "budget", 64_000],
  ["claude-opus-4-1", "budget", 32_000],
  ["claude-opus-4.6", "both", 128_000],
  ["claude-sonnet-5-5", "effort", 128_000],
  ["Claude-Haiku-5-5", "effort", 128_000],
  ["claude-mythos-5", "effort", 128_000],
  ["claude-3-7-sonnet-20250219", "budget", 64_000],
  ["claude-3-5-haiku-latest", "none", 8192],
  ["claude-3-opus-20240229", "none", 4096],
  ["claude-next-9", "effort", undefined],
  ["kimi-k2", "budget", undefined],
] as const)("%s thinks by %s and puts out %p tokens", (name, thinking, maxOutput) => {
  expect([traitsOf(name).thinking, traitsOf(name).maxOutput]).toEqual([thinking, maxOutput]);
});

test("versions of one family are told apart", () => {
  const names = ["claude-opus-5", "claude-opus-5-5", "claude-fable-5", "claude-fable-5-1"];
  expect(names.map((name) => traitsOf(name).forcing)).toEqual([true, false, true, false]);
  expect(names.map((name) => traitsOf(name).off)).toEqual(["disabled", undefined, undefined, undefined]);
});

test("the limit is the client's as far as the model goes, else all the model has", () => {
  const known = traitsOf("claude-haiku-4-5");
  expect([outputLimit(undefined, known), outputLimit(10, known), outputLimit(1e6, known)]).toEqual([
    64_000, 10, 64_000,
  ]);
  const other = traitsOf("m");
  expect([outputLimit(undefined, other), outputLimit(1e6, other)]).toEqual([32_000, 1e6]);
});
