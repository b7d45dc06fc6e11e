// `${NAME}` and `${file:PATH}` in config strings, whole or within text, so that secrets need not stand in
// the file. `$${` is a plain `${`. What is put in is not searched again.

import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Json } from "../core/json.ts";
import type { Finding, Path } from "./problems.ts";

export type Env = Readonly<Record<string, string | undefined>>;

export interface Sources {
  readonly env: Env;
  /** `${file:PATH}` is relative to this folder. */
  readonly folder: string;
}

const REFERENCE = /\$\$\{|\$\{((?:[^{}]|\$\{[^{}]*\})*)\}/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_FILE_BYTES = 1024 * 1024;

/** A copy of `value` with every reference replaced. A string with a missing one stays and is a finding. */
export async function substitute(
  value: Json,
  sources: Sources,
): Promise<{ readonly value: Json; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const visit = async (each: Json, at: Path): Promise<Json> => {
    if (typeof each === "string") {
      if (!each.includes("${")) return each;
      const text = await replaceAll(each, sources);
      if (typeof text === "string") return text;
      findings.push({ at, ...text });
      return each;
    }
    if (typeof each !== "object" || each === null) return each;
    if (Array.isArray(each)) {
      const items: Json[] = [];
      for (const [i, item] of each.entries()) items.push(await visit(item, [...at, i]));
      return items;
    }
    const object: Record<string, Json> = Object.create(null);
    for (const [key, member] of Object.entries(each))
      if (member !== undefined) object[key] = await visit(member, [...at, key]);
    return object;
  };
  return { value: await visit(value, []), findings };
}

interface Missing {
  readonly message: string;
  readonly suggestion?: string;
}

async function replaceAll(text: string, sources: Sources): Promise<string | Missing> {
  let result = "";
  let from = 0;
  for (const match of text.matchAll(REFERENCE)) {
    result += text.slice(from, match.index);
    from = match.index + match[0].length;
    if (match[1] === undefined) result += "${";
    else {
      const value = await lookUp(match[1], sources);
      if (typeof value !== "string") return value;
      result += value;
    }
  }
  return result + text.slice(from);
}

async function lookUp(reference: string, sources: Sources): Promise<string | Missing> {
  if (reference.startsWith("file:")) {
    const path = await replaceAll(reference.slice("file:".length), sources);
    return typeof path === "string" ? readSecret(path, sources.folder) : path;
  }
  if (!NAME.test(reference))
    return {
      message: "holds `${…}` with something that is no environment variable's name",
      suggestion: "write `$${` where you mean a plain `${`",
    };
  const value = Object.hasOwn(sources.env, reference) ? sources.env[reference] : undefined;
  return (
    value ?? {
      message: `takes the environment variable ${reference}, which is not set`,
      suggestion: `export ${reference}=…`,
    }
  );
}

async function readSecret(name: string, folder: string): Promise<string | Missing> {
  const path = resolve(folder, name);
  try {
    const about = await stat(path);
    if (!about.isFile()) return { message: `takes the content of ${path}, which is not a regular file` };
    if (about.size > MAX_FILE_BYTES) return { message: `takes the content of ${path}, which is over 1 MiB` };
    return (await readFile(path, "utf8")).replace(/[\r\n]+$/, "");
  } catch (error) {
    return { message: `takes the content of ${path}, which cannot be read (${errorCode(error)})` };
  }
}

/** The system's short word for a failure: `ENOENT`. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
}
