// Finds the values of fields whose name says that they are secret: in JSON, in JSON inside a JSON string, in
// header lines, in query strings, in lists of names and values. Every character is looked at a bounded number
// of times.

import type { Span } from "./spans.ts";

const NAME =
  "(?:authorization|cookie|token|secret|verifier|credential|passphrase|passw(?:or)?d|" +
  "(?:api|private|access|session|secret)[-_ ]?(?:access[-_ ]?)?key)s?";
/** Backslashes and a quote, as a name or a value has them in JSON in JSON; or a quote in a URL. */
const QUOTE = String.raw`(?:\\{0,15}["']|%22)`;
const BETWEEN = String.raw`(?:${QUOTE})?\s{0,4}(?:[:=]|=>|%3[AaDd])\s{0,4}`;
const IN_A_LIST = String.raw`${QUOTE}\s{0,4},\s{0,4}(?=${QUOTE})`;
const NAMED = `(${NAME})(?:${BETWEEN}|${IN_A_LIST})`;
const OPENING = /(\\{0,15})(["'])/y;
/** Values that hide nothing: a count, or no value at all. */
const HARMLESS = /(?:null|true|false|\d{1,9})(?=[\s,;&}\])]|$)/y;
/** Fields whose unquoted value goes to the end of the line. */
const WHOLE_LINE = /^(?:authorization|cookie)/i;
const LINE_END = /[\r\n]|\\[rn]/g;
const WORD_END = /[\s&"']/g;
const SECRET_NAME = new RegExp(`${NAME}$`, "i");

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

export function* namedSpans(text: string): Generator<Span> {
  const named = new RegExp(NAMED, "gi");
  for (let match = named.exec(text); match !== null; match = named.exec(text)) {
    const [from, to] = valueAt(text, named.lastIndex, WHOLE_LINE.test(match[1] ?? ""));
    if (to > from) yield [from, to];
    named.lastIndex = to;
  }
}

/** Where the value that stands at `at` begins and ends, without its quotes. */
function valueAt(text: string, at: number, wholeLine: boolean): Span {
  const quoted = quotedAt(text, at);
  if (quoted !== undefined) return quoted;
  if (matchEnd(HARMLESS, text, at) !== undefined) return [at, at];
  const first = text[at];
  if (first === "[" || first === "{") return [at, closingAfter(text, at)];
  const end = wholeLine ? LINE_END : WORD_END;
  end.lastIndex = at;
  return [at, end.exec(text)?.index ?? text.length];
}

/**
 * In JSON that was put into JSON strings n times, a quote of the outermost value has 2^n - 1 backslashes before
 * it, and what is escaped inside the value has more. Without a closing quote the value goes to the end.
 */
function quotedAt(text: string, at: number): Span | undefined {
  const start = matchEnd(OPENING, text, at);
  if (start === undefined) return undefined;
  const depth = start - at - 1;
  const quote = text.charAt(start - 1);
  for (let close = text.indexOf(quote, start); close !== -1; close = text.indexOf(quote, close + 1)) {
    let slashes = 0;
    while (close - slashes > start && text[close - slashes - 1] === "\\") slashes++;
    if (slashes % (2 * (depth + 1)) === depth) return [start, close - depth];
  }
  return [start, text.length];
}

/** After the bracket that closes the one at `at`, whatever stands between them. */
function closingAfter(text: string, at: number): number {
  let open = 0;
  for (let end = at; end < text.length; end++) {
    const char = text[end];
    if (char === "[" || char === "{") open++;
    else if ((char === "]" || char === "}") && --open === 0) return end + 1;
  }
  return text.length;
}

function matchEnd(sticky: RegExp, text: string, at: number): number | undefined {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : undefined;
}
