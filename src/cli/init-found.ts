// What `init` can begin with: keys in the environment, and a login of the Codex program.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { AccountChoice } from "./init-template.ts";
import type { Io } from "./io.ts";

export const KEY_VARIABLES = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" } as const;

export interface FoundAccount {
  /** As in "Use ...?". */
  readonly what: string;
  readonly choice: AccountChoice;
}

/** Nothing is read of a login yet: only that it is there. */
export function findAccounts(io: Io): FoundAccount[] {
  const keys = (["anthropic", "openai"] as const).flatMap((platform): FoundAccount[] => {
    const variable = KEY_VARIABLES[platform];
    if ((io.env[variable] ?? "") === "") return [];
    return [{ what: `the key in $${variable}`, choice: { kind: platform, key: `\${${variable}}` } }];
  });
  const file = codexFile(io);
  return existsSync(file) ? [...keys, { what: `Codex's login in ${file}`, choice: { kind: "codex" } }] : keys;
}

/** Where the Codex program keeps its files. */
export function codexHome(env: Io["env"]): string {
  return env["CODEX_HOME"] || join(env["HOME"] || homedir(), ".codex");
}

export function codexFile({ env, cwd }: Io): string {
  return resolve(cwd, codexHome(env), "auth.json");
}
