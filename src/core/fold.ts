// Folding: a stream's events collected into the whole answer they carry.

import { parseObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Folder } from "./ports.ts";

/** An object under construction. */
export type Draft = Record<string, Json | undefined>;

/** Collects a protocol's events, already parsed. */
export interface Fold {
  add(event: JsonObject): void;
  /** The whole answer once its end has come; undefined before, and for ever after an error. */
  answer(): JsonObject | undefined;
}

/** Data that is no JSON object and no known marker: something was lost, so there is no whole answer. */
export function folderOf(fold: Fold, marker?: string): Folder {
  let broken = false;
  return {
    push(frame) {
      const data = frame.data?.trim();
      if (data === undefined || data === "" || data === marker) return;
      const event = parseObject(data);
      if (event === undefined) broken = true;
      else fold.add(event);
    },
    answer: () => (broken ? undefined : fold.answer()),
  };
}

/** Adds a piece to a member: texts and lists grow, anything else is replaced; null only fills a gap. */
export function grow(draft: Draft, key: string, piece: Json | undefined): void {
  const held = draft[key];
  if (piece === undefined || piece === null) draft[key] ??= piece;
  else if (typeof piece === "string" && typeof held === "string") draft[key] = held + piece;
  else if (!Array.isArray(piece)) draft[key] = piece;
  // The first list is copied, so that it is ours to push into.
  else if (Array.isArray(held)) (held as Json[]).push(...piece);
  else draft[key] = [...piece];
}
