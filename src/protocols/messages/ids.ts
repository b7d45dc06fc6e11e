// Ids of calls, of which this protocol takes letters, digits, `_` and `-` only.

import { ToolNames } from "../../core/tool-names.ts";

/** Names are held to the same letters. */
const RULE = new ToolNames([]);

/** Legal ids stay; both halves of a call come out the same without a table. */
export function legalId(id: string): string {
  return RULE.wire({ name: id });
}
