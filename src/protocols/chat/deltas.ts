// How a delta of a tool call grows the call: servers differ in what they send in pieces.

import type { Draft } from "../../core/fold.ts";
import { isObject, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

/** A name may come whole, in pieces, or be repeated in every chunk. */
export function growName(held: string, piece: string | undefined): string {
  return piece === undefined || piece === held ? held : held + piece;
}

/** Adds one delta to a call under construction. */
export function growCall(call: Draft, delta: JsonObject): void {
  for (const [key, value] of Object.entries(delta)) {
    if (key === "index" || value === null || value === undefined || value === "") continue;
    call[key] = isObject(value) ? growBody(call[key], value) : value;
  }
}

/** `function`, `custom` or the old `function_call`: a name, and a text that grows. */
export function growBody(held: Draft[string], delta: JsonObject): JsonObject {
  const body: Draft = isObject(held) ? { ...held } : {};
  for (const [key, piece] of Object.entries(delta)) {
    const before = stringAt(body, key) ?? "";
    if (key === "name") body[key] = growName(before, stringAt(delta, key));
    else if (typeof piece === "string") body[key] = before + piece;
    else if (piece !== null) body[key] = piece;
  }
  return body;
}
