// JSON Schemas in the dialect that answers are held to here: closed objects, few keywords, no recursion. What can
// be said in words only goes into the description; what would let other answers through is refused.

import { arrayAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { unsupported } from "../../core/request-fields.ts";

/** Keywords that the dialect does not have: told to the model, no longer enforced. */
const TOLD: ReadonlySet<string> = new Set([
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "pattern",
  "maxItems",
  "uniqueItems",
]);

/** Keywords without which the schema means something else. */
const REFUSED: readonly string[] = [
  "patternProperties",
  "propertyNames",
  "unevaluatedProperties",
  "dependentSchemas",
  "not",
  "if",
];

const FORMATS: ReadonlySet<string> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid",
]);

/** Members that hold schemas by name, in a list, or one. */
const NAMED: ReadonlySet<string> = new Set(["properties", "$defs", "definitions"]);
const LISTED: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);

/**
 * The schema as this protocol takes it; one that it takes already comes out the same.
 * @param param the client's field, for errors
 * @throws GatewayError `unsupported_field`
 */
export function strictSchema(schema: JsonObject, param: string): JsonObject {
  refuseRecursion(schema, param);
  return rewritten(schema, param);
}

/** Whether the schema says all that OpenAI's strict mode wants: closed objects, every property required. */
export function isStrict(schema: Json): boolean {
  if (Array.isArray(schema)) return schema.every((each: Json) => isStrict(each));
  if (!isObject(schema)) return true;
  const properties = objectAt(schema, "properties");
  if (schema["type"] === "object" || properties !== undefined) {
    const required = arrayAt(schema, "required") ?? [];
    if (schema["additionalProperties"] !== false) return false;
    if (!Object.keys(properties ?? {}).every((key) => required.includes(key))) return false;
  }
  return Object.entries(schema).every(([key, value]) => {
    if (NAMED.has(key))
      return Object.values(isObject(value) ? value : {}).every((each) => isStrict(each ?? null));
    return !(LISTED.has(key) || key === "items") || isStrict(value ?? null);
  });
}

function rewritten(schema: JsonObject, param: string): JsonObject {
  const refused = REFUSED.find((key) => schema[key] !== undefined);
  if (refused !== undefined) throw unsupported(param, `a schema with ${refused}`);
  const kept: [string, Json | undefined][] = [];
  const told: string[] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (isTold(key, value)) told.push(`${key}: ${JSON.stringify(value)}`);
    else kept.push([key === "oneOf" ? "anyOf" : key, inner(key, value, param)]);
  }
  const draft = Object.fromEntries(kept);
  const description = [stringAt(schema, "description") ?? "", `(${told.join(", ")})`]
    .filter(Boolean)
    .join(" ");
  const described = told.length > 0 ? { ...draft, description } : draft;
  return isOpen(schema, param) ? { ...described, additionalProperties: false } : described;
}

function isTold(key: string, value: Json | undefined): boolean {
  if (key === "format") return typeof value === "string" && !FORMATS.has(value);
  // Of the lengths of lists only these are known.
  if (key === "minItems") return value !== 0 && value !== 1;
  return TOLD.has(key);
}

/** The schemas below. */
function inner(key: string, value: Json | undefined, param: string): Json | undefined {
  if (NAMED.has(key) && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, isObject(each) ? rewritten(each, param) : each]),
    );
  if (LISTED.has(key) && Array.isArray(value))
    return value.map((each: Json) => (isObject(each) ? rewritten(each, param) : each));
  return key === "items" && isObject(value) ? rewritten(value, param) : value;
}

/** Whether an object must be closed. What then comes still fits the schema as it was; a map would be empty. */
function isOpen(schema: JsonObject, param: string): boolean {
  const { type, properties, additionalProperties: more } = schema;
  if (type !== "object" && properties === undefined) return false;
  if (more === false) return false;
  if (isObject(more) || Object.keys(isObject(properties) ? properties : {}).length === 0)
    throw unsupported(param, "a schema with an object of any properties");
  return true;
}

/** Follows references, each once, until one leads back to where it came from. */
function refuseRecursion(schema: JsonObject, param: string): void {
  const followed = new Set<string>();
  const walk = (value: Json | undefined, within: readonly string[]): void => {
    if (Array.isArray(value)) for (const each of value) walk(each, within);
    if (!isObject(value)) return;
    const reference = stringAt(value, "$ref");
    if (reference !== undefined) {
      if (reference === "#" || within.includes(reference)) throw unsupported(param, "a recursive schema");
      if (!followed.has(reference)) walk(target(schema, reference), [...within, reference]);
      followed.add(reference);
    }
    for (const [key, each] of Object.entries(value)) if (!DEFINITIONS.has(key)) walk(each, within);
  };
  walk(schema, []);
}

const DEFINITIONS: ReadonlySet<string> = new Set(["$defs", "definitions"]);

/** What a local reference (`#/$defs/name`) points at. */
function target(schema: JsonObject, reference: string): Json | undefined {
  let at: Json | undefined = schema;
  for (const step of reference.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    at = isObject(at) ? at[key] : undefined;
  }
  return at;
}
