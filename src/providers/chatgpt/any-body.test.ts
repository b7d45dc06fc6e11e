// The laws that hold for any body, however strange.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GatewayError } from "../../core/errors.ts";
import { isObject, type Json, parseObject, scanObject } from "../../core/json.ts";
import { forBackend, type Manner, type Rewritten } from "./body.ts";
import { HINTS, REFUSED } from "./fields.ts";

const MANNER: Manner = { conversation: "conversation-1", codex: false, nameOf: (field) => field };
const CODEX: Manner = { ...MANNER, codex: true };

function rewrite(body: string, manner: Manner): Pick<Rewritten, "dropped"> & { readonly text: string } {
  const bytes = Buffer.from(body);
  const { body: rewritten, dropped } = forBackend(bytes, scanObject(bytes), manner);
  return { text: Buffer.from(rewritten).toString(), dropped };
}

describe("any body", () => {
  const GONE = [...HINTS.keys(), ...REFUSED.keys()];
  const TOUCHED = [
    "stream",
    "store",
    "instructions",
    "include",
    "prompt_cache_key",
    "input",
    "tools",
    "reasoning",
    "tool_choice",
    "service_tier",
  ];
  const value = fc.jsonValue({ maxDepth: 3 }).map((each) => JSON.stringify(each));
  const part = fc.record(
    { type: fc.constantFrom('"input_text"', '"output_text"'), prompt_cache_breakpoint: value, text: value },
    { requiredKeys: [] },
  );
  const item = fc.record(
    {
      id: fc.constantFrom('"rs_1"', '"msg_2"', '"x"', "null"),
      type: fc.constantFrom('"message"', '"item_reference"', '"reasoning"', "null"),
      role: fc.constantFrom('"system"', '"user"'),
      prompt_cache_breakpoint: value,
      content: fc.oneof(
        value,
        fc.array(part.map(written)).map((parts) => `[${parts.join(" , ")}]`),
      ),
    },
    { requiredKeys: [] },
  );
  const list = (of: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.array(of, { maxLength: 4 }).map((all) => `[${all.join(", ")} ]`);
  const body = fc
    .uniqueArray(fc.tuple(fc.oneof(fc.constantFrom(...HINTS.keys(), ...TOUCHED, "n"), fc.string()), value), {
      selector: ([key]) => key,
    })
    .chain((members) =>
      fc.tuple(fc.option(list(item.map(written))), fc.boolean()).map(([input, codex]) => {
        const all = Object.fromEntries([...members, ...(input === null ? [] : [["input", input]])]);
        return { text: written(all), codex };
      }),
    );

  test("becomes valid JSON without a forbidden field, keeps the bytes of the rest, and needs no second pass", () => {
    let edited = 0;
    fc.assert(
      fc.property(body, ({ text, codex }) => {
        const manner = codex ? CODEX : MANNER;
        const once = rewriteUnlessRefused(text, manner);
        if (once === undefined) return;
        const result = parseObject(once.text);
        expect(result).toMatchObject({ stream: true, store: false });
        for (const key of GONE) expect(Object.hasOwn(result ?? {}, key)).toBe(false);
        expect(breakpoints(result?.["input"] ?? null)).toBe(0);
        expect(bytesOfRest(once.text)).toEqual(bytesOfRest(text));
        const twice = rewrite(once.text, manner);
        expect(twice.text).toBe(once.text);
        expect(twice.dropped).toEqual([]);
        expect(rewrite(text, manner)).toEqual(once);
        if (once.dropped.length > 1) edited++;
      }),
      { numRuns: 400 },
    );
    expect(edited).toBeGreaterThan(20);
  });

  function written(members: Record<string, string>): string {
    return `{${Object.entries(members)
      .map(([key, text]) => ` ${JSON.stringify(key)} :${text}`)
      .join(",")} }`;
  }

  function rewriteUnlessRefused(text: string, manner: Manner): ReturnType<typeof rewrite> | undefined {
    try {
      return rewrite(text, manner);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "unsupported_field") return undefined;
      throw error;
    }
  }

  /** The text of every member that no edit may touch, in order. */
  function bytesOfRest(text: string): string[] {
    const bytes = Buffer.from(text);
    return scanObject(bytes)
      .list.filter(({ key }) => !GONE.includes(key) && !TOUCHED.includes(key))
      .map(({ key, start, end }) => `${key}:${bytes.subarray(start, end).toString()}`);
  }

  /** How many items and parts are still marked. */
  function breakpoints(input: Json): number {
    const items = Array.isArray(input) ? input : [];
    const parts = items.flatMap((each: Json) =>
      isObject(each) && Array.isArray(each["content"]) ? each["content"] : [],
    );
    return [...items, ...parts].filter((each: Json) => isObject(each) && "prompt_cache_breakpoint" in each)
      .length;
  }
});
