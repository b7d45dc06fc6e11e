// Columns for people.

import type { Paint, Style } from "./style.ts";
import { printable } from "./who.ts";

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
  /** Numbers stand at the right of their column. */
  readonly right?: boolean;
}

/** Lines of a heading and rows. What others wrote cannot steer the terminal. */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const right = heading.map((_, column) => rows[0]?.[column]?.right === true);
  const all = [
    heading.map((text, column): Cell => ({ text, style: "dim", right: right[column] === true })),
    ...rows,
  ];
  const shown = all.map((cells) => cells.map((cell) => ({ ...cell, text: printable(cell.text) })));
  const widths = heading.map((_, column) =>
    Math.max(...shown.map((cells) => Bun.stringWidth(cells[column]?.text ?? ""))),
  );
  const lines = shown.map((cells) =>
    cells
      .map(({ text, style, right }, column) => {
        const space = " ".repeat((widths[column] ?? 0) - Bun.stringWidth(text));
        const isLast = column === cells.length - 1;
        return right === true ? space + paint(style, text) : paint(style, text) + (isLast ? "" : space);
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
