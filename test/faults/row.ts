// What a row of the fault suite is, and the stage on which it plays: a gateway and one scripted upstream for each
// account. A stage counts what it asks, and when it closes it checks what holds for every fault.
import assert from "node:assert/strict";
import type { ExchangeRecord } from "../../src/core/exchange.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { send, type Behaviour, type Exchange, type RawRequest, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig, secretsIn } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge, type Verdict } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { seeded } from "../support/seeded.ts";
import { startUpstream, type Answer, type Upstream } from "../support/upstream.ts";

export interface Case {
  readonly client: "messages" | "responses" | "chat";
  /** Chat over Responses is client `chat`, upstream `responses`. */
  readonly upstream: "messages" | "responses" | "chat";
  readonly stream: boolean;
  /** What else differs from one play to the next: where a stream is cut, how its bytes arrive. 0 unless said. */
  readonly seed?: number;
}

export interface Row {
  /** The number in the fault matrix. */
  readonly number: number;
  readonly title: string;
  /** All protocols, streaming and not, unless said. */
  readonly cases?: readonly Case[];
  run(each: Case): Promise<void>;
}

const OWN = PROTOCOLS.map((protocol) => ({ client: protocol, upstream: protocol }));
const TRANSLATED = PROTOCOLS.flatMap((client) =>
  PROTOCOLS.filter((upstream) => upstream !== client).map((upstream) => ({ client, upstream })),
);
/** `npm run faults` plays all nine pairs; one of those that translate stands for them in `npm test`. */
const PAIRS =
  process.env["FAULTS"] === "all"
    ? [...OWN, ...TRANSLATED]
    : [...OWN, { client: "chat", upstream: "responses" } as const];

export const STREAMING: readonly Case[] = PAIRS.map((pair) => ({ ...pair, stream: true }));
export const WHOLE: readonly Case[] = PAIRS.map((pair) => ({ ...pair, stream: false }));
export const EVERY_CASE: readonly Case[] = [...STREAMING, ...WHOLE];

const NAMES = ["first", "second", "third", "fourth"] as const;
export type AccountName = (typeof NAMES)[number];

/** One account, with an upstream of its own. */
export interface Player {
  /** What its upstream answers; a good answer that names the account unless said. */
  readonly answer?: Answer;
  /** Instead of the upstream's address. */
  readonly url?: string;
  /** Further members of the account, in the words of the config file. */
  readonly more?: JsonObject;
}

export interface StageOptions {
  /** In order of priority: the first is asked first. */
  readonly accounts: readonly Player[];
  /** Top-level members of the config. */
  readonly config?: JsonObject;
  readonly clock?: Clock;
  /** True where the row breaks the gateway itself; else nothing may be logged as the gateway's own failure. */
  readonly breaksGateway?: boolean;
}

export type AskOptions = Omit<RawRequest, "path" | "body"> &
  Behaviour & {
    readonly text?: string;
    /** Further members of the request's body. */
    readonly extra?: JsonObject;
  };

export interface Stage extends AsyncDisposable {
  readonly gateway: Gateway;
  upstream(name: AccountName): Upstream;
  /** Sends the request of the case and reads the whole answer. */
  ask(options?: AskOptions): Promise<Reply>;
  /** As `ask`, for a client that does something meanwhile. */
  begin(options?: AskOptions): Exchange;
  /** Any other request, by this function; it is expected to leave a record like all others. */
  count(exchange: Exchange): Exchange;
  verdict(reply: Reply): Verdict;
  /** What was recorded of the request that got this answer. */
  record(reply: Reply): Promise<ExchangeRecord>;
  /** Throws unless everything a fault must leave in order is in order. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What an account's upstream says when it answers well. */
export function wordsOf(name: AccountName): string {
  return `Grüße — said by ${name} ✓.`;
}

/** Limits for a row that never waits for one: a busy machine does not matter then. */
export const PATIENT = {
  connect_timeout: "9s",
  first_event_timeout: "9s",
  response_timeout: "9s",
  stream_read_timeout: "9s",
};

/** Generous: what it waits for comes within milliseconds, but for a machine that has much else to do. */
const WITHIN_MS = 10_000;
const stages = new WeakMap<Case, number>();

/** How many stages were played to their end for this case: a row that asks nothing proves nothing. */
export function stagesOf(each: Case): number {
  return stages.get(each) ?? 0;
}

/** For a row that plays on no stage, when it has asked something of a gateway and looked at the answer. */
export function counted(each: Case): void {
  stages.set(each, stagesOf(each) + 1);
}

/** Chance for this case; the same for the same seed. */
export function chanceOf(each: Case): Random {
  return seeded(each.seed ?? 0);
}

export async function stage(each: Case, options: StageOptions): Promise<Stage> {
  const upstreams = new Map<AccountName, Upstream>();
  const accounts: JsonObject[] = [];
  // The first seed plays on a calm network.
  const network = each.seed === undefined || each.seed === 0 ? {} : { chance: chanceOf(each) };
  for (const [index, player] of options.accounts.entries()) {
    const name = NAMES[index] ?? "fourth";
    const upstream = await startUpstream(network);
    upstream.otherwise(player.answer ?? provider({ text: wordsOf(name) }));
    upstreams.set(name, upstream);
    accounts.push(accountOf(each, name, player.url ?? upstream.url, { priority: index + 1, ...player.more }));
  }
  const clock = options.clock === undefined ? {} : { clock: options.clock };
  const gateway = await startGateway(gatewayConfig(accounts, options.config), clock);
  const exchanges: Exchange[] = [];
  const upstream = (name: AccountName): Upstream => {
    const found = upstreams.get(name);
    if (found === undefined) throw new Error(`no account ${name} on this stage`);
    return found;
  };
  const count = (exchange: Exchange): Exchange => {
    exchanges.push(exchange);
    return exchange;
  };
  const begin = (asked: AskOptions = {}): Exchange => {
    const { text, extra, ...request } = asked;
    const body = ask(each.client, {
      stream: each.stream,
      model: modelOf(each),
      ...(text !== undefined && { text }),
      ...(extra && { extra }),
    });
    return count(send(gateway.url, { key: CLIENT_KEY, ...request, path: PATHS[each.client], body }, request));
  };
  return {
    gateway,
    upstream,
    count,
    begin,
    ask: (asked) => begin(asked).reply,
    verdict: (reply) => judge(each.client, reply),
    record: (reply) => recordOf(gateway, reply),
    async [Symbol.asyncDispose]() {
      const replies = await Promise.all(exchanges.map((exchange) => exchange.reply));
      try {
        if (options.breaksGateway !== true) checkUnbroken(gateway);
        await inOrder(each, gateway, replies);
        for (const [name, { requests }] of upstreams)
          for (const request of requests) checkCredential(name, request);
        if (replies.length > 0) counted(each);
      } finally {
        await closeAll([gateway, ...upstreams.values()]);
      }
    },
  };
}

/** An account of the case's platform that speaks the case's upstream protocol. */
export function accountOf(each: Case, name: string, url: string, more: JsonObject = {}): JsonObject {
  const platform = each.upstream === "messages" ? "anthropic" : "openai";
  const apis = platform === "openai" ? { apis: [each.upstream] } : {};
  return account(name, url, { platform, more: { concurrency: 64, ...apis, ...more } });
}

/** The model a case asks for. */
export function modelOf(each: Case): string {
  return MODELS[each.upstream];
}

/** Waits until it holds. */
export async function until(what: string, holds: () => boolean, withinMs = WITHIN_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds() && performance.now() < end) await Bun.sleep(1);
  assert.ok(holds(), `within ${withinMs} ms: ${what}`);
}

async function recordOf(gateway: Gateway, reply: Reply): Promise<ExchangeRecord> {
  const id = reply.header("x-request-id");
  const find = (): ExchangeRecord | undefined => gateway.exchanges.find((record) => record.id === id);
  await until(`a record of ${id}`, () => find() !== undefined);
  const found = find();
  if (found === undefined) throw new Error(`no record of ${id}`);
  return found;
}

function checkUnbroken(gateway: Gateway): void {
  const broken = gateway.lines.filter(({ event }) => event === "internal-error" || event === "unhandled");
  assert.deepEqual(
    broken.map(({ event, fields }) => `${event}: ${JSON.stringify(fields)}`),
    [],
  );
}

/** Slots, records and what clients saw: the same for every row. */
async function inOrder(each: Case, gateway: Gateway, replies: readonly Reply[]): Promise<void> {
  await gateway.idle();
  const { exchanges } = gateway;
  await until(`${replies.length} records, not ${exchanges.length}`, () => exchanges.length >= replies.length);
  const asked = replies.map((reply) => `${reply.status} ${reply.header("x-request-id") ?? reply.end}`);
  const kept = exchanges.map(({ status, outcome, id }) => `${status} ${outcome} ${id}`);
  const said = `exactly one record for each request: ${asked.join(", ")}; recorded ${kept.join(", ")}`;
  assert.equal(exchanges.length, replies.length, said);
  for (const reply of replies) {
    assert.deepEqual(secretsIn(reply.raw.toString("latin1")), [], "a credential in an answer");
    const id = reply.header("x-request-id");
    if (id === undefined) continue;
    const own = exchanges.filter((record) => record.id === id);
    assert.equal(own.length, 1, `records of ${id}`);
    if (reply.end === "stopped") continue;
    assert.equal(own[0]?.status, reply.status, "the status in the record");
    const { complete, error, stop } = judge(each.client, reply);
    // Some servers leave out Chat's `[DONE]`; the answer is whole all the same once its `finish_reason` is there.
    const whole = complete || (each.client === "chat" && stop !== undefined && error === undefined);
    assert.equal(own[0]?.outcome === "ok", whole, "ok in the record and to the client");
  }
}

/** Each account's upstream sees that account's credential and no other, and never the client's key. */
function checkCredential(name: AccountName, request: Upstream["requests"][number]): void {
  const sent = `${request.target} ${JSON.stringify(request.headers)} ${request.body.toString("latin1")}`;
  assert.equal(request.credential, credentialOf(name), `the credential sent to ${name}: ${sent}`);
  assert.ok(!sent.includes(CLIENT_KEY), `the client's key was sent to ${name}`);
}

async function closeAll(all: readonly { close(): Promise<void> }[]): Promise<void> {
  const problems: unknown[] = [];
  for (const each of all) await each.close().catch((problem: unknown) => problems.push(problem));
  if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join("; "));
}
