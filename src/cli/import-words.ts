// What `import` asks and tells.

import type { FoundLogin, LoginFile } from "./import-desk.ts";
import { describeWho, printable, type Who } from "./who.ts";

/** Who renews a login from now on: we alone, or the program it came from. */
export type Custody = "adopt" | "follow";

export interface Imported {
  readonly account: string;
  readonly added: boolean;
  readonly custody: Custody;
  readonly login: FoundLogin;
}

export interface Done {
  readonly kind: LoginFile["kind"];
  readonly path: string;
  readonly configPath: string;
  readonly imported: readonly Imported[];
  /** What was not imported, or not written, and why. */
  readonly faults: readonly string[];
}

export function custodyQuestion(path: string): string {
  return `Codex and the gateway could both renew the login in ${path},
but only one of them may: a refresh token works once, and a login that two renew is lost.

  1  adopt   Only the gateway renews it from now on. Codex's own login stops working once it has;
             Codex then has to be signed in anew, or to use the gateway.
  2  follow  Codex goes on renewing it, and the gateway only reads that file. The login runs out
             when Codex is not used for long.

1 or 2: `;
}

export function adoptQuestion(path: string, names: readonly string[]): string {
  return `The program that wrote ${path}
must not run with ${printable(names.join(", "))} any more: a login that two renew is lost.
Shall the gateway alone renew from now on? yes or no [no]: `;
}

export function replaceQuestion(name: string, had: Who, got: Who, path: string): string {
  return `${printable(name)} is signed in already: ${describeWho(had)}.
The login in ${path} is of ${describeWho(got)}.
It may be older than the one ${printable(name)} has, and used up. Put it in its place? yes or no [no]: `;
}

/** For people. */
export function tell({ kind, path, configPath, imported }: Done): string {
  const lines = imported.map(({ account, added, login: { identity } }) => {
    const where = added ? `, and added to ${configPath}` : "";
    return `${printable(account)} is signed in as ${describeWho(identity)}${where}.`;
  });
  const [first] = imported;
  if (first === undefined) return "";
  lines.push("A running gateway takes that up by itself.", "", ...consequences(kind, first.custody, path));
  return `${lines.join("\n")}\n`;
}

function consequences(kind: LoginFile["kind"], custody: Custody, path: string): readonly string[] {
  if (kind === "token_state")
    return [
      "Only the gateway renews from now on: do not run the old program with this any more.",
      `${path} is left as it is; delete it when all is well.`,
    ];
  if (custody === "follow")
    return [
      `Codex goes on renewing this login; the gateway reads ${path} and never renews.`,
      "When it has run out, use Codex once.",
    ];
  return [
    "Only the gateway renews this login from now on. Codex's own login stops working once it has, because a",
    "refresh token works once; until then leave Codex closed.",
    `To go on with Codex, move ${path} away and sign in anew with`,
    "`codex login`, or let Codex use the gateway (README.md says how). Do not use `codex logout`: it would end",
    "the gateway's login as well.",
  ];
}

/** For programs: one line. */
export function tellJson({ path, configPath, imported, faults }: Omit<Done, "kind">): string {
  const logins = imported.map(({ account, added, custody, login: { identity, tokens } }) => ({
    account,
    added,
    custody,
    email: identity.email ?? null,
    account_id: identity.accountId ?? null,
    plan: identity.plan ?? null,
    expires_at: tokens.expiresAt === 0 ? null : tokens.expiresAt,
  }));
  return `${JSON.stringify({ file: path, config: configPath, imported: logins, faults })}\n`;
}
