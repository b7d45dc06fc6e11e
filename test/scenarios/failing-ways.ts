// The ways in which an account fails before it has said anything, so that another one can take over.
import {
  answerBody,
  drip,
  empty,
  hangBeforeHeaders,
  hangUp,
  headersOnly,
  html,
  json,
  raw,
  redirect,
  reset,
  sse,
  type BodyEnd,
} from "../support/answers.ts";
import { pick } from "../support/json-pick.ts";
import { errorItems, textAnswer, textFrames } from "../support/made-streams.ts";
import type { Protocol } from "../support/oracle.ts";
import { blackHole, closedPort } from "../support/ports.ts";
import { protocolOf } from "../support/provider.ts";
import { providerError, providerErrorNames, type Platform } from "../support/samples.ts";
import { writeSse, type SseItem } from "../support/sse-text.ts";
import type { Answer, Upstream } from "../support/upstream.ts";

export interface Way {
  readonly name: string;
  /** What the failing account's server answers; it has a server of its own if `at` is given. */
  readonly answer?: Answer;
  /** Where the failing account lives, if nobody answers there. */
  readonly at?: () => Promise<{ readonly url: string; close(): void }>;
  /** Done to each connection before anything is read. */
  readonly greet?: Parameters<Upstream["onConnection"]>[0];
}

/** Other errors are the request's own fault and go to the client. */
const ACCOUNT_ERRORS = /^(401|402|403|408|409|429|5\d\d|404-model|400-spend-limit)/;

/** Every error that a provider, or something in front of it, may send on an account's behalf. */
export function refusals(platform: Platform): Way[] {
  const own = providerErrorNames(platform).filter((name) => ACCOUNT_ERRORS.test(name));
  const pages = providerErrorNames("html");
  return [...own.map((name) => refusal(platform, name)), ...pages.map((name) => refusal("html", name))];
}

export function refusal(from: Platform | "html", name: string): Way {
  const { status, headers, body } = providerError(from, name);
  return { name: `error ${name}`, answer: json(status, body, headers) };
}

export const UNREACHABLE: readonly Way[] = [
  {
    name: "connection refused",
    at: async () => ({ url: `http://127.0.0.1:${await closedPort()}`, close: () => undefined }),
  },
  { name: "connections that never come about", at: blackHole },
  { name: "connections reset before anything is read", greet: (connection) => connection.reset() },
];

export const SILENT_OR_BROKEN: readonly Way[] = [
  { name: "reset before the head", answer: reset() },
  { name: "hang-up before the head", answer: hangUp() },
  { name: "no head ever", answer: hangBeforeHeaders() },
  { name: "a head and nothing more", answer: headersOnly() },
  { name: "reset after the head", answer: nothing("rst") },
  { name: "hang-up after the head", answer: nothing("fin") },
  { name: "a head and a clean end", answer: nothing("clean") },
  { name: "a broken chunk after the head", answer: nothing("bad-chunk") },
  { name: "comments only", answer: drip(": nothing yet\n\n: nothing yet\n\n", 1) },
  { name: "a prelude and then silence", answer: prelude("hang") },
  { name: "a prelude and then a clean end", answer: prelude("clean") },
  { name: "a prelude and then a hang-up", answer: prelude("fin") },
  { name: "a prelude and then a reset", answer: prelude("rst") },
  { name: "an error as first event", answer: asked((protocol) => errorItems(protocol)) },
  {
    name: "an error after the prelude",
    answer: asked((protocol) => [...textFrames(protocol).start, ...errorItems(protocol)]),
  },
  {
    name: "an error in a whole answer of status 200",
    answer: json(200, { error: { message: "no", type: "api_error" } }),
  },
  { name: "a page instead of an answer", answer: html(200) },
  { name: "an answer that is cut", answer: cutAnswer() },
  { name: "an empty answer", answer: empty(200) },
  { name: "no content", answer: empty(204) },
  { name: "an error without a body", answer: empty(500) },
  { name: "a redirect", answer: redirect(307, "http://127.0.0.1:1/elsewhere") },
  { name: "words that are no HTTP", answer: raw("SSH-2.0-OpenSSH_9.2\r\n\r\n", "fin") },
];

function nothing(end: BodyEnd): Answer {
  return sse("", { end });
}

function prelude(end: BodyEnd): Answer {
  return (request, connection) => {
    const { start } = textFrames(protocolOf(request.path) ?? "chat");
    return sse(writeSse(start), { end })(request, connection);
  };
}

function asked(items: (protocol: Protocol) => readonly SseItem[]): Answer {
  return (request, connection) => sse(items(protocolOf(request.path) ?? "chat"))(request, connection);
}

/** A stream before its first content, or half of a whole answer. */
function cutAnswer(): Answer {
  return (request, connection) => {
    if (pick(request.json(), "stream") === true) return prelude("rst")(request, connection);
    const whole = Buffer.from(JSON.stringify(textAnswer(protocolOf(request.path) ?? "chat", "Never read.")));
    const headers = { "content-type": "application/json" };
    return answerBody(whole, { headers, end: "short-length", cutAt: 20 })(request, connection);
  };
}
