// What the scripted upstream knows of one request, and the rules that choose its answer.
import type { Connection } from "./connection.ts";
import { headerOf, type Framing, type Header, type MessageHead } from "./http-message.ts";

/** `abandoned`: the client left before the answer was complete. `broken`: the script cut its own answer. */
export type RequestState = "receiving" | "answering" | "answered" | "broken" | "abandoned";

export interface UpstreamRequest {
  /** Order of arrival at this upstream, from 1. */
  readonly number: number;
  readonly method: string;
  /** As it came, with the query. */
  readonly target: string;
  readonly path: string;
  readonly headers: readonly Header[];
  readonly framing: Framing;
  readonly body: Buffer;
  /** The value of `x-api-key`, else the bearer token. */
  readonly credential: string | undefined;
  readonly connection: Connection;
  readonly state: RequestState;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  header(name: string): string | undefined;
  json(): unknown;
}

export interface LiveRequest extends UpstreamRequest {
  state: RequestState;
  endedAt: number | undefined;
  body: Buffer;
}

export type Answer = (request: UpstreamRequest, connection: Connection) => void | Promise<void>;

export interface Match {
  readonly path?: string | RegExp;
  readonly credential?: string;
  /** Counts from 1 among the requests that fit path and credential since the rule was given. */
  readonly nth?: number | ((nth: number) => boolean);
  /** `head`: answer as soon as the head is read, without waiting for the body. */
  readonly at?: "head" | "body";
}

export interface Rule {
  readonly match: Match;
  readonly answer: Answer;
}

export function newRequest(number: number, head: MessageHead, connection: Connection): LiveRequest {
  const [method = "", target = ""] = head.startLine.split(" ");
  const bearer = /^Bearer (.+)$/i.exec(headerOf(head.headers, "authorization") ?? "")?.[1];
  return {
    number,
    method,
    target,
    path: target.split("?", 1)[0] ?? "",
    headers: head.headers,
    framing: head.framing,
    body: Buffer.alloc(0),
    credential: headerOf(head.headers, "x-api-key") ?? bearer,
    connection,
    state: "receiving",
    startedAt: Date.now(),
    endedAt: undefined,
    header: (name) => headerOf(head.headers, name),
    json(): unknown {
      return JSON.parse(this.body.toString("utf8"));
    },
  };
}

export class RuleBook {
  #rules: { readonly rule: Rule; seen: number }[] = [];

  /** The rule given last is asked first. */
  add(rule: Rule): void {
    this.#rules.unshift({ rule, seen: 0 });
  }

  addFallback(rule: Rule): void {
    this.#rules.push({ rule, seen: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  find(request: UpstreamRequest): Rule | undefined {
    return this.#rules.find(
      ({ rule, seen }) => fitsRoute(rule.match, request) && fitsCount(rule.match, seen + 1),
    )?.rule;
  }

  count(request: UpstreamRequest): void {
    for (const entry of this.#rules) if (fitsRoute(entry.rule.match, request)) entry.seen += 1;
  }
}

function fitsRoute(match: Match, request: UpstreamRequest): boolean {
  if (match.credential !== undefined && match.credential !== request.credential) return false;
  if (match.path === undefined) return true;
  return typeof match.path === "string" ? match.path === request.path : match.path.test(request.path);
}

function fitsCount(match: Match, nth: number): boolean {
  if (match.nth === undefined) return true;
  return typeof match.nth === "number" ? match.nth === nth : match.nth(nth);
}
