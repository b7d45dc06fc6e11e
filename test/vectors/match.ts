// The matcher for the placeholders that README.md describes. `match` returns the list of differences.

export interface Context {
  bind: Map<string, string>;
  /** The last number seen by `$seq`. */
  seq: number;
  root: unknown;
}

type Node = Readonly<Record<string, unknown>>;

export function newContext(): Context {
  return { bind: new Map(), seq: Number.NEGATIVE_INFINITY, root: undefined };
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 200);
}

/** A text, or the texts of its parts joined. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  return value.map((part) => (isNode(part) ? String(part["text"] ?? "") : "")).join("");
}

function isText(value: unknown, text: unknown, types: readonly string[]): boolean {
  if (value === text) return true;
  const part: unknown = Array.isArray(value) && value.length === 1 ? value[0] : undefined;
  return isNode(part) && types.includes(String(part["type"])) && part["text"] === text;
}

function bindTo(name: string, value: unknown, path: string, context: Context): string[] {
  if (typeof value !== "string" || value === "") return [`${path}: want a bound string, got ${show(value)}`];
  const held = context.bind.get(name);
  if (held !== undefined) return held === value ? [] : [`${path}: ${name} was ${held}, now ${value}`];
  const group = name.split(".")[0];
  for (const [other, text] of context.bind)
    if (other.split(".")[0] === group && text === value) return [`${path}: ${name} equals ${other}`];
  context.bind.set(name, value);
  return [];
}

function tryMatch(expected: unknown, actual: unknown, path: string, context: Context): string[] {
  const copy = { ...context, bind: new Map(context.bind) };
  const differences = match(expected, actual, copy, path);
  if (differences.length === 0) Object.assign(context, copy);
  return differences;
}

function matchWord(word: string, actual: unknown, path: string, context: Context): string[] {
  const fail = (want: string): string[] => [`${path || "/"}: want ${want}, got ${show(actual)}`];
  switch (word) {
    case "$any":
    case "$any_or_absent":
      return [];
    case "$absent":
      return actual === undefined || actual === null ? [] : fail("nothing");
    case "$string":
      return typeof actual === "string" && actual !== "" ? [] : fail("a string");
    case "$int":
      return Number.isInteger(actual) ? [] : fail("an integer");
    case "$seq":
      if (typeof actual !== "number" || actual <= context.seq) return fail("a rising integer");
      context.seq = actual;
      return [];
    default:
      if (word.startsWith("$bind:")) return bindTo(word.slice(6), actual, path, context);
      throw new Error(`unknown placeholder ${word}`);
  }
}

/** Placeholders with an argument: `{"$name": argument}`; undefined for a plain object. */
function matchSpecial(expected: Node, actual: unknown, path: string, context: Context): string[] | undefined {
  const found: string[] = [];
  let special = false;
  const check = (ok: boolean, want: string): void => {
    special = true;
    if (!ok) found.push(`${path || "/"}: want ${want}, got ${show(actual)}`);
  };
  for (const [key, value] of Object.entries(expected)) {
    if (key === "$oneof" && Array.isArray(value))
      check(
        value.some((each) => tryMatch(each, actual, path, context).length === 0),
        `one of ${show(value)}`,
      );
    else if (key === "$json") {
      special = true;
      found.push(...matchJson(value, actual, path, context));
    } else if (key === "$text") check(isText(actual, value, ["text"]), `the text ${show(value)}`);
    else if (key === "$resp_text") check(isText(actual, value, ["input_text"]), `the text ${show(value)}`);
    else if (key === "$resp_out_text")
      check(isText(actual, value, ["output_text"]), `the text ${show(value)}`);
    else if (key === "$text_contains")
      check((textOf(actual) ?? "").includes(String(value)), `text with ${show(value)}`);
    else if (key === "$not_contains")
      check(!(textOf(actual) ?? "").includes(String(value)), `text without ${show(value)}`);
    else if (key === "$int_min")
      check(Number.isInteger(actual) && Number(actual) >= Number(value), `>= ${show(value)}`);
    else if (key === "$match")
      check(typeof actual === "string" && new RegExp(String(value), "s").test(actual), String(value));
    else if (key === "$superset" && Array.isArray(value))
      check(Array.isArray(actual) && value.every((each) => actual.includes(each)), `all of ${show(value)}`);
    else if (key === "$text_joined" && Array.isArray(value))
      check(isJoined(actual, value), `the texts ${show(value)} in this order`);
    else if (key === "$leading_unordered" && Array.isArray(value)) {
      special = true;
      found.push(...matchLeading(value, expected["$then"], actual, path));
    } else if (key === "$bind") {
      special = true;
      found.push(...bindTo(String(value), actual, path, context));
    }
  }
  return special ? found : undefined;
}

/** These texts in this order, in one text or in parts. */
function isJoined(actual: unknown, texts: readonly unknown[]): boolean {
  const text = textOf(actual) ?? "";
  let from = 0;
  return texts.every((each) => {
    const at = text.indexOf(String(each), from);
    from = at + String(each).length;
    return at >= 0;
  });
}

/** `leading` in any order, then `rest` in order. */
function matchLeading(leading: readonly unknown[], rest: unknown, actual: unknown, path: string): string[] {
  const wanted = Array.isArray(rest) ? rest : [];
  if (!Array.isArray(actual) || actual.length !== leading.length + wanted.length)
    return [`${path}: want ${leading.length} + ${wanted.length} elements, got ${show(actual)}`];
  const left = actual.slice(0, leading.length);
  const missing = leading.filter((each) => {
    const at = left.findIndex((one) => match(each, one).length === 0);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [
    ...missing.map((each) => `${path}: ${show(each)} is not among ${show(left)}`),
    ...match(wanted, actual.slice(leading.length), newContext(), path),
  ];
}

function matchJson(expected: unknown, actual: unknown, path: string, context: Context): string[] {
  try {
    return match(expected, JSON.parse(String(actual)), context, path);
  } catch {
    return [`${path}: want JSON, got ${show(actual)}`];
  }
}

export function match(expected: unknown, actual: unknown, context = newContext(), path = ""): string[] {
  if (typeof expected === "string" && expected.startsWith("$"))
    return matchWord(expected, actual, path, context);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length)
      return [`${path || "/"}: want ${expected.length} elements, got ${show(actual)}`];
    return expected.flatMap((each, at) => match(each, actual[at], context, `${path}/${at}`));
  }
  if (!isNode(expected))
    return Object.is(expected, actual) ? [] : [`${path || "/"}: want ${show(expected)}, got ${show(actual)}`];
  const special = matchSpecial(expected, actual, path, context);
  if (special !== undefined) return special;
  if (!isNode(actual)) return [`${path || "/"}: want an object, got ${show(actual)}`];
  const allowed = expected["$exact_keys"];
  const extra = Array.isArray(allowed) ? Object.keys(actual).filter((key) => !allowed.includes(key)) : [];
  return [
    ...extra.map((key) => `${path}/${key}: not allowed`),
    ...Object.entries(expected)
      .filter(([key]) => !key.startsWith("$"))
      .flatMap(([key, value]) => match(value, actual[key], context, `${path}/${key}`)),
  ];
}
