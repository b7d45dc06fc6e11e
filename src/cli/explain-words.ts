// What a record says, in words.

/** How one attempt ended. */
const ATTEMPTS: Readonly<Record<string, string>> = {
  ok: "answered",
  limit: "its rate limit or quota for now is used up; it rests until that ends",
  quota: "its money or plan is used up",
  credential: "its credential was refused",
  login: "its login is lost, or could not be renewed",
  model: "it does not have this model",
  api: "its server has no such endpoint",
  account: "a passing failure: an error of the server, a lost connection, or silence",
  route: "nobody could be reached there",
  provider: "its provider is overloaded as a whole",
  nobody: "failed without its own fault",
  stop: "found the request itself at fault, so nobody else was asked",
  gone: "the client had left",
};

/** How the whole ended. */
const ENDS: Readonly<Record<string, string>> = {
  ok: "The client has the whole answer.",
  stop: "The request itself was at fault; the client was told what the provider said.",
  failed: "Every account that was tried failed.",
  cut: "The answer broke off on its way, after its beginning had gone to the client.",
  gone: "The client left before the answer was complete.",
  refused: "No account was asked.",
};

export interface Attempt {
  readonly account: string;
  readonly outcome: string;
  readonly meaning: string;
}

/** `a:limit`: an account's name may hold colons, an outcome holds none. */
export function attemptOf(text: string): Attempt {
  const colon = text.lastIndexOf(":");
  const outcome = text.slice(colon + 1);
  return { account: text.slice(0, Math.max(0, colon)), outcome, meaning: ATTEMPTS[outcome] ?? "" };
}

export function endOf(outcome: string): string {
  return ENDS[outcome] ?? "";
}
