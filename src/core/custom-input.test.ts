import { expect, test } from "bun:test";
import fc from "fast-check";
import { InputUnwrapper } from "./custom-input.ts";

function unwrap(pieces: readonly string[]): string[] {
  const unwrapper = new InputUnwrapper();
  return [...pieces.map((piece) => unwrapper.push(piece)), unwrapper.end()];
}

test("the input comes out whole, however its JSON is cut", () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom("\n", '"', "\\", "😀", "\u0001", "é"), fc.string()),
  });
  fc.assert(
    fc.property(text, fc.boolean(), fc.array(fc.nat(40), { maxLength: 6 }), (input, ascii, cuts) => {
      const json = JSON.stringify({ input });
      const wire = ascii
        ? json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        : json;
      const ends = [...cuts.map((at) => Math.min(at, wire.length)), wire.length].toSorted((a, b) => a - b);
      const pieces = ends.map((end, at) => wire.slice(ends[at - 1] ?? 0, end));
      const out = unwrap(pieces);
      expect(out.join("")).toBe(input);
      // No half of a surrogate pair goes out alone where the JSON has it escaped.
      if (ascii) for (const piece of out) expect(piece.isWellFormed()).toBe(true);
    }),
  );
});

test("it streams", () => {
  expect(unwrap(['{ "input" : "a', "b\\", "nc", '"}'])).toEqual(["a", "b", "\nc", "", ""]);
});

test("arguments of another shape are given as they are", () => {
  expect(unwrap(['{"patch":', '"x"}']).join("")).toBe('{"patch":"x"}');
  expect(unwrap(['{"other":1,"input":"x"}']).join("")).toBe("x");
  expect(unwrap(["plain text"]).join("")).toBe("plain text");
  expect(unwrap(["{}"]).join("")).toBe("");
});
