// The recorded streams of the three protocols, cut at every byte: a broken answer never looks whole, and what comes
// before the break is the upstream's. `npm run truth` cuts all pairs of protocols in all ways at every byte.
import { expect, setDefaultTimeout, test } from "bun:test";
import { sse, type BodyEnd } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { ask } from "../support/made-streams.ts";
import type { Protocol } from "../support/oracle.ts";
import { MODELS, PATHS, PROTOCOLS, sampleStream, STREAM_NAMES, type StreamName } from "../support/samples.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { lieDetector, type Cut } from "./cut-verdict.ts";
import { seeded } from "../support/seeded.ts";
import { inParallel } from "./many.ts";
import { platformOf } from "./platform.ts";
import { expectSettled } from "./settled.ts";

const ALL = process.env["TRUTH"] === "all";
setDefaultTimeout(ALL ? 1_800_000 : 60_000);

const AT_ONCE = 16;
/** Of the bytes at which a stream is cut by FIN and by RST, one in so many is taken. */
const ONE_IN = ALL ? 1 : 40;
/** Time for what was sent before a FIN or RST to be read; what is unread then is lost. */
const LINGER_MS = 8;
/** A stream that ends cleanly is mostly sent in one piece, now and then an event at a time. */
const EVENT_BY_EVENT_ONE_IN = 61;

interface Way {
  readonly client: Protocol;
  readonly upstream: Protocol;
}

const WAYS: readonly (Way & { readonly name: string })[] = [
  ...PROTOCOLS.map((protocol) => ({ name: protocol, client: protocol, upstream: protocol })),
  ...PROTOCOLS.flatMap((client) => PROTOCOLS.map((upstream) => ({ client, upstream })))
    .filter(({ client, upstream }) => client !== upstream)
    .filter(({ client, upstream }) => ALL || (client === "chat" && upstream === "responses"))
    .map((way) => ({ ...way, name: `${way.client} over ${way.upstream}` })),
];

const STREAMS: ReadonlyMap<string, Buffer> = new Map(
  PROTOCOLS.flatMap((protocol) =>
    STREAM_NAMES.map((name) => [`${name} of ${protocol}`, sampleStream(protocol, name)] as const),
  ),
);

function streamOf(protocol: Protocol, name: StreamName): Buffer {
  return STREAMS.get(`${name} of ${protocol}`) ?? Buffer.alloc(0);
}

/** The request says where its answer is to be cut. */
const cutAnswer: Answer = (request, connection) => {
  const asked = /cut (\w+ of \w+) by (clean|fin|rst) at (\d+)/.exec(request.body.toString("latin1"));
  const cutAt = Number(asked?.[3]);
  const chunking = asked?.[2] === "clean" && cutAt % EVENT_BY_EVENT_ONE_IN !== 0 ? "whole" : "event";
  const options = { end: asked?.[2] as BodyEnd, cutAt, chunking, lingerMs: LINGER_MS } as const;
  return sse(STREAMS.get(asked?.[1] ?? "") ?? "", options)(request, connection);
};

function send(gateway: Gateway, { client, upstream }: Way, name: StreamName, cut: Cut): Promise<Reply> {
  const text = `cut ${name} of ${upstream} by ${cut.end} at ${cut.at}`;
  const body = ask(client, { stream: true, text, model: MODELS[upstream] });
  return post(gateway.url, PATHS[client], body, { key: CLIENT_KEY });
}

interface Tally {
  readonly lies: string[];
  readonly replies: Reply[];
}

async function cutThem(gateway: Gateway, way: Way, name: StreamName, cuts: readonly Cut[]): Promise<Tally> {
  const sent = streamOf(way.upstream, name);
  const uncut = await send(gateway, way, name, { end: "clean", at: sent.length });
  const liesOf = lieDetector({ ...way, sent, got: uncut.body });
  const lies: string[] = [];
  const replies = await inParallel(cuts, AT_ONCE, async (cut) => {
    const reply = await send(gateway, way, name, cut);
    for (const lie of liesOf(cut, reply)) lies.push(`${name} cut by ${cut.end} at ${cut.at}: ${lie}`);
    return reply;
  });
  return { lies, replies: [uncut, ...replies] };
}

async function cutStreams(way: Way, cutsOf: (stream: Buffer) => Cut[]): Promise<Reply[]> {
  await using upstream = await startUpstream();
  upstream.otherwise(cutAnswer);
  const platform = platformOf(way.upstream);
  const more = { concurrency: AT_ONCE, apis: [way.upstream] };
  const config = gatewayConfig([account("a", upstream.url, { platform, more })], {
    enable_request_log: false,
    first_event_timeout: "10s",
    stream_read_timeout: "10s",
  });
  await using gateway = await startGateway(config);
  const replies: Reply[] = [];
  const lies: string[] = [];
  for (const name of STREAM_NAMES) {
    const tally = await cutThem(gateway, way, name, cutsOf(streamOf(way.upstream, name)));
    replies.push(...tally.replies);
    lies.push(...tally.lies);
  }
  expect([lies.length, lies.slice(0, 10)]).toEqual([0, []]);
  await expectSettled(gateway, replies);
  if (ALL) process.stdout.write(`${replies.length} streams cut, ${lies.length} shown as what they are not\n`);
  return replies;
}

for (const { name, ...way } of WAYS) {
  test(`${name}: cut at every byte by a clean end, no stream looks whole that is not`, async () => {
    const replies = await cutStreams(way, (stream) =>
      Array.from({ length: stream.length + 1 }, (_, at) => ({ end: "clean", at })),
    );
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200, 502]));
    expect(replies.length).toBeGreaterThan(7000);
  });

  test(`${name}: cut by FIN and by RST at a seeded sample of one byte in ${ONE_IN}, likewise`, async () => {
    const random = seeded(14);
    const replies = await cutStreams(way, (stream) =>
      (["fin", "rst"] as const).flatMap((end) =>
        Array.from({ length: stream.length }, (_, at) => ({ end, at })).filter(() => random() < 1 / ONE_IN),
      ),
    );
    const begun = replies.filter((reply) => reply.status === 200);
    expect(begun.length).toBeGreaterThan(replies.length / 5);
  });
}
