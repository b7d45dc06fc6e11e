// A client that asks for a stream and does not read it holds its slot, and next to nothing else.
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { flood, type Flood } from "../support/answers.ts";
import { post, send, type Exchange } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { ask, textFrames } from "../support/made-streams.ts";
import { judge, judgeStream, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream } from "../support/upstream.ts";
import { queuedBytes, residentBytes } from "./kernel.ts";
import { inParallel, until } from "./many.ts";
import { platformOf } from "./platform.ts";
import { recordedIn, startBy, WAYS_TO_START, type Started } from "./started.ts";

setDefaultTimeout(60_000);

const STUCK = 6;
const OTHERS = 60;
/** What the upstream could write for all of them, beyond what fills the kernel's own buffers (tens of megabytes). */
const HELD_BYTES = 16 << 20;
const GROWTH_BYTES = 128 << 20;
/** A flood that has come so far is not held back at all. */
const ENDLESS_BYTES = 512 << 20;
/** No byte more was taken for this long: the flood stands still. */
const STILL_MS = 500;
const SESSION = "session-id";

interface Way {
  readonly client: Protocol;
  readonly upstream: Protocol;
}

const WAYS: readonly Way[] = [
  { client: "messages", upstream: "messages" },
  { client: "chat", upstream: "responses" },
];

function floodOf(protocol: Protocol): Flood {
  const frames = textFrames(protocol);
  const start = writeSse([...frames.start, ...frames.open]);
  return flood(writeSse([frames.delta("x".repeat(200))]), { start });
}

/** Waits until the floods stand still; returns what the upstream could write by then. */
async function dammed(floods: Iterable<Flood>): Promise<number> {
  const taken = (): number => [...floods].reduce((sum, each) => sum + each.takenBytes, 0);
  for (let before = -1; before !== taken() && before < ENDLESS_BYTES;) {
    before = taken();
    await Bun.sleep(STILL_MS);
  }
  return taken();
}

async function askOthers(gateway: Started, { client }: Way): Promise<string[]> {
  const texts = await inParallel(Array.from({ length: OTHERS }), 4, async (_, index) => {
    const body = ask(client, { stream: index % 2 === 0, text: `Other ${index}` });
    const verdict = judge(client, await post(gateway.url, PATHS[client], body, { key: CLIENT_KEY }));
    return verdict.complete ? verdict.text : JSON.stringify(verdict.error);
  });
  return [...new Set(texts)];
}

function askAndNeverRead(gateway: Started, { client }: Way, session: string): Exchange {
  const headers = [[SESSION, session]] as const;
  const request = { path: PATHS[client], body: ask(client, { stream: true }), key: CLIENT_KEY, headers };
  return send(gateway.url, request, { read: "never", timeoutMs: 50_000 });
}

for (const way of WAYS) {
  const name = way.client === way.upstream ? way.client : `${way.client} over ${way.upstream}`;
  test(`${STUCK} stuck readers of ${name} hold back their upstreams, grow no memory and disturb nobody`, async () => {
    await using upstream = await startUpstream();
    const floods = new Map(
      Array.from({ length: STUCK }, (_, index) => [`stuck-${index}`, floodOf(way.upstream)]),
    );
    upstream.otherwise((request, connection) => {
      const own = floods.get(request.header(SESSION) ?? "");
      return (own?.answer ?? provider({ text: "Served." }))(request, connection);
    });
    const platform = platformOf(way.upstream);
    const more = { concurrency: STUCK + 4, apis: [way.upstream] };
    const config = gatewayConfig([account("a", upstream.url, { platform, more })], {
      stream_read_timeout: "60s",
      first_event_timeout: "60s",
      response_timeout: "60s",
    });
    await using gateway = await startBy(WAYS_TO_START[0], config);
    expect(await askOthers(gateway, way)).toEqual(["Served."]);
    const restingBytes = residentBytes(gateway.pid);

    const stuck = [...floods.keys()].map((session) => askAndNeverRead(gateway, way, session));
    await until(() => [...floods.values()].every((each) => each.takenBytes > 100_000));
    const takenBytes = await dammed(floods.values());
    const kernelBytes = queuedBytes(upstream.port) + queuedBytes(Number(new URL(gateway.url).port));
    expect(kernelBytes).toBeGreaterThan(STUCK * 100_000);
    expect(takenBytes - kernelBytes).toBeLessThan(HELD_BYTES);
    expect(await askOthers(gateway, way)).toEqual(["Served."]);
    expect(residentBytes(gateway.pid) - restingBytes).toBeLessThan(GROWTH_BYTES);
    expect([upstream.active, await gateway.active()]).toEqual([STUCK, STUCK]);

    const [first] = stuck;
    first?.resume();
    const [flooding] = floods.values();
    const enough = (flooding?.takenBytes ?? 0) + 64_000_000;
    await until(() => (flooding?.takenBytes ?? 0) >= enough);
    for (const exchange of stuck) exchange.leave("rst");
    const read = await first?.reply;
    expect(read?.status).toBe(200);
    expect(judgeStream(way.client, read?.body ?? Buffer.alloc(0)).problems).toEqual([]);
    await upstream.idle();
    expect(await gateway.active()).toBe(0);
    expect(await gateway.stop()).toBe(0);
    const outcomes = recordedIn(join(gateway.file.folder, "data")).map((row) => row["outcome"]);
    expect(outcomes.filter((outcome) => outcome === "gone")).toHaveLength(STUCK);
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(2 * OTHERS);
    expect(outcomes).toHaveLength(STUCK + 2 * OTHERS);
  });
}
