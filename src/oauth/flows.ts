// The sign-ins that are open: few, short-lived, each good for one answer. A browser on this machine comes back to the
// callback listener; from elsewhere the address it ends at is pasted.

import type { Clock } from "../core/ports.ts";
import { createProof } from "./authorize.ts";
import { type CallbackHandle, type CallbackListener, listenForCallback } from "./callback.ts";
import { createCallbackRoutes } from "./callback-routes.ts";
import { type Flow, type FlowMode, OpenFlow } from "./flow.ts";
import { createKey, type OneTimeKey } from "./keys.ts";
import type { Keeping, SignInTarget, Step } from "./steps.ts";

/** As many are open as there may be. */
export class TooManyFlowsError extends Error {
  constructor() {
    super(`${MAX_FLOWS} sign-ins are open already`);
    this.name = "TooManyFlowsError";
  }
}

export interface Answered {
  readonly step: Step;
  /** Whose answer it was, if anybody's. */
  readonly flow: Flow | undefined;
}

export interface Flows {
  /** @throws TooManyFlowsError, PortBusyError: told before anybody is sent anywhere */
  begin(target: SignInTarget, mode: FlowMode): Promise<Flow>;
  /** The open flow whose session, or whose form, has this key. */
  find(by: "session" | "form", key: string): Flow | undefined;
  /** The answer of the browser at the callback listener. */
  answer(parameters: URLSearchParams): Promise<Answered>;
  readonly full: boolean;
  readonly callbackPort: number;
  /** Answers to browsers at the callback listener that have not left in full: their codes are being exchanged. */
  pending(): number;
  /** Ends every flow and the listener. */
  close(): void;
}

export interface FlowOptions extends Keeping {
  readonly clock: Clock;
  /** 1455 is the one port the issuer knows for local programs. 0, for tests: any. */
  readonly callbackPort?: number;
}

const MAX_FLOWS = 16;
const CALLBACK_PORT = 1455;
/** So many states that have had their answer are remembered, to tell a replay from a stranger. */
const REMEMBERED = 64;

export function createFlows(options: FlowOptions): Flows {
  return new OpenFlows(options);
}

class OpenFlows implements Flows {
  readonly callbackPort: number;
  readonly #options: FlowOptions;
  readonly #handle: CallbackHandle;
  readonly #open = new Set<OpenFlow>();
  readonly #used = new Set<string>();
  #listener: CallbackListener | undefined;
  /** Listeners that finish their last answers. */
  #stopped: readonly CallbackListener[] = [];
  #closed = false;

  constructor(options: FlowOptions) {
    this.#options = options;
    this.callbackPort = options.callbackPort ?? CALLBACK_PORT;
    this.#handle = createCallbackRoutes(this, options.clock);
  }

  get full(): boolean {
    return this.#open.size >= MAX_FLOWS;
  }

  async begin(target: SignInTarget, mode: FlowMode): Promise<Flow> {
    if (this.full) throw new TooManyFlowsError();
    const proof = await createProof();
    // Others may have begun meanwhile. From here to `add` nothing waits.
    if (this.full || this.#closed) throw new TooManyFlowsError();
    if (mode === "browser") this.#listener ??= listenForCallback(this.callbackPort, this.#handle);
    const redirectUri = `http://localhost:${this.#listener?.port ?? this.callbackPort}/auth/callback`;
    const flow = new OpenFlow({
      ...this.#options,
      target,
      mode,
      proof,
      redirectUri,
      onAnswered: (state) => this.#remember(state),
      onEnd: (ended) => this.#forget(ended),
    });
    this.#open.add(flow);
    this.#options.log({ level: "info", event: "login-started", fields: { account: target.name, mode } });
    return flow;
  }

  find(by: "session" | "form", key: string): Flow | undefined {
    return [...this.#open].find((flow) => flow[by].matches(key));
  }

  async answer(parameters: URLSearchParams): Promise<Answered> {
    const state = parameters.get("state") ?? "";
    // A flow of a browser elsewhere is tied to that browser's session: it takes no answer here.
    const flow = [...this.#open].find((each) => each.mode === "browser" && each.state.matches(state));
    if (flow !== undefined) return { flow, step: await flow.take(parameters) };
    return { flow, step: { kind: "stray", why: this.#used.has(createKey(state).hash) ? "used" : "unknown" } };
  }

  pending(): number {
    this.#stopped = this.#stopped.filter((each) => each.pending() > 0);
    const all = this.#listener === undefined ? this.#stopped : [...this.#stopped, this.#listener];
    return all.reduce((sum, each) => sum + each.pending(), 0);
  }

  close(): void {
    this.#closed = true;
    for (const flow of [...this.#open]) flow.cancel();
  }

  #remember(state: OneTimeKey): void {
    this.#used.add(state.hash);
    const [oldest] = this.#used;
    if (this.#used.size > REMEMBERED && oldest !== undefined) this.#used.delete(oldest);
  }

  #forget(flow: OpenFlow): void {
    this.#open.delete(flow);
    if ([...this.#open].some((each) => each.mode === "browser")) return;
    if (this.#listener === undefined) return;
    this.#listener.stop();
    this.#stopped = [...this.#stopped, this.#listener];
    this.#listener = undefined;
  }
}
