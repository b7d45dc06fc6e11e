// As many streams at once as a busy team has, through the gateway as people start it: bun's own limit of 256
// requests is in the way of each of these.
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { send } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { ask, textFrames } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { PATHS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import { startUpstream } from "../support/upstream.ts";
import { inParallel } from "./many.ts";
import { recordedIn, startBy, WAYS_TO_START } from "./started.ts";
import { streaming } from "./streaming.ts";

setDefaultTimeout(60_000);

const STREAMS = 1000;
/** The kernel keeps some hundreds of connections for a program that is too busy to take them, and then drops them. */
const BEGIN_AT_ONCE = 100;
const PROTOCOL = "messages";

for (const command of WAYS_TO_START) {
  test(`${STREAMS} streams at once through \`${command.join(" ")} -config\`: all live at the same moment, all finish`, async () => {
    await using upstream = await startUpstream();
    const all = Promise.withResolvers<void>();
    const frames = textFrames(PROTOCOL);
    const begin = writeSse([...frames.start, ...frames.open, frames.delta("begun ")]);
    upstream.otherwise(
      streaming(async (write, request) => {
        await write(begin);
        await all.promise;
        await write(
          writeSse([frames.delta(`and done: ${request.header("session-id")}`), ...frames.close("")]),
        );
      }),
    );
    const more = { concurrency: STREAMS / 2 };
    const accounts = [account("a", upstream.url, { more }), account("b", upstream.url, { more })];
    const long = { connect_timeout: "60s", first_event_timeout: "60s", stream_read_timeout: "60s" };
    const config = gatewayConfig(accounts, long);
    await using gateway = await startBy(command, config);
    const indexes = Array.from({ length: STREAMS }, (_, index) => index);
    const exchanges = await inParallel(indexes, BEGIN_AT_ONCE, async (index) => {
      const headers = [["session-id", `stream-${index}`]] as const;
      const body = ask(PROTOCOL, { stream: true });
      const request = { path: PATHS[PROTOCOL], body, key: CLIENT_KEY, headers };
      const exchange = send(gateway.url, request, { timeoutMs: 50_000 });
      if (await exchange.has("begun ")) return exchange;
      const { status, end, raw } = await exchange.reply;
      throw new Error(`stream ${index}: ${status} ${end} ${raw.toString()}`);
    });
    expect([upstream.active, await gateway.active()]).toEqual([STREAMS, STREAMS]);
    all.resolve();
    const replies = await Promise.all(exchanges.map((exchange) => exchange.reply));
    const verdicts = replies.map((reply) => judge(PROTOCOL, reply));
    const texts = verdicts.map(({ complete, text, problems }) => (complete ? text : problems.join()));
    expect(texts).toEqual(indexes.map((index) => `begun and done: stream-${index}`));
    expect([upstream.peak, await gateway.active()]).toEqual([STREAMS, 0]);
    expect(await gateway.stop()).toBe(0);
    const ids = recordedIn(join(gateway.file.folder, "data")).map((row) => row["id"]);
    expect(ids.toSorted()).toEqual(replies.map((reply) => reply.header("x-request-id")).toSorted());
  });
}
