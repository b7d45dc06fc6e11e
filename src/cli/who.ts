// People as the issuer names them, on a terminal.

/** Who somebody is at the issuer. */
export interface Who {
  readonly email: string | undefined;
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly plan: string | undefined;
}

export function describeWho({ email, accountId, plan }: Who): string {
  const workspace = accountId === undefined ? undefined : `workspace ${accountId}`;
  const known = [email, workspace, plan].filter((each) => each !== undefined);
  return known.length === 0 ? "somebody unknown" : printable(known.join(", "));
}

/** Others' words on a terminal: nothing in them may steer it. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "\ufffd");
}

/** What an error says to the operator. */
export function wordsOf(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}

/** Words as a sentence of their own. */
export function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}
