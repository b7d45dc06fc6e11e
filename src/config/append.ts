// Where a new entry goes in a list or object of a commented text: behind the last one and the comment beside it, with
// the text's own indentation and line ends. (`modify` of jsonc-parser writes neighbours anew and moves comments.)

import { createScanner, type Node } from "jsonc-parser";

// jsonc-parser's SyntaxKind is an ambient const enum, which isolated modules cannot read.
const COMMA: number = 5;
const LINE_BREAK: number = 14;

/** `container` is a list or object of `text`, as jsonc-parser's tree has it; `entry` is JSON on one line. */
export function append(text: string, container: Node, entry: string): string {
  const last = container.children?.at(-1);
  return last === undefined ? appendFirst(text, container, entry) : appendAfter(text, last, container, entry);
}

function appendAfter(text: string, last: Node, container: Node, entry: string): string {
  const end = last.offset + last.length;
  const close = closing(container);
  const comma = tokens(text, end, close).find(({ kind }) => kind === COMMA);
  const from = comma === undefined ? end : comma.offset + 1;
  const lineEnd = tokens(text, from, close).find(({ kind }) => kind === LINE_BREAK)?.offset;
  const lead =
    lineEnd === undefined ? " " : eolOf(text) + (ownIndent(text, last.offset) ?? deeper(text, close));
  const at = lineEnd ?? inlineEnd(text, close);
  const before = comma === undefined ? `${text.slice(0, end)},${text.slice(end, at)}` : text.slice(0, at);
  return `${before}${lead}${entry}${comma === undefined ? "" : ","}${text.slice(at)}`;
}

function appendFirst(text: string, container: Node, entry: string): string {
  const open = container.offset + 1;
  const close = closing(container);
  const lineEnd = tokens(text, open, close).findLast(({ kind }) => kind === LINE_BREAK)?.offset;
  const eol = eolOf(text);
  if (lineEnd !== undefined)
    return `${text.slice(0, lineEnd)}${eol}${deeper(text, close)}${entry}${text.slice(lineEnd)}`;
  const at = inlineEnd(text, close);
  if (!text.includes("\n")) return text.slice(0, at) + entry + text.slice(at);
  const lead = eol + deeper(text, close);
  return `${text.slice(0, at)}${lead}${entry}${eol}${indentOf(text, close)}${text.slice(close)}`;
}

/** The offset of its closing bracket. */
function closing(container: Node): number {
  return container.offset + container.length - 1;
}

function tokens(
  text: string,
  from: number,
  to: number,
): { readonly kind: number; readonly offset: number }[] {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  const found: { kind: number; offset: number }[] = [];
  for (let kind: number = scanner.scan(); scanner.getTokenOffset() < to; kind = scanner.scan())
    found.push({ kind, offset: scanner.getTokenOffset() });
  return found;
}

/** Before the spaces in front of a closing bracket. */
function inlineEnd(text: string, close: number): number {
  return text.slice(0, close).trimEnd().length;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function indentOf(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, offset), offset))?.[0] ?? "";
}

/** The indentation of what stands at `offset`, if it begins its line. */
function ownIndent(text: string, offset: number): string | undefined {
  const before = text.slice(lineStart(text, offset), offset);
  return before.trim() === "" ? before : undefined;
}

/** One step deeper than the line at `offset`; a step is as deep as the text's first one. */
function deeper(text: string, offset: number): string {
  const step = /^[{[][^\n]*\n(?:[ \t]*(?:\/\/[^\n]*)?\r?\n)*([ \t]+)\S/m.exec(text)?.[1] ?? "  ";
  return indentOf(text, offset) + step;
}

function eolOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}
