// Tools that have item types of their own but run at the client: to an upstream of another protocol they are
// functions, and their calls go back to the client as the items it knows.

import type { FunctionTool } from "../../core/hub.ts";
import { objectAt, parseObject, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

interface Builtin {
  readonly description: string;
  readonly parameters: JsonObject;
  /** A call item's own member as the function's arguments. */
  readonly toArguments: (item: JsonObject) => JsonObject;
  /** The arguments as members of the call item. */
  readonly toItem: (input: JsonObject) => JsonObject;
}

function schema(properties: JsonObject, required: readonly string[]): JsonObject {
  return { type: "object", properties, required, additionalProperties: false };
}

const TEXTS = { type: "array", items: { type: "string" } };

const BUILTINS: Readonly<Record<string, Builtin>> = {
  local_shell: {
    description: "Runs a command on the user's machine and returns its output.",
    parameters: schema(
      { command: TEXTS, timeout_ms: { type: "integer" }, working_directory: { type: "string" } },
      ["command"],
    ),
    toArguments(item) {
      const { type: _, ...action } = objectAt(item, "action") ?? {};
      return action;
    },
    toItem: (input) => ({ action: { type: "exec", env: {}, ...input } }),
  },
  shell: {
    description: "Runs shell commands on the user's machine and returns their output.",
    parameters: schema(
      { commands: TEXTS, timeout_ms: { type: "integer" }, max_output_length: { type: "integer" } },
      ["commands"],
    ),
    toArguments: (item) => objectAt(item, "action") ?? {},
    toItem: (input) => ({ action: { timeout_ms: null, max_output_length: null, ...input } }),
  },
  apply_patch: {
    description: "Creates, updates or deletes one file; `diff` is in the V4A format.",
    parameters: schema(
      {
        type: { type: "string", enum: ["create_file", "update_file", "delete_file"] },
        path: { type: "string" },
        diff: { type: "string" },
      },
      ["type", "path"],
    ),
    toArguments: (item) => objectAt(item, "operation") ?? {},
    toItem: (input) => ({ operation: input }),
  },
  tool_search: {
    description: "Finds tools to load.",
    parameters: schema({ query: { type: "string" } }, ["query"]),
    toArguments: (item) =>
      objectAt(item, "arguments") ?? parseObject(stringAt(item, "arguments") ?? "") ?? {},
    toItem: (input) => ({ execution: "client", arguments: input }),
  },
};

function find(name: string): Builtin | undefined {
  return Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
}

/** The function that stands for a built-in tool; undefined for one that the provider runs. */
export function decodeBuiltin(tool: JsonObject): FunctionTool | undefined {
  const type = stringAt(tool, "type") ?? "";
  const builtin = find(type);
  if (builtin === undefined || runsElsewhere(tool)) return undefined;
  return {
    kind: "function",
    name: type,
    description: stringAt(tool, "description") ?? builtin.description,
    parameters: objectAt(tool, "parameters") ?? builtin.parameters,
    strict: undefined,
    builtin: type,
  };
}

export function isBuiltin(type: string): boolean {
  return find(type) !== undefined;
}

/** A shell in the provider's container, a search in the provider's index. */
function runsElsewhere(tool: JsonObject): boolean {
  const place = stringAt(objectAt(tool, "environment"), "type");
  if (place !== undefined && place !== "local") return true;
  return tool["type"] === "tool_search" && tool["execution"] !== "client";
}

/** The name of the tool that an item of type `<name>_call` calls. */
export function calledBuiltin(item: JsonObject): string | undefined {
  const name = (stringAt(item, "type") ?? "").replace(/_call$/, "");
  if (find(name) === undefined || name === item["type"]) return undefined;
  return name === "tool_search" && item["execution"] === "server" ? undefined : name;
}

export function builtinArguments(name: string, item: JsonObject): string {
  return JSON.stringify(find(name)?.toArguments(item) ?? {});
}

/** The call item's members besides its ids and status. */
export function builtinMembers(name: string, input: string): JsonObject {
  return { type: `${name}_call`, ...find(name)?.toItem(parseObject(input) ?? {}) };
}
