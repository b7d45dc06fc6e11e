// Zod's issues to findings in our own words. Zod's messages are not used, so that none can repeat a value.

import type { z } from "zod";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import { configJsonSchema, keysAt, schemaAt } from "./json-schema.ts";
import { nearest } from "./nearest.ts";
import type { Finding, Path } from "./problems.ts";

type Issue = z.core.$ZodIssue;

const NOUNS: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** Where else a key may stand, for keys that were put into the wrong object. */
const PLACES: readonly (readonly [string, Path])[] = [
  ["an account", ["accounts", 0]],
  ["a client key", ["client_keys", 0]],
  ["the top level", []],
];

export function findingsOf(issues: readonly Issue[], config: Json): Finding[] {
  const schema = configJsonSchema();
  return issues.flatMap((issue) => findings(issue, [], { schema, config }));
}

interface Sources {
  readonly schema: JsonObject;
  readonly config: Json;
}

function findings(issue: Issue, base: Path, sources: Sources): Finding[] {
  const at: Path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey([...at, key], sources.schema));
  if (issue.code === "invalid_union") {
    const [meant, ...others] = issue.errors.filter((branch) => !branch.some(isTypeMismatch));
    if (meant !== undefined && others.length === 0)
      return meant.flatMap((each) => findings(each, at, sources));
  }
  if (issue.code === "invalid_key") return [{ at, message: "has a key that cannot be a model's name" }];
  const value = valueAt(sources.config, at);
  return [
    {
      at,
      message: message(issue, value),
      suggestion: suggestion(issue, at, value, sources.schema),
    },
  ];
}

function isTypeMismatch(issue: Issue): boolean {
  return issue.code === "invalid_type" && issue.path.length === 0;
}

function unknownKey(at: Path, schema: JsonObject): Finding {
  const key = String(at.at(-1));
  const place = at.slice(0, -1);
  const near = nearest(key, keysAt(schema, place));
  const elsewhere = PLACES.find(([, path]) => keysAt(schema, path).includes(key))?.[0];
  if (near === undefined && elsewhere !== undefined)
    return { at, message: `is not known here; it belongs into ${elsewhere}` };
  const suggestion =
    near === undefined ? 'remove it, or begin it with "_" to keep it as a note' : `"${near}"`;
  return { at, message: "is not a known key", suggestion };
}

function message(issue: Issue, value: Json | undefined): string {
  if (value === undefined) return "is missing";
  switch (issue.code) {
    case "invalid_type": {
      const noun = NOUNS[issue.expected] ?? issue.expected;
      return `must be ${noun}, not ${kindOf(value)}`;
    }
    case "invalid_value":
      return `must be ${issue.values.map((each) => JSON.stringify(each)).join(" or ")}`;
    case "too_small":
      return tooSmall(issue);
    case "too_big":
      return `must be at most ${issue.maximum}${issue.origin === "string" ? " characters long" : ""}`;
    case "custom":
      return issue.message;
    case "invalid_union":
      return `${issue.message}, not ${kindOf(value)}`;
    default:
      return "is not allowed here";
  }
}

function tooSmall(issue: Extract<Issue, { code: "too_small" }>): string {
  if (issue.origin === "array") return "must have at least one entry";
  if (issue.origin === "string") return "must not be empty";
  return issue.inclusive === false
    ? `must be more than ${issue.minimum}`
    : `must be at least ${issue.minimum}`;
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "boolean") return String(value);
  return typeof value === "number" && !Number.isInteger(value)
    ? "a fraction"
    : (NOUNS[typeof value] ?? "this");
}

function suggestion(issue: Issue, at: Path, value: Json | undefined, schema: JsonObject): string | undefined {
  if (issue.code === "custom")
    return typeof issue.params?.["suggestion"] === "string" ? issue.params["suggestion"] : undefined;
  if (issue.code === "invalid_value")
    return quoted(typeof value === "string" ? nearest(value, issue.values.map(String)) : undefined);
  const about = schemaAt(schema, at);
  const examples = about?.["examples"];
  const example = Array.isArray(examples) ? examples[0] : about?.["default"];
  return example === undefined ? undefined : JSON.stringify(example);
}

function quoted(word: string | undefined): string | undefined {
  return word === undefined ? undefined : `"${word}"`;
}

function valueAt(config: Json, path: Path): Json | undefined {
  let value: Json | undefined = config;
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}
