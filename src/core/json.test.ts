import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { elementsAt, fillIn, member, scanObject, splice, valueAt } from "./json.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function accepted(json: string): boolean {
  try {
    scanObject(bytes(json));
    return true;
  } catch {
    return false;
  }
}

describe("the scanner", () => {
  test("accepts every object that JSON.parse accepts, and finds its members", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), (object) => {
        const json = bytes(JSON.stringify(object, null, 1));
        const members = scanObject(json);
        const wanted = JSON.parse(text(json));
        expect(members.list.map((each) => each.key)).toEqual(
          Object.keys(wanted).length === 0 ? [] : [...new Set(members.list.map((each) => each.key))],
        );
        for (const each of members.list) expect(valueAt(json, each)).toEqual(wanted[each.key]);
      }),
    );
  });

  test("agrees with JSON.parse on damaged objects", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    const damage = fc.record({
      at: fc.nat(200),
      put: fc.constantFrom("", '"', "\\", "{", "}", ",", ":", "0", "\n", "e", "-", "\u0001"),
    });
    fc.assert(
      fc.property(object, damage, (value, { at, put }) => {
        const json = JSON.stringify(value);
        const where = at % json.length;
        const damaged = json.slice(0, where) + put + json.slice(where + 1);
        let wanted = false;
        try {
          const parsed = JSON.parse(damaged);
          wanted = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
        } catch {
          wanted = false;
        }
        expect(accepted(damaged)).toBe(wanted);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ['{"a":01}'],
    ['{"a":1.}'],
    ['{"a":.5}'],
    ['{"a":+1}'],
    ['{"a":1e}'],
    ['{"a":tru}'],
    ["{'a':1}"],
    ['{"a":1,}'],
    ["[]"],
    [""],
    ['{"a":"\t"}'],
    ['{"a":"\\x"}'],
    ['{"a":"\\u12g4"}'],
    ['{"a":1}x'],
    ["\ufeff{}"],
    ['{"a"}'],
    ['{"a":}'],
    ["{1:2}"],
    ['{"a":"'],
    ["{"],
    ["nul"],
  ])("refuses %p", (json) => {
    expect(accepted(json)).toBe(false);
  });

  test("accepts a depth of 128 and refuses 129", () => {
    const nested = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    expect(accepted(nested(128))).toBe(true);
    expect(accepted(nested(129))).toBe(false);
  });

  test("finds the end of a long string among escaped quotes and backslashes", () => {
    const piece = fc.constantFrom("a", '"', "\\", "\n", "é", '\\"', "}", "{");
    fc.assert(
      fc.property(fc.array(piece, { minLength: 400, maxLength: 900 }), fc.nat(200), (pieces, shift) => {
        const value = "x".repeat(400 + shift) + pieces.join("");
        const json = bytes(JSON.stringify({ long: value, after: 1 }));
        const members = scanObject(json);
        expect(members.list.map((each) => each.key)).toEqual(["long", "after"]);
        expect(members.list.map((each) => valueAt(json, each))).toEqual([value, 1]);
      }),
      { numRuns: 300 },
    );
  });

  test("knows a member by its decoded name", () => {
    const json = bytes('{"mod\\u0065l":"x","__proto__":{"polluted":true}}');
    const members = scanObject(json);
    expect(member(members, "model")).toBeDefined();
    expect(member(members, "__proto__")).toBeDefined();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("hands out an array's elements one by one", () => {
    const json = bytes('{"list":[ 1 , "two",[3],{"four":4} ],"empty":[ ]}');
    const members = scanObject(json);
    const list = member(members, "list")?.start ?? 0;
    expect([...elementsAt(json, list)].map((span) => valueAt(json, span))).toEqual([
      1,
      "two",
      [3],
      { four: 4 },
    ]);
    expect([...elementsAt(json, member(members, "empty")?.start ?? 0)]).toEqual([]);
  });
});

describe("splices", () => {
  const original = '{ "model" : "a", "n": 12345678901234567890, "odd":"\\u00e9\\/", "deep": {"x": 1} }';

  test("change nothing but their spans", () => {
    const json = bytes(original);
    const model = member(scanObject(json), "model");
    const edited = splice(json, [{ start: model?.start ?? 0, end: model?.end ?? 0, text: '"b"' }]);
    expect(text(edited)).toBe(original.replace('"a"', '"b"'));
  });

  test("fill in only what the client left out, deep for objects", () => {
    const json = bytes(original);
    const filled = splice(
      json,
      fillIn(json, scanObject(json), { model: "z", deep: { x: 2, y: 3 }, more: [1] }),
    );
    expect(text(filled)).toBe(original.replace('{"x": 1}', '{"x": 1,"y":3}').replace(/}$/, ',"more":[1]}'));
  });

  test("fill in an empty object", () => {
    const json = bytes("{}");
    expect(text(splice(json, fillIn(json, scanObject(json), { a: 1, b: { c: 2 } })))).toBe(
      '{"a":1,"b":{"c":2}}',
    );
  });
});
