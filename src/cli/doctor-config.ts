// Checks of the config file itself.

import { readFileSync, statSync } from "node:fs";
import { type Loaded, loadConfig } from "../config/load.ts";
import { parseConfig } from "../config/parse.ts";
import type { Problem } from "../config/problems.ts";
import { arrayAt, type Json, objectAt, stringAt } from "../core/json.ts";
import { summary } from "./check.ts";
import { about, type Finding } from "./doctor-finding.ts";
import { type Io, programName } from "./io.ts";

/** Every problem of the config; what it holds, where it can be used. */
export async function checkConfig(
  path: string,
  io: Io,
): Promise<{ readonly loaded: Loaded; readonly findings: readonly Finding[] }> {
  const loaded = await loadConfig(path, io.env);
  const findings = loaded.ok
    ? [about("config", path).ok(`is good: ${summary(loaded.config)}`)]
    : loaded.problems.map((problem) => told(path, problem, io));
  return { loaded, findings: [...findings, ...checkConfigMode(path)] };
}

function told(path: string, { path: key, message, suggestion, line }: Problem, io: Io): Finding {
  const pen = about("config", line === undefined ? path : `${path}:${line}`);
  if (message === "does not exist")
    return pen.fail(message, `make one with: ${programName(io.env)} init -config ${path}`);
  const advice =
    suggestion === undefined
      ? "mend it there; docs/configuration.md explains every key"
      : `try: ${suggestion}`;
  return pen.fail(key === "" ? message : `${key} ${message}`, advice);
}

/** Whether others on this machine can read secrets in it. */
function checkConfigMode(path: string): readonly Finding[] {
  if (process.platform === "win32") return [];
  let mode: number;
  let text: string;
  try {
    mode = statSync(path).mode & 0o777;
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  const pen = about("config mode", path);
  if ((mode & 0o004) === 0) return [pen.ok(`is closed to others (${octal(mode)})`)];
  const plain = plainSecrets(text);
  if (plain.length === 0)
    return [pen.ok(`can be read by everybody (${octal(mode)}), and holds no secret as plain text`)];
  const advice = `chmod 600 ${path}; or keep the secrets out of it, with "\${NAME}" or "\${file:PATH}"`;
  return [
    pen.warn(`can be read by everybody (${octal(mode)}) and holds ${plain.join(", ")} as plain text`, advice),
  ];
}

/** The keys whose values stand in the text themselves. */
function plainSecrets(text: string): readonly string[] {
  const parsed = parseConfig(text);
  if (!parsed.ok) return [];
  const config = objectAt({ config: parsed.value }, "config");
  const within = (list: string, keys: readonly string[]): readonly string[] =>
    (arrayAt(config, list) ?? []).flatMap((each: Json, index) =>
      keys.filter((key) => isSecret(key, stringAt(each, key))).map((key) => `${list}[${index}].${key}`),
    );
  const tokens = (arrayAt(config, "auth_tokens") ?? []).some((each) => isSecret("auth_tokens", each));
  return [
    ...(tokens ? ["auth_tokens"] : []),
    ...(isSecret("admin_token", stringAt(config, "admin_token")) ? ["admin_token"] : []),
    ...within("client_keys", ["token"]),
    ...within("accounts", ["api_key", "oauth_token", "refresh_token", "proxy"]),
  ];
}

function isSecret(key: string, value: Json | undefined): boolean {
  if (typeof value !== "string" || value === "" || value.includes("${")) return false;
  // Only with a password.
  return key !== "proxy" || /^\w+:\/\/[^/]*:[^/]*@/.test(value);
}

export function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
