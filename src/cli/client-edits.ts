// What `env --write` puts into the text of each client's config. Everything else in it stays as it was.

import { isDeepStrictEqual } from "node:util";
import { applyEdits, findNodeAtLocation, modify, parse, type ParseError, parseTree } from "jsonc-parser";
import { isObject, type Json, objectAt } from "../core/json.ts";
import { codexProvider, opencodeConfig, PROVIDER, type Wanted } from "./clients.ts";

/** A text that cannot be edited; the message says why and holds nothing of it. */
export class EditError extends Error {}

/** Where, and what shall stand there; undefined: nothing. */
type Change = readonly [path: readonly string[], value: Json | undefined];

/** @throws EditError */
export function editClaude(text: string, { url, key, model }: Wanted): string {
  const chosen: Change[] = model === undefined ? [] : [[["env", "ANTHROPIC_MODEL"], model]];
  return editJson(text, [
    [["env", "ANTHROPIC_BASE_URL"], url],
    [["env", "ANTHROPIC_AUTH_TOKEN"], key],
    // A second key would come along with ours.
    [["env", "ANTHROPIC_API_KEY"], undefined],
    ...chosen,
  ]);
}

/** @throws EditError */
export function editOpencode(text: string, wanted: Wanted): string {
  const { provider, model } = opencodeConfig(wanted);
  const schema: Change[] = text.trim() === "" ? [[["$schema"], "https://opencode.ai/config.json"]] : [];
  return editJson(text, [
    ...schema,
    [["provider", PROVIDER], objectAt({ provider }, "provider")?.[PROVIDER]],
    [["model"], model],
  ]);
}

function editJson(before: string, changes: readonly Change[]): string {
  let text = before.trim() === "" ? "{}\n" : before;
  const errors: ParseError[] = [];
  const value: Json = parse(text, errors, { allowTrailingComma: true });
  if (errors.length > 0 || !isObject(value)) throw new EditError("it is not valid JSON; mend it first");
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: text.includes("\r\n") ? "\r\n" : "\n" };
  for (const [path, wanted] of changes) {
    if (wanted === undefined && !holds(text, path)) continue;
    text = applyEdits(text, modify(text, [...path], wanted, { formattingOptions }));
  }
  return text;
}

function holds(text: string, path: readonly string[]): boolean {
  const root = parseTree(text);
  return root !== undefined && findNodeAtLocation(root, [...path]) !== undefined;
}

const SECTION = `[model_providers.${PROVIDER}]`;

/** @throws EditError */
export function editCodex(before: string, { url, key, model }: Wanted): string {
  // Its key stands in the file, as a program that starts by itself has no variables of ours.
  const provider = { ...codexProvider(url), experimental_bearer_token: key };
  const root = { model_provider: PROVIDER, ...(model === undefined ? {} : { model }) };
  const members = Object.entries(provider).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const body = withRoot(withoutSection(before), root).trimEnd();
  const after = `${body}\n\n${SECTION}\n${members.join("\n")}\n`;
  // What was meant, or nothing: lines are edited here, not the values they make.
  const old = tomlOf(before);
  const providers = { ...(old["model_providers"] as object | undefined), [PROVIDER]: provider };
  if (!isDeepStrictEqual(tomlOf(after), { ...old, ...root, model_providers: providers }))
    throw new EditError("a provider cannot be put into it without changing something else");
  return after;
}

function tomlOf(text: string): Record<string, unknown> {
  try {
    return structuredClone(Bun.TOML.parse(text)) as Record<string, unknown>;
  } catch {
    throw new EditError("it is not valid TOML; mend it first");
  }
}

function withoutSection(text: string): string {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.trim() === SECTION);
  if (start === -1) return text;
  const next = lines.findIndex((line, index) => index > start && /^\s*\[/.test(line));
  return [...lines.slice(0, start), ...(next === -1 ? [] : lines.slice(next))].join("\n");
}

/** Members of the root stand before the first table. */
function withRoot(text: string, members: Readonly<Record<string, string>>): string {
  const lines = text.split("\n");
  const table = lines.findIndex((line) => /^\s*\[/.test(line));
  const end = table === -1 ? lines.length : table;
  const added: string[] = [];
  for (const [name, value] of Object.entries(members)) {
    const line = `${name} = ${JSON.stringify(value)}`;
    const at = lines.findIndex((each, index) => index < end && new RegExp(`^\\s*${name}\\s*=`).test(each));
    if (at === -1) added.push(line);
    else lines[at] = line;
  }
  return [...added, ...lines].join("\n");
}
