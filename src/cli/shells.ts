// How each shell sets a variable, forgets one and wraps a program: text for `eval`.

import { basename } from "node:path";
import { nearest } from "../config/nearest.ts";
import { UsageError } from "./arguments.ts";
import type { Io } from "./io.ts";

export const SHELLS = ["bash", "zsh", "fish", "pwsh"] as const;
export type Shell = (typeof SHELLS)[number];

/** @throws UsageError for an unknown one */
export function shellNamed(name: string): Shell {
  const found = SHELLS.find((each) => each === name);
  if (found !== undefined) return found;
  const near = nearest(name, SHELLS);
  const meant = near === undefined ? `one of ${SHELLS.join(", ")}` : `"${near}"`;
  throw new UsageError(`there is no shell "${name}" here; did you mean ${meant}?`);
}

/** The shell of whoever asks, as far as the environment tells; the Bourne family when it does not. */
export function shellOf(env: Io["env"]): Shell {
  const name = basename(env["SHELL"] ?? "");
  if (name === "" && env["PSModulePath"] !== undefined) return "pwsh";
  return SHELLS.find((each) => each === name) ?? "bash";
}

interface Words {
  readonly set: (name: string, value: string) => string;
  readonly unset: (name: string) => string;
  /** A function that starts the program of its name with these words before the user's own. */
  readonly wrap: (program: string, args: readonly string[]) => string;
  /** What a person types to use the lines that `command` prints. */
  readonly use: (command: string) => string;
}

/** One word for a shell whose quotes take everything as it is; `'` itself is written as `escaped`. */
function quoted(escaped: string): (text: string) => string {
  return (text) => `'${text.replaceAll("'", () => escaped)}'`;
}

const posix = quoted(String.raw`'\''`);
const pwsh = quoted("''");
/** In fish a backslash escapes inside quotes too. */
const fish = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;

const BOURNE: Words = {
  set: (name, value) => `export ${name}=${posix(value)}`,
  unset: (name) => `unset ${name}`,
  wrap: (program, args) => `${program}() { command ${program} ${args.map(posix).join(" ")} "$@"; }`,
  use: (command) => `eval "$(${command})"`,
};

export const SHELL_WORDS: Readonly<Record<Shell, Words>> = {
  bash: BOURNE,
  zsh: BOURNE,
  fish: {
    set: (name, value) => `set -gx ${name} ${fish(value)}`,
    unset: (name) => `set -e ${name}`,
    wrap: (program, args) =>
      `function ${program} --wraps ${program}; command ${program} ${args.map(fish).join(" ")} $argv; end`,
    use: (command) => `${command} | source`,
  },
  pwsh: {
    set: (name, value) => `$env:${name} = ${pwsh(value)}`,
    unset: (name) => `Remove-Item Env:${name} -ErrorAction SilentlyContinue`,
    wrap: (program, args) =>
      `function ${program} { & (Get-Command -CommandType Application ${program})[0] ${args.map(pwsh).join(" ")} @args }`,
    use: (command) => `${command} | Out-String | Invoke-Expression`,
  },
};
