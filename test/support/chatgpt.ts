// A scripted ChatGPT backend: refuses what the real one refuses, takes only access tokens that are good now, and
// otherwise streams, or fails as a test says. `startChatgpt(issuer)` ties it to a scripted issuer.

import { json } from "./answers.ts";
import { chatgptStream, type Quota } from "./chatgpt-answers.ts";
import { detail, refusalOf, type Refusal } from "./chatgpt-refusals.ts";
import { isObject, parseJson, pickText, type JsonObject } from "./json-pick.ts";
import { startUpstream, type Answer, type Upstream, type UpstreamRequest } from "./upstream.ts";

export { chatgptStream, FAILURES, failingStream, quotaHeaders, quotaItem } from "./chatgpt-answers.ts";
export type { Quota, QuotaWindow, StreamOptions } from "./chatgpt-answers.ts";
export { UNSUPPORTED_PARAMETERS } from "./chatgpt-refusals.ts";

/** An `Issuer` fits. Without `isAccess` every token is good, without `accountOf` it may be anybody's. */
export interface ChatgptAccess {
  isAccess?(token: string): boolean;
  accountOf?(token: string): { readonly accountId: string } | undefined;
}

/** Mutable: a test changes it as it goes. */
export interface ChatgptSettings {
  /** The slugs it lists and takes. */
  models: readonly string[];
  /** See `Rules` of chatgpt-refusals.ts; true unless changed. */
  strict: boolean;
  /** What its answers say of the quota. */
  quota: Quota;
}

export interface ChatgptRequest {
  /** From 1. */
  readonly number: number;
  readonly method: string;
  /** With the query, without the base. */
  readonly target: string;
  /** By lower-case name; of a repeated one the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** `chatgpt-account-id`, and the bearer token. */
  readonly accountId: string | undefined;
  readonly access: string | undefined;
  /** As it came, decompressed; its object, undefined when it is none. */
  readonly bytes: Buffer;
  readonly body: JsonObject | undefined;
  /** What the backend found wrong with it by itself, before any script. */
  readonly refusal: Refusal | undefined;
}

export interface Chatgpt extends AsyncDisposable {
  /** What an account's `base_url` is: `http://127.0.0.1:PORT/backend-api/codex`. */
  readonly base: string;
  readonly upstream: Upstream;
  readonly settings: ChatgptSettings;
  readonly requests: readonly ChatgptRequest[];
  /** Only `POST {base}/responses`, of one account or of all. */
  responses(accountId?: string): readonly ChatgptRequest[];
  /**
   * For the next admitted POSTs to /responses, one each, in this order: what is refused uses none up. With an account
   * only for its requests, and those come first.
   */
  script(answers: readonly Answer[], accountId?: string): void;
  /** For all that no script is left for; undefined is the good stream. */
  always(answer: Answer | undefined, accountId?: string): void;
  readonly scriptsLeft: number;
  close(): Promise<void>;
}

const BASE = "/backend-api/codex";
/** Key of what is scripted for every account; no account has this name. */
const ANYBODY = "";

interface Scripts {
  readonly next: Answer[];
  always: Answer | undefined;
}

/** Listens on a free port of 127.0.0.1. */
export async function startChatgpt(
  access: ChatgptAccess = {},
  settings: Partial<ChatgptSettings> = {},
): Promise<Chatgpt> {
  const upstream = await startUpstream();
  const state: ChatgptSettings = {
    models: ["gpt-5.2-codex", "gpt-5.2"],
    strict: true,
    quota: sampleQuota(),
    ...settings,
  };
  const requests: ChatgptRequest[] = [];
  const scripts = new Map<string, Scripts>();
  const scriptsOf = (accountId: string): Scripts => {
    const known = scripts.get(accountId) ?? { next: [], always: undefined };
    scripts.set(accountId, known);
    return known;
  };
  const scripted = (accountId: string): Answer | undefined => {
    const [own, common] = [scriptsOf(accountId), scriptsOf(ANYBODY)];
    return own.next.shift() ?? common.next.shift() ?? own.always ?? common.always;
  };
  upstream.otherwise((raw, connection) => {
    const request = read(raw, requests.length + 1, (parsed) => refuse(parsed, access, state));
    requests.push(request);
    const { refusal } = request;
    if (refusal !== undefined) return json(refusal.status, refusal.body)(raw, connection);
    return answerOf(request, state, scripted)(raw, connection);
  });
  const responses = (accountId?: string): ChatgptRequest[] =>
    requests.filter(
      (request) => isResponses(request) && (accountId === undefined || accountId === request.accountId),
    );
  const close = (): Promise<void> => upstream.close();
  return {
    base: upstream.url + BASE,
    upstream,
    settings: state,
    requests,
    responses,
    script: (answers, accountId = ANYBODY) => void scriptsOf(accountId).next.push(...answers),
    always(answer, accountId = ANYBODY) {
      scriptsOf(accountId).always = answer;
    },
    get scriptsLeft() {
      return [...scripts.values()].reduce((sum, { next }) => sum + next.length, 0);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function answerOf(
  request: ChatgptRequest,
  state: ChatgptSettings,
  scripted: (accountId: string) => Answer | undefined,
): Answer {
  if (!isResponses(request)) return json(200, { models: state.models.map((slug) => ({ slug })) });
  const accountId = request.accountId ?? "";
  const model = pickText(request.body, "model") ?? "";
  const pieces = ["Hello", " from ", accountId, "."];
  const good = chatgptStream({ pieces, model, id: `resp_backend_${request.number}`, quota: state.quota });
  return scripted(accountId) ?? good;
}

function refuse(request: ChatgptRequest, access: ChatgptAccess, state: ChatgptSettings): Refusal | undefined {
  const path = request.target.split("?", 1)[0];
  const known = isResponses(request) || (request.method === "GET" && path === "/models");
  if (!known) return detail("Not Found", 404);
  const { access: token, accountId } = request;
  if (token === undefined || accountId === undefined) return detail("Unauthorized", 401);
  if (access.isAccess?.(token) === false) return unauthorized("token_expired");
  const owner = access.accountOf?.(token);
  if (owner !== undefined && owner.accountId !== accountId) return unauthorized("account_mismatch");
  return isResponses(request) ? refusalOf(request.body, state) : undefined;
}

function unauthorized(code: string): Refusal {
  return { status: 401, body: { error: { message: "The token is not accepted", type: null, code } } };
}

function isResponses({ method, target }: Pick<ChatgptRequest, "method" | "target">): boolean {
  return method === "POST" && target.split("?", 1)[0] === "/responses";
}

function read(
  raw: UpstreamRequest,
  number: number,
  refuse: (request: ChatgptRequest) => Refusal | undefined,
): ChatgptRequest {
  const bytes = raw.header("content-encoding") === "zstd" ? Bun.zstdDecompressSync(raw.body) : raw.body;
  const body = parseJson(bytes.toString("utf8"));
  const request: ChatgptRequest = {
    number,
    method: raw.method,
    target: raw.target.startsWith(BASE) ? raw.target.slice(BASE.length) : `outside the base: ${raw.target}`,
    headers: Object.fromEntries(raw.headers.map(([name, value]) => [name.toLowerCase(), value])),
    accountId: raw.header("chatgpt-account-id"),
    access: /^Bearer (.+)$/.exec(raw.header("authorization") ?? "")?.[1],
    bytes,
    body: isObject(body) ? body : undefined,
    refusal: undefined,
  };
  return { ...request, refusal: refuse(request) };
}

function sampleQuota(): Quota {
  const seconds = Math.floor(Date.now() / 1000);
  return {
    primary: { usedPercent: 12, minutes: 300, resetAt: seconds + 3600 },
    secondary: { usedPercent: 34, minutes: 10_080, resetAt: seconds + 86_400 },
    credits: { has: false, unlimited: false, balance: "0" },
  };
}
