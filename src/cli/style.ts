// Colours for people, and only for them: on a terminal, unless they asked for none (no-color.org).

import type { Io, Output } from "./io.ts";

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

export type Style = keyof typeof CODES;
/** A text in this style; as it is where there are no colours. */
export type Paint = (style: Style | undefined, text: string) => string;

export function paintFor({ env }: Io, output: Output): Paint {
  const isPlain = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb" || !isTerminal(output);
  return (style, text) =>
    isPlain || style === undefined || text === "" ? text : `\u001B[${CODES[style]}m${text}\u001B[0m`;
}

/** Whether a person sits at the other end. */
export function isTerminal(end: object | undefined): boolean {
  return end !== undefined && "isTTY" in end && end.isTTY === true;
}
