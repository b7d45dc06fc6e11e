// config.schema.json, for editors; error messages take the known keys and examples from it too.

import { z } from "zod";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import type { Path } from "./problems.ts";
import { configSchema } from "./schema.ts";

let made: JsonObject | undefined;

/** The JSON Schema of a config file, draft 7, which is what editors know best. */
export function configJsonSchema(): JsonObject {
  made ??= makeJsonSchema();
  return made;
}

function makeJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    target: "draft-7",
    override: ({ zodSchema, jsonSchema }) => {
      // Zod leaves examples of transformed values out, because it cannot know which side they are of. Ours
      // are what people write.
      const examples = z.globalRegistry.get(zodSchema)?.["examples"];
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      // Our objects are closed, but for keys that begin with `_` or `$`.
      if (jsonSchema.additionalProperties === false) jsonSchema.patternProperties = { "^[_$]": {} };
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const plain: JsonObject = JSON.parse(JSON.stringify(schema));
  return { ...plain, title: "sub2api_simple config" };
}

/** The part of the schema that describes what stands at `path`. */
export function schemaAt(schema: JsonObject, path: Path): JsonObject | undefined {
  let at: JsonObject | undefined = schema;
  for (const part of path) {
    if (at === undefined) return undefined;
    at = typeof part === "number" ? asObject(at["items"]) : propertyAt(at, part);
  }
  return at;
}

function asObject(value: Json | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

function propertiesOf(schema: JsonObject): JsonObject | undefined {
  const branches = Array.isArray(schema["anyOf"]) ? schema["anyOf"] : [];
  return (
    asObject(schema["properties"]) ??
    asObject(branches.map((each) => asObject(each)?.["properties"]).find(isObject))
  );
}

function propertyAt(schema: JsonObject, key: string): JsonObject | undefined {
  const properties = propertiesOf(schema);
  const own = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
  return asObject(own ?? schema["additionalProperties"]);
}

/** The keys an object at `path` may have; none when it is a record. */
export function keysAt(schema: JsonObject, path: Path): string[] {
  const at = schemaAt(schema, path);
  return Object.keys((at === undefined ? undefined : propertiesOf(at)) ?? {});
}
