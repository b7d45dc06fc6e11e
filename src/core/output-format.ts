// The wished form of an answer's text, as Chat and Responses write it: the same members at different depths.

import type { OutputFormat } from "./hub.ts";
import { booleanAt, objectAt, stringAt } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { unsupported } from "./request-fields.ts";

/** The name of a schema that came without one, where a name is required. */
const UNNAMED = "output";

/**
 * `wish` holds the schema's members. `param`: the body's field, for the error.
 * @throws GatewayError `unsupported_field` for an unknown type
 */
export function readFormat(
  format: JsonObject | undefined,
  wish: JsonObject | undefined,
  param: string,
): OutputFormat | undefined {
  switch (format?.["type"]) {
    case undefined:
      return undefined;
    case "text":
      return { type: "text" };
    case "json_object":
      return { type: "json" };
    case "json_schema":
      return {
        type: "schema",
        name: stringAt(wish, "name"),
        description: stringAt(wish, "description"),
        schema: objectAt(wish, "schema") ?? {},
        strict: booleanAt(wish, "strict"),
      };
    default:
      throw unsupported(param, `an output format of type ${JSON.stringify(format?.["type"])}`);
  }
}

/** `nest` puts the schema's members where the protocol wants them. */
export function writeFormat(format: OutputFormat, nest: (wish: JsonObject) => JsonObject): JsonObject {
  if (format.type !== "schema") return { type: format.type === "json" ? "json_object" : "text" };
  const { name = UNNAMED, description, strict, schema } = format;
  return { type: "json_schema", ...nest({ name, description, strict, schema }) };
}
