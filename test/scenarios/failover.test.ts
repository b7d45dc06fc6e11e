// Three accounts, one of which fails: no client may notice.
import { expect, setDefaultTimeout, test } from "bun:test";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS, PROTOCOLS } from "../support/samples.ts";
import { startUpstream } from "../support/upstream.ts";
import { refusal, refusals, SILENT_OR_BROKEN, UNREACHABLE, type Way } from "./failing-ways.ts";
import { inParallel } from "./many.ts";
import { platformOf } from "./platform.ts";
import { expectSettled } from "./settled.ts";

setDefaultTimeout(60_000);

const REQUESTS = 10_000;
/** Each pair is seen more than once, with a fresh gateway that has not learned yet which account fails. */
const ROUNDS = 2;
const PAIRS_AT_ONCE = 4;
/** More than the retries that any origin is allowed within ten seconds. */
const LONG = 300;
const CLIENTS_AT_ONCE = 12;
const TEXT = "The answer of an account that works.";

/** A way of failing, met by clients and upstreams that speak these. */
interface Pair {
  readonly way: Way;
  readonly client: Protocol;
  readonly upstream: Protocol;
}

interface Seen {
  readonly wrong: readonly string[];
  readonly requests: number;
  /** Requests that met the failing account. */
  readonly met: number;
}

const ROUTES = [
  ...PROTOCOLS.map((protocol) => ({ client: protocol, upstream: protocol })),
  { client: "chat", upstream: "responses" },
] as const;

function pairs(): Pair[] {
  return ROUTES.flatMap((route) => {
    const platform = platformOf(route.upstream);
    return [...UNREACHABLE, ...SILENT_OR_BROKEN, ...refusals(platform)].map((way) => ({ way, ...route }));
  });
}

async function seeHow(pair: Pair, requests: number): Promise<Seen> {
  const { way, client, upstream: spoken } = pair;
  await using upstream = await startUpstream();
  await using failing = await startUpstream();
  const away = await way.at?.();
  if (way.greet !== undefined) failing.onConnection(way.greet);
  upstream.otherwise(provider({ text: TEXT }));
  if (way.answer !== undefined) upstream.when({ credential: credentialOf("failing") }, way.answer);
  const options = {
    platform: platformOf(spoken),
    more: { concurrency: CLIENTS_AT_ONCE / 2, apis: [spoken] },
  } as const;
  const apart = way.greet === undefined ? away?.url : failing.url;
  const accounts = [
    account("failing", apart ?? upstream.url, options),
    account("second", upstream.url, options),
    account("third", upstream.url, options),
  ];
  const config = gatewayConfig(accounts, {
    connect_timeout: "400ms",
    first_event_timeout: "500ms",
    response_timeout: "500ms",
    stream_read_timeout: "500ms",
    queue_timeout: "30s",
    enable_request_log: false,
  });
  await using gateway = await startGateway(config);
  const wrong: string[] = [];
  const replies = await inParallel(Array.from({ length: requests }), CLIENTS_AT_ONCE, async (_, index) => {
    const body = ask(client, { stream: index % 2 === 0, text: `Conversation ${index}` });
    const reply = await post(gateway.url, PATHS[client], body, { key: CLIENT_KEY });
    const problem = problemOf(client, reply);
    if (problem !== undefined) wrong.push(`${client} over ${spoken}, ${way.name}: ${problem}`);
    return reply;
  });
  away?.close();
  await expectSettled(gateway, replies);
  const met = gateway.exchanges.filter((record) => record.attempts[0]?.startsWith("failing:")).length;
  return { wrong, requests: replies.length, met };
}

function problemOf(protocol: Protocol, reply: Reply): string | undefined {
  const verdict = judge(protocol, reply);
  const isGood = verdict.complete && verdict.text === TEXT && verdict.problems.length === 0;
  return isGood ? undefined : `${reply.status} ${reply.end} ${reply.text().slice(0, 200)}`;
}

test(`of ${REQUESTS} requests to three accounts, one failing before content in every way there is, none fails`, async () => {
  const all = Array.from({ length: ROUNDS }, pairs).flat();
  const seen = await inParallel(all, PAIRS_AT_ONCE, (pair) => seeHow(pair, Math.ceil(REQUESTS / all.length)));
  const sum = (of: (each: Seen) => number): number => seen.reduce((before, each) => before + of(each), 0);
  expect(seen.flatMap(({ wrong }) => wrong).slice(0, 20)).toEqual([]);
  expect(sum(({ requests }) => requests)).toBeGreaterThanOrEqual(REQUESTS);
  expect(seen.filter(({ met }) => met === 0)).toEqual([]);
  expect(sum(({ met }) => met)).toBeGreaterThan(REQUESTS / 8);
});

async function seeLong(way: Way): Promise<readonly string[]> {
  const seen = await seeHow({ way, client: "messages", upstream: "messages" }, LONG);
  expect(seen.met).toBeGreaterThan(0);
  return seen.wrong.slice(0, 3);
}

for (const way of [
  refusal("anthropic", "500"),
  refusal("anthropic", "401"),
  refusal("anthropic", "429-bare"),
]) {
  test(`${LONG} requests to three accounts, one of which answers with ${way.name} all the time: none fails`, async () => {
    expect(await seeLong(way)).toEqual([]);
  });
}

// Overload and pages are blamed on what all three share, but the account that alone keeps failing is left alone too.
for (const way of [refusal("anthropic", "529"), refusal("html", "403-cloudflare")]) {
  test(`${LONG} requests to three accounts, one of which answers with ${way.name} all the time: none fails`, async () => {
    expect(await seeLong(way)).toEqual([]);
  });
}

// The word stands in `details.error_code`.
test("an account whose organization is on hold is left for another one", async () => {
  expect(await seeLong(refusal("anthropic", "400-organization-on-hold"))).toEqual([]);
});
