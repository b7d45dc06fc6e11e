import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { isStrict, strictSchema } from "./schema.ts";

const CLOSED = {
  type: "object",
  properties: { n: { type: "integer" }, tags: { type: "array", items: { type: "string" } } },
  required: ["n", "tags"],
  additionalProperties: false,
};

function refusal(schema: JsonObject): unknown {
  try {
    return strictSchema(schema, "response_format");
  } catch (error) {
    return error instanceof GatewayError ? [error.code, error.param] : error;
  }
}

describe("strictSchema", () => {
  test("leaves a schema of the dialect as it is, with its order of keys", () => {
    expect(JSON.stringify(strictSchema(CLOSED, "p"))).toBe(JSON.stringify(CLOSED));
  });

  test("tells in words what the dialect does not enforce", () => {
    const schema = {
      type: "object",
      properties: {
        age: { type: "integer", minimum: 1, maximum: 9, description: "In years." },
        list: { type: "array", minItems: 2, items: { type: "string", pattern: "^a", format: "regex" } },
        one: { type: "array", minItems: 1, items: { format: "uuid" } },
      },
    };
    expect(strictSchema(schema, "p")).toEqual({
      type: "object",
      properties: {
        age: { type: "integer", description: "In years. (minimum: 1, maximum: 9)" },
        list: {
          type: "array",
          items: { type: "string", description: '(pattern: "^a", format: "regex")' },
          description: "(minItems: 2)",
        },
        one: { type: "array", minItems: 1, items: { format: "uuid" } },
      },
      additionalProperties: false,
    });
  });

  test("closes objects, renames oneOf, and does not take a property's name for a keyword", () => {
    const schema = {
      $defs: {
        a: { type: "object", properties: { pattern: { type: "string" } }, additionalProperties: true },
      },
      oneOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }, { type: "null" }],
    };
    expect(strictSchema(schema, "p")).toEqual({
      $defs: {
        a: { type: "object", properties: { pattern: { type: "string" } }, additionalProperties: false },
      },
      anyOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }, { type: "null" }],
    });
  });

  test.each<[string, JsonObject]>([
    ["a map", { type: "object", additionalProperties: { type: "string" } }],
    ["an object of anything", { type: "object" }],
    ["a map below", { type: "array", items: { type: "object", additionalProperties: true } }],
    ["pattern properties", { ...CLOSED, patternProperties: { "^x": {} } }],
    ["a negation", { not: { type: "string" } }],
    ["recursion", { ...CLOSED, properties: { next: { $ref: "#" } } }],
    [
      "recursion over definitions",
      {
        $ref: "#/$defs/a",
        $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { type: "array", items: { $ref: "#/$defs/a" } } },
      },
    ],
  ])("refuses %s, by the client's field", (_, schema) => {
    expect(refusal(schema)).toEqual(["unsupported_field", "response_format"]);
  });

  test("follows each reference once: definitions that branch do not cost more than their number", () => {
    const names = Array.from({ length: 60 }, (_, at) => `d${at}`);
    const twice = (name: string): JsonObject => ({
      anyOf: [{ $ref: `#/$defs/${name}` }, { $ref: `#/$defs/${name}` }],
    });
    const $defs = Object.fromEntries(names.map((name, at) => [name, twice(names[at + 1] ?? "end")]));
    expect(
      strictSchema({ $ref: "#/$defs/d0", $defs: { ...$defs, end: { type: "string" } } }, "p"),
    ).toBeObject();
  });
});

test("a schema is strict when every object in it is closed and wants all its properties", () => {
  expect(isStrict(CLOSED)).toBe(true);
  expect(isStrict({ ...CLOSED, additionalProperties: true })).toBe(false);
  expect(isStrict({ ...CLOSED, required: ["n"] })).toBe(false);
  expect(isStrict({ ...CLOSED, $defs: { a: { type: "object" } } })).toBe(false);
  expect(isStrict({ anyOf: [CLOSED, { type: "array", items: { type: "object" } }] })).toBe(false);
  expect(isStrict({ type: "string", default: { type: "object" } })).toBe(true);
});
