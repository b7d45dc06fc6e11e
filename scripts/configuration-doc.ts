// Writes docs/configuration.md from the schema that checks configs: `npm run docs`. A test compares the file with this.

import { join } from "node:path";
import { configJsonSchema, schemaAt } from "../src/config/json-schema.ts";
import { arrayAt, isObject, type Json, type JsonObject, objectAt, stringAt } from "../src/core/json.ts";
import { table } from "./table.ts";

const FILE = join(import.meta.dirname, "..", "docs", "configuration.md");

/** One line a key: what it takes, what it is when it is left out, what it means, and an example. */
function keys(schema: JsonObject | undefined): string {
  if (schema === undefined) throw new Error("the schema has moved");
  const required = arrayAt(schema, "required") ?? [];
  const rows = Object.entries(objectAt(schema, "properties") ?? {}).map(([key, value]) => {
    if (!isObject(value)) throw new Error(`${key} has no schema`);
    const given = value["default"] === undefined ? "" : shown(value["default"]);
    const needed = required.includes(key) && given === "" ? "**required**" : given;
    return [`\`${key}\``, kind(value), needed, meaning(value)];
  });
  return table(["key", "takes", "default", "meaning"], rows);
}

function meaning(schema: JsonObject): string {
  const [example] = arrayAt(schema, "examples") ?? [];
  const text = stringAt(schema, "description");
  if (text === undefined) throw new Error(`no description: ${JSON.stringify(schema)}`);
  return example === undefined ? text : `${text} Example: ${shown(example)}`;
}

function kind(schema: JsonObject): string {
  const choices = arrayAt(schema, "enum");
  if (choices !== undefined) return choices.map(shown).join(", ");
  const either = arrayAt(schema, "anyOf");
  if (either !== undefined)
    return [...new Set(either.map((each) => (isObject(each) ? kind(each) : "")))].join(" or ");
  // Only durations and sizes may be either.
  if (arrayAt(schema, "type") !== undefined)
    return (stringAt(schema, "default") ?? "").endsWith("B") ? "size" : "duration";
  const type = stringAt(schema, "type");
  if (type === undefined) throw new Error(`no type: ${JSON.stringify(schema)}`);
  if (type === "array") return `list of ${kind(objectAt(schema, "items") ?? {})}`;
  if (type === "object" && objectAt(schema, "properties") === undefined) return "object by name";
  return ["number", "integer"].includes(type) ? `${type}${range(schema)}` : type;
}

function range(schema: JsonObject): string {
  const [least, more, most] = [schema["minimum"], schema["exclusiveMinimum"], schema["maximum"]];
  const from = least === undefined ? (more === undefined ? "" : `> ${String(more)}`) : `≥ ${String(least)}`;
  const to = most === undefined ? "" : `≤ ${String(most)}`;
  const both = [from, to].filter((each) => each !== "").join(", ");
  return both === "" ? "" : ` ${both}`;
}

function shown(value: Json): string {
  return `\`${JSON.stringify(value)}\``;
}

export function configurationPage(): string {
  const schema = configJsonSchema();
  return `# Configuration

One file, \`config.json\`: \`-config FILE\`, else \`$SUB2API_CONFIG\`, else \`config.json\` in the working directory.
\`sub2api_simple init\` writes a first one, \`sub2api_simple check\` names every problem of one with its place and what was
probably meant, and \`config.schema.json\` completes and checks it in an editor. This page is made from the same source as
those checks (\`npm run docs\`), and a test compares it. [config.example.json](../config.example.json) shows every key in use.

## Writing it

- JSON with comments and trailing commas.
- \`"\${NAME}"\` takes an environment variable, \`"\${file:PATH}"\` the content of a file (relative to the config, without the
  line end); a missing one is an error. \`"$\${"\` is a plain \`"\${"\`. Keep keys in the environment or in files of their own.
- Durations: \`"1h30m"\`, \`"500ms"\`, \`"2d"\`, or seconds as a number. Sizes: \`"32MiB"\`, \`"10MB"\`, or bytes as a number.
- Keys that begin with \`_\` or \`$\` are ignored. Any other unknown key is an error, with the nearest known name.

## Changing it

The file is read again when it changes, and on SIGHUP. A bad file changes nothing: the running configuration stays in force,
and the log names the problems. Running requests keep their account and its settings. An account is the same one as before
as long as its \`name\` is; a name that is gone takes no new requests. \`listen_addr\` and \`data_dir\` need a new
start, and the log says so (\`restart-needed\`).

## Top level

${keys(schema)}

## Accounts

Which account serves a model: one whose \`models\` or \`model_map\` names it; without \`models\`, every model of its platform's
family (\`claude-*\` for anthropic; \`gpt-*\`, \`o1\`…, \`codex-*\`, \`chatgpt-*\` for openai), and a name of no known family when
the client came by the platform's own endpoint.

${keys(schemaAt(schema, ["accounts", 0]))}

## Client keys with limits

${keys(schemaAt(schema, ["client_keys", 0]))}

## Environment

| variable | meaning |
| --- | --- |
| \`SUB2API_CONFIG\` | the config file, when none is named on the command line |
| \`SUB2API_MASTER_KEY\` | the key that seals logins, instead of one made in \`data_dir\` ([logins](logins.md)) |
| \`CREDENTIALS_DIRECTORY\` | systemd's: a \`master_key\` in it is that key |
| \`SUB2API_KEY\` | with \`--url\`: the client key of \`status\`, \`chat\`, \`env\` and \`run\`, which need no config then |
| \`NO_COLOR\` | no colours, also on a terminal |
`;
}

if (import.meta.main) await Bun.write(FILE, configurationPage());
