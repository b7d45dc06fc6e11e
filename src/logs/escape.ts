// Characters that would act on a terminal or split a line, made visible.

import { remembering } from "./memo.ts";

/** C0, DEL, C1, line and paragraph separators, and what turns the direction of writing (Unicode TR 36 §2.1). */
// oxlint-disable-next-line no-control-regex
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** For people: `\n`, `\x1b`. */
export function escapeControls(text: string): string {
  return text.toWellFormed().replace(ACTIVE, (char) => SHORT[char] ?? unicode(char));
}

/** A JSON string: `JSON.stringify` leaves DEL, C1 and the marks of direction as they are. */
export const jsonString = remembering((text) => JSON.stringify(text).replace(ACTIVE, unicode));

function unicode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
