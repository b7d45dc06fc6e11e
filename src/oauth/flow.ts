// One sign-in that is open: what it is recognised by, the one answer it takes, and how it ends.

import type { Clock, Log } from "../core/ports.ts";
import { authorizeUrl, exchangeCode, type Proof, readAnswer, readPasted } from "./authorize.ts";
import { createKey, type OneTimeKey } from "./keys.ts";
import { conclude, type End, type Keeping, type Question, type SignInTarget, type Step } from "./steps.ts";
import { IssuerError } from "./token-endpoint.ts";

export const FLOW_MS = 600_000;

/** `browser`: it runs on this machine and reaches the callback listener. `paste`: it runs elsewhere. */
export type FlowMode = "browser" | "paste";

/** One open sign-in. */
export interface Flow {
  readonly target: SignInTarget;
  readonly mode: FlowMode;
  /** Where the browser goes. Holds the state: for that browser only. */
  readonly url: string;
  /** What the browser's cookie holds. */
  readonly session: OneTimeKey;
  /** What the forms of its pages hold, against forms of other sites. */
  readonly form: OneTimeKey;
  /** The question that waits for an answer. */
  readonly question: Question | undefined;
  /** How it ended. Never rejects. */
  readonly ended: Promise<End>;
  /** Takes the address the browser ended at, as somebody pasted it. A text of no use leaves all as it was. */
  paste(text: string): Promise<Step>;
  confirm(yes: boolean): Promise<End>;
  /** Gives it up. */
  cancel(): void;
}

export interface FlowParts extends Keeping {
  readonly clock: Clock;
  readonly target: SignInTarget;
  readonly mode: FlowMode;
  readonly proof: Proof;
  readonly redirectUri: string;
  readonly onAnswered: (state: OneTimeKey) => void;
  readonly onEnd: (flow: OpenFlow) => void;
}

export class OpenFlow implements Flow {
  readonly target: SignInTarget;
  readonly mode: FlowMode;
  readonly url: string;
  readonly session = createKey();
  readonly form = createKey();
  readonly state: OneTimeKey;
  readonly ended: Promise<End>;
  question: Question | undefined;
  /** Whether the one answer has come. */
  #answered = false;
  #over = false;
  readonly #parts: FlowParts;
  readonly #end: (end: End) => void;
  #stopTimer: () => void;

  constructor(parts: FlowParts) {
    const { target, mode, proof, redirectUri } = parts;
    this.#parts = parts;
    this.target = target;
    this.mode = mode;
    this.state = createKey(proof.state);
    this.url = authorizeUrl(target.site, proof, redirectUri);
    const { promise, resolve } = Promise.withResolvers<End>();
    this.ended = promise;
    this.#end = resolve;
    this.#stopTimer = this.#startTimer();
  }

  async paste(text: string): Promise<Step> {
    const parameters = readPasted(text);
    if (parameters === undefined) return { kind: "stray", why: "unreadable" };
    if (!this.state.matches(parameters.get("state") ?? "")) return { kind: "stray", why: "unknown" };
    return this.take(parameters);
  }

  /** The answer to this flow's own state: the first readable one counts. */
  async take(parameters: URLSearchParams): Promise<Step> {
    if (this.#answered || this.#over) return { kind: "stray", why: "used" };
    const { target, proof } = this.#parts;
    const answer = readAnswer(parameters, target.site, proof.state);
    if (answer.kind === "unreadable") return { kind: "stray", why: "unreadable" };
    this.#answered = true;
    this.#parts.onAnswered(this.state);
    if (answer.kind === "denied") return this.#finish(answer);
    const step = await this.#exchange(answer.code);
    if (step.kind !== "question") return this.#finish(step);
    if (this.#over) return { kind: "expired" };
    this.question = step;
    // Whoever came in the last second is left the time to read.
    this.#stopTimer();
    this.#stopTimer = this.#startTimer();
    return step;
  }

  async confirm(yes: boolean): Promise<End> {
    if (this.question === undefined || this.#over) return { kind: "expired" };
    this.#stopTimer();
    return this.#finish(await this.question.confirm(yes));
  }

  cancel(): void {
    this.#finish({ kind: "expired" });
  }

  async #exchange(code: string): Promise<End | Question> {
    const { target, proof, redirectUri, mode, clock } = this.#parts;
    const { site } = target;
    const { verifier, nonce } = proof;
    try {
      const login = await exchangeCode({ site, code, verifier, redirectUri, nonce, source: mode }, clock);
      if (this.#over) return { kind: "expired" };
      return await conclude(target, login, this.#parts);
    } catch (error) {
      const reason = error instanceof IssuerError ? error.reason : "the code could not be exchanged";
      return { kind: "failed", reason };
    }
  }

  #startTimer(): () => void {
    return this.#parts.clock.after(FLOW_MS, () => {
      // An exchange under way has a limit of its own, and ends the flow.
      if (!this.#answered || this.question !== undefined) this.#finish({ kind: "expired" });
    });
  }

  #finish(end: End): End {
    if (this.#over) return end;
    this.#over = true;
    this.#stopTimer();
    tell(this.#parts.log, this.target.name, end);
    this.#end(end);
    this.#parts.onEnd(this);
    return end;
  }
}

/** One line for each end. The issuer's own words came through a browser: they stay out of the log. */
function tell(log: Log, account: string, end: End): void {
  if (end.kind === "signed-in") log({ level: "info", event: "login-done", fields: { account } });
  else if (end.kind === "failed")
    log({ level: "warn", event: "login-failed", fields: { account, reason: end.reason } });
  else log({ level: "info", event: "login-given-up", fields: { account, why: end.kind } });
}
