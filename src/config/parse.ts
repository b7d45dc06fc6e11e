// Config text to JSON: comments and trailing commas are allowed, every value remembers its line, and keys
// that begin with `_` or `$` are left out here, so that nothing behind this file ever sees `__proto__`.

import {
  createScanner,
  findNodeAtLocation,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import type { Json } from "../core/json.ts";
import { type Finding, formatPath, type Path, type Problem } from "./problems.ts";

// jsonc-parser's SyntaxKind is an ambient const enum, which isolated modules cannot read.
const OPENING: readonly number[] = [1, 3];
const CLOSING: readonly number[] = [2, 4];
const END_OF_TEXT: number = 17;

const MAX_DEPTH = 64;
const MAX_SYNTAX_ERRORS = 5;

export interface Parsed {
  readonly value: Json;
  readonly findings: readonly Finding[];
  locate(finding: Finding): Problem;
}

export type ParseResult =
  | ({ readonly ok: true } & Parsed)
  | { readonly ok: false; readonly problems: Problem[] };

export function parseConfig(text: string): ParseResult {
  const place = placer(text);
  const fail = (offset: number, message: string, suggestion?: string): ParseResult => ({
    ok: false,
    problems: [{ path: "", message, suggestion, ...place(offset) }],
  });
  if (text.trim() === "")
    return fail(0, "the file is empty", "sub2api_simple init writes a config to start from");
  const tooDeep = firstTooDeep(text);
  if (tooDeep !== undefined) return fail(tooDeep, `is nested deeper than ${MAX_DEPTH}`);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false });
  if (errors.length > 0) return { ok: false, problems: syntaxProblems(errors, place) };
  if (root?.type !== "object")
    return fail(root?.offset ?? 0, "the config must be one object", '{ "accounts": [ … ] }');
  const findings: Finding[] = [];
  const value = build(root, [], findings);
  return { ok: true, value, findings, locate: (finding) => locate(root, finding, place) };
}

type Place = (offset: number) => { readonly line: number; readonly column: number };

function placer(text: string): Place {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    const line = next === -1 ? starts.length : next;
    return { line, column: offset - (starts[line - 1] ?? 0) + 1 };
  };
}

/** The parser descends by recursion, so depth is counted on the tokens before it is let loose. */
function firstTooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let kind: number = scanner.scan(); kind !== END_OF_TEXT; kind = scanner.scan()) {
    if (OPENING.includes(kind)) depth++;
    else if (CLOSING.includes(kind)) depth--;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
  return undefined;
}

/** After a slip the parser stumbles on; only the first error of each line says something. */
function syntaxProblems(errors: readonly ParseError[], place: Place): Problem[] {
  const lines = new Map<number, Problem>();
  for (const error of errors) {
    const at = place(error.offset);
    if (lines.size < MAX_SYNTAX_ERRORS && !lines.has(at.line))
      lines.set(at.line, {
        path: "",
        message: `is not valid JSON: ${syntaxMessage(error)}`,
        ...at,
      });
  }
  return [...lines.values()];
}

function syntaxMessage(error: ParseError): string {
  const words = printParseErrorCode(error.error).replaceAll(/([a-z])([A-Z])/g, "$1 $2");
  return words.toLowerCase();
}

function isOpaque(path: Path): boolean {
  return path[0] === "model_extra_params" && path.length > 1;
}

function isIgnored(key: string, path: Path): boolean {
  return key === "__proto__" || (!isOpaque(path) && /^[_$]/.test(key));
}

function build(node: Node, path: Path, findings: Finding[]): Json {
  const children = node.children ?? [];
  if (node.type === "array") return children.map((child, i) => build(child, [...path, i], findings));
  if (node.type !== "object") return node.value as Json;
  // No prototype: a key such as `constructor` is a key like any other.
  const object: Record<string, Json> = Object.create(null);
  for (const { children: [name, member] = [] } of children) {
    const key = String(name?.value);
    if (member === undefined || isIgnored(key, path)) continue;
    const at = [...path, key];
    if (key in object) findings.push({ at, message: "is given twice", suggestion: "keep one of the two" });
    object[key] = build(member, at, findings);
  }
  return object;
}

/** The place of the nearest thing that exists: a missing key is shown at the object that lacks it. */
function locate(root: Node, finding: Finding, place: Place): Problem {
  const { at, message, suggestion } = finding;
  let node: Node | undefined;
  for (let length = at.length; node === undefined && length > 0; length--)
    node = findNodeAtLocation(root, at.slice(0, length));
  const shown = node?.parent?.type === "property" ? node.parent : (node ?? root);
  return { path: formatPath(at), message, suggestion, ...place(shown.offset) };
}
