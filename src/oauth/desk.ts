// Signing in from a terminal: the same flows as in a browser, behind one small interface for a command.

import type { Clock } from "../core/ports.ts";
import { PortBusyError } from "./callback.ts";
import { type DeviceCode, signInByDevice } from "./device.ts";
import type { Flow, FlowMode } from "./flow.ts";
import { type Flows, TooManyFlowsError } from "./flows.ts";
import { conclude, type End, type Keeping, type Question, type SignInTarget } from "./steps.ts";
import { IssuerError } from "./token-endpoint.ts";

export interface SignInDesk {
  account(name: string): "known" | "unknown" | "keeps-no-login";
  /** Opens a sign-in; a reason in words when none can be opened. */
  begin(name: string, mode: FlowMode): Promise<Flow | { readonly kind: "failed"; readonly reason: string }>;
  /** Signs in with a code; never throws. */
  device(name: string, onCode: (code: DeviceCode) => void, signal: AbortSignal): Promise<End | Question>;
}

export interface DeskOptions extends Keeping {
  readonly clock: Clock;
  readonly flows: Flows;
  /** Every configured account; `site` only where it signs in. */
  readonly accounts: () => readonly (Omit<SignInTarget, "site"> & Partial<Pick<SignInTarget, "site">>)[];
}

export function createSignInDesk(options: DeskOptions): SignInDesk {
  const targetOf = (name: string): SignInTarget | undefined => {
    const found = options.accounts().find((each) => each.name === name);
    return found?.site === undefined ? undefined : { ...found, site: found.site };
  };
  return {
    account(name) {
      if (!options.accounts().some((each) => each.name === name)) return "unknown";
      return targetOf(name) === undefined ? "keeps-no-login" : "known";
    },
    async begin(name, mode) {
      const target = targetOf(name);
      if (target === undefined) return { kind: "failed", reason: "the account does not sign in" };
      try {
        return await options.flows.begin(target, mode);
      } catch (error) {
        if (error instanceof PortBusyError) return { kind: "failed", reason: portWords(error.port) };
        if (error instanceof TooManyFlowsError) return { kind: "failed", reason: error.message };
        throw error;
      }
    },
    async device(name, onCode, signal) {
      const target = targetOf(name);
      if (target === undefined) return { kind: "failed", reason: "the account does not sign in" };
      try {
        const login = await signInByDevice(target.site, { clock: options.clock, onCode, signal });
        return await conclude(target, login, options);
      } catch (error) {
        if (error instanceof IssuerError) return { kind: "failed", reason: error.reason };
        throw error;
      }
    },
  };
}

function portWords(port: number): string {
  return `port ${port} is in use, perhaps by another sign-in or by the Codex program; end that, or sign in with --device or --paste`;
}
