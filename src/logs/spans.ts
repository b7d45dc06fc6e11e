// Spans of a text that must not be seen, and the text without them.

export const HIDDEN = "[secret]";

/** `[from, to)` */
export type Span = readonly [from: number, to: number];

/** Spans come in the order in which they begin and may overlap; none is seen, not even a part. */
export function hide(text: string, spans: Iterable<Span>): string {
  let shown = "";
  let until = 0;
  let open: { from: number; to: number } | undefined;
  for (const [from, to] of spans) {
    if (open !== undefined && from <= open.to) {
      open.to = Math.max(open.to, to);
      continue;
    }
    if (open !== undefined) {
      shown += text.slice(until, open.from) + HIDDEN;
      until = open.to;
    }
    open = { from, to };
  }
  if (open === undefined) return text;
  return shown + text.slice(until, open.from) + HIDDEN + text.slice(open.to);
}
