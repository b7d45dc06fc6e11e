// Reads a config file: text, references, checks, rules, defaults. All that is wrong is told at once.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isObject, type Json, type JsonObject } from "../core/json.ts";
import { accountSchema } from "./account.ts";
import { findingsOf } from "./issues.ts";
import { parseConfig } from "./parse.ts";
import { type Finding, formatPath, type Problem } from "./problems.ts";
import { resolveConfig } from "./resolve.ts";
import { findConflicts } from "./rules.ts";
import { clientKeySchema, type Config, configSchema } from "./schema.ts";
import { type Env, errorCode, substitute } from "./substitute.ts";

export type Loaded =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads and checks the config at `path`. Never throws for what the file holds, or for a missing file. */
export async function loadConfig(path: string, env: Env = process.env): Promise<Loaded> {
  const file = resolve(path);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return { ok: false, problems: [unreadable(errorCode(error))] };
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return {
      ok: false,
      problems: [{ path: "", message: "is not UTF-8 text", suggestion: "save it as UTF-8" }],
    };
  }
  return readConfig(text, dirname(file), env);
}

function unreadable(code: string): Problem {
  if (code !== "ENOENT") return { path: "", message: `cannot be read (${code})` };
  return {
    path: "",
    message: "does not exist",
    suggestion: "sub2api_simple init writes a config to start from",
  };
}

/** Checks the text of a config that lies, or will lie, in `folder`. */
export async function readConfig(text: string, folder: string, env: Env): Promise<Loaded> {
  const parsed = parseConfig(text);
  if (!parsed.ok) return parsed;
  const filled = await substitute(parsed.value, { env, folder });
  const value = withoutEmpty(filled.value);
  const settings = configSchema.safeParse(value);
  const findings = [
    ...parsed.findings,
    ...filled.findings,
    ...(settings.success ? [] : findingsOf(settings.error.issues, value)),
    ...findConflicts(value),
  ];
  if (settings.success && findings.length === 0)
    return { ok: true, config: resolveConfig(settings.data, folder) };
  return { ok: false, problems: firstPerPath(findings).map(parsed.locate).toSorted(byPlace) };
}

/** An empty string or null at a known key means that the key is not given, as it always did. */
function withoutEmpty(config: Json): Json {
  if (!isObject(config)) return config;
  const top = withoutEmptyMembers(config, configSchema.shape);
  for (const [key, { shape }] of [
    ["accounts", accountSchema],
    ["client_keys", clientKeySchema],
  ] as const) {
    const list = top[key];
    if (Array.isArray(list))
      top[key] = list.map((each: Json) => (isObject(each) ? withoutEmptyMembers(each, shape) : each));
  }
  return top;
}

function withoutEmptyMembers(object: JsonObject, known: object): Record<string, Json> {
  const kept: Record<string, Json> = Object.create(null);
  for (const [key, value] of Object.entries(object))
    if (value !== undefined && ((value !== null && value !== "") || !Object.hasOwn(known, key)))
      kept[key] = value;
  return kept;
}

/** A value that could not be filled in fails later checks too; the first finding is the cause. */
function firstPerPath(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ at }) => {
    const path = formatPath(at);
    return !seen.has(path) && seen.add(path);
  });
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
