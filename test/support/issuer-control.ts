// `POST /control/NAME` of the scripted issuer: what a test in another process asks of it, JSON in and JSON out.

import { reply } from "./issuer-answer.ts";
import type { Issuer, IssuerScript, IssuerSettings, Seed } from "./issuer-types.ts";
import type { Answer, UpstreamRequest } from "./upstream.ts";

export interface ControlInput {
  readonly seed?: Seed;
  readonly scripts?: readonly IssuerScript[];
  readonly script?: IssuerScript;
  readonly settings?: Partial<IssuerSettings>;
  /** An access or refresh token, a family or a user code. */
  readonly text?: string;
}

type Command = (issuer: Issuer, input: ControlInput) => unknown;

const COMMANDS: Readonly<Record<string, Command>> = {
  seed: (issuer, { seed }) => issuer.seed(seed),
  script: (issuer, { scripts = [] }) => issuer.script(...scripts),
  always: (issuer, { script = {} }) => issuer.always(script),
  release: (issuer) => issuer.release(),
  settings: (issuer, { settings }) => Object.assign(issuer.settings, settings),
  state: (issuer) => ({ waiting: issuer.waiting, scriptsLeft: issuer.scriptsLeft }),
  ledger: (issuer) => issuer.ledger,
  presentations: (issuer, { text = "" }) => issuer.presentations(text),
  access: (issuer, { text = "" }) => ({ valid: issuer.isAccess(text), account: issuer.accountOf(text) }),
  "live-refresh": (issuer, { text = "" }) => issuer.liveRefresh(text),
  "revoke-access": (issuer, { text = "" }) => issuer.revokeAccess(text),
  "expire-refresh": (issuer, { text = "" }) => issuer.expireRefresh(text),
  "revoke-family": (issuer, { text = "" }) => issuer.revokeFamily(text),
  "approve-device": (issuer, { text = "" }) => issuer.approveDevice(text),
  secrets: (issuer) => issuer.secrets(),
};

/** Answers `{"value": ...}`, or 400 `{"error": words}`. */
export function controlEndpoint(issuer: Issuer): (request: UpstreamRequest) => Answer {
  return (request) => {
    const command = COMMANDS[request.path.slice("/control/".length)];
    if (command === undefined) return reply(404, { error: "no such command" });
    try {
      // Only tests speak here, and in the types of remoteIssuer.
      const input = (request.body.length === 0 ? {} : request.json()) as ControlInput;
      return reply(200, { value: command(issuer, input) });
    } catch (error) {
      return reply(400, { error: String(error) });
    }
  };
}
