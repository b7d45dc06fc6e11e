// The last net under every log line: whatever looks like a secret is replaced, and so is every secret that is
// known. It errs towards hiding. Linear in the text.

import { KnownSecrets } from "./known.ts";
import { remembering } from "./memo.ts";
import { namedSpans } from "./named.ts";
import { HIDDEN, hide } from "./spans.ts";

export type Mask = (text: string) => string;

/** Not in the middle of a word; what is escaped before it (`\n`, `%20`) is no word. */
const START = String.raw`(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))`;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // API keys: `sk-…`, `sk-ant-…`, `sk-proj-…`; long ones even in the middle of a word.
  [new RegExp(String.raw`(?:${START}(?:sk|sess)-[\w-]{8,}|sk-[\w-]{24,})`, "g"), HIDDEN],
  // JWTs, whole or cut, and any other base64url of `{"…`.
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, HIDDEN],
  // Refresh tokens: `rt_…`, `rt.…`.
  [new RegExp(String.raw`${START}rt(?:_[\w.-]{8,}|\.[\w.-]{16,})`, "g"), HIDDEN],
  [/\b(bearer|basic)((?:\s|%20|\+){1,4})[^\s"'\\]{6,}/gi, `$1$2${HIDDEN}`],
  // Somebody's name and password in a URL.
  [/:\/\/[^\s/?#"'<>]+@/g, `://${HIDDEN}@`],
  // What an OAuth callback carries (RFC 6749 §4.1.2).
  [/((?:[?&]|^|%3[Ff]|%26|\\u0026)(?:code|state)(?:=|%3[Dd]))[^&\s"'#\\]+/g, `$1${HIDDEN}`],
];

/** Nearly every value has none of these, and is done with at one look. */
const SUSPICIOUS =
  /sk-|sess-|eyj|rt[_.]|bearer|basic|@|code=|state=|code%|state%|auth|cookie|key|token|secret|passw|passp|verif|cred/i;

/** @param secrets known word for word; a live set, which may grow */
export function createMask(secrets: ReadonlySet<string> = new Set()): Mask {
  const known = new KnownSecrets(secrets);
  const mask = (text: string): string => {
    const masked = known.hide(text);
    return SUSPICIOUS.test(masked) ? maskPatterns(masked) : masked;
  };
  return remembering(mask, () => secrets.size);
}

function maskPatterns(text: string): string {
  let masked = hide(text, namedSpans(text));
  for (const [pattern, replacement] of PATTERNS) masked = masked.replace(pattern, replacement);
  return masked;
}
