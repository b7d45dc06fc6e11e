// What is wrong with a config file, in words for the person who wrote it. Never holds a value from the
// file, because a value may be a secret: names of keys, places and what would be right instead.

export type Path = readonly (string | number)[];

/** A finding before its place in the text is known. */
export interface Finding {
  readonly at: Path;
  readonly message: string;
  readonly suggestion?: string | undefined;
}

export interface Problem {
  /** Where: `accounts[1].priority`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly suggestion?: string | undefined;
  /** Counted from 1. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** What a check of one value says: the value as the gateway uses it, or what is wrong with it. */
export type Checked<T> = { readonly value: T } | Flaw;

export interface Flaw {
  readonly message: string;
  readonly suggestion?: string | undefined;
}

const LONGEST_KEY = 48;

/** `accounts[1].priority`; keys that are no plain words are quoted, very long ones cut. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$-]{0,47}$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part.length > LONGEST_KEY ? `${part.slice(0, 12)}…` : part)}]`;
  }
  return text;
}

/** One paragraph for each problem, each with a line break at its end. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  return problems.map((problem) => formatProblem(file, problem)).join("");
}

function formatProblem(file: string, problem: Problem): string {
  const place = problem.line === undefined ? file : `${file}:${problem.line}:${problem.column ?? 1}`;
  const subject = problem.path === "" ? "" : `${problem.path} `;
  const advice = problem.suggestion === undefined ? "" : `\n    try: ${problem.suggestion}`;
  return `${place}: ${subject}${problem.message}${advice}\n`;
}
