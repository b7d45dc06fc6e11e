// The one place where text becomes HTML. A template escapes whatever it is given, unless that is markup of its own
// making, so that no page can forget to.

/** Markup made by `markup`: never escaped again. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Piece = Markup | readonly Markup[] | string | number | undefined;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** Fit for element content and for quoted attribute values. Control characters and bidi overrides become `�`. */
function escapeHtml(text: string): string {
  return text
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd")
    .replace(/[&<>"'`]/g, (each) => ENTITIES[each] ?? "");
}

/** `undefined` is nothing; values of attributes must stand in double quotes. */
export function markup(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  return new Markup(parts.map((part, i) => part + textOf(pieces[i])).join(""));
}

function textOf(piece: Piece): string {
  if (piece === undefined) return "";
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === "object") return piece.map((each) => each.text).join("");
  return escapeHtml(String(piece));
}
