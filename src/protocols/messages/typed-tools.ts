// Tools with a type of their own that the client runs: to an upstream of another protocol they are functions with
// the parameters that the type implies, and their calls go back to the client under the same name.

import type { FunctionTool } from "../../core/hub.ts";
import { stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { cacheOf } from "./content.ts";

interface Typed {
  /** What its types begin with, before the date. */
  readonly prefix: string;
  readonly name: string;
  readonly description: string;
  readonly properties: JsonObject;
  readonly required: readonly string[];
}

const TEXT: Json = { type: "string" };
const LINES: Json = { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 2 };

/** What commands on a text file take. */
const EDITS: JsonObject = {
  path: TEXT,
  view_range: LINES,
  file_text: TEXT,
  old_str: TEXT,
  new_str: TEXT,
  insert_line: { type: "integer" },
  insert_text: TEXT,
};

function oneOf(...words: readonly string[]): Json {
  return { type: "string", enum: words };
}

const TYPED: readonly Typed[] = [
  {
    prefix: "bash_",
    name: "bash",
    description:
      "Runs a command in a shell that stays open, and returns its output; `restart` begins a new shell.",
    properties: { command: TEXT, restart: { type: "boolean" } },
    required: [],
  },
  {
    prefix: "text_editor_",
    name: "str_replace_based_edit_tool",
    description:
      "Views, creates and edits text files. `view` takes `view_range`, `create` takes `file_text`, `str_replace` " +
      "takes `old_str`, which must occur exactly once, and `new_str`; `insert` takes `insert_line` and the text.",
    properties: {
      command: oneOf("view", "create", "str_replace", "insert"),
      ...EDITS,
    },
    required: ["command", "path"],
  },
  {
    prefix: "memory_",
    name: "memory",
    description: "Keeps notes in files below /memories, which last longer than this conversation.",
    properties: {
      command: oneOf("view", "create", "str_replace", "insert", "delete", "rename"),
      ...EDITS,
      old_path: TEXT,
      new_path: TEXT,
    },
    required: ["command"],
  },
];

/** The function that stands for a typed tool; undefined for what has no counterpart elsewhere. */
export function typedTool(type: string, tool: JsonObject): FunctionTool | undefined {
  const typed = TYPED.find(({ prefix }) => type.startsWith(prefix));
  if (typed === undefined) return undefined;
  const { name, description, properties, required } = typed;
  return {
    kind: "function",
    name: stringAt(tool, "name") ?? name,
    description,
    parameters: { type: "object", properties, required },
    strict: undefined,
    cache: cacheOf(tool),
  };
}
