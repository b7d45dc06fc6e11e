// Limits are never passed, and a burst within the queue's reach is served to the last.
import { expect, setDefaultTimeout, test } from "bun:test";
import { post } from "../support/client.ts";
import {
  account,
  CLIENT_KEY,
  credentialOf,
  gatewayConfig,
  SECOND_CLIENT_KEY,
} from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { platformOf } from "./platform.ts";
import { expectSettled } from "./settled.ts";

setDefaultTimeout(30_000);

const CLIENTS = 40;
const TAKES_MS = 20;
const TEXT = "Served at last.";

/** As a model does: some time before the first word, and some for the words. */
const working: Answer = async (request, connection) => {
  await connection.sleep(TAKES_MS);
  await provider({ text: TEXT, sse: { delayMs: 2 } })(request, connection);
};

/** The default of the product, not that of the kit's configs. */
const DEFAULT = undefined;

for (const stream of [true, false]) {
  for (const protocol of PROTOCOLS) {
    const kind = `${protocol} ${stream ? "streams" : "answers"}`;
    test(`limits 2+2 and ${CLIENTS} clients: no account ever has more than 2 ${kind}, all ${CLIENTS} succeed`, async () => {
      await using first = await startUpstream();
      await using second = await startUpstream();
      const upstreams = [first, second];
      for (const upstream of upstreams) upstream.otherwise(working);
      const options = {
        platform: platformOf(protocol),
        more: { concurrency: 2 },
      } as const;
      const accounts = [account("a", first.url, options), account("b", second.url, options)];
      await using gateway = await startGateway(
        gatewayConfig(accounts, {
          queue_timeout: DEFAULT,
          first_event_timeout: DEFAULT,
          response_timeout: DEFAULT,
        }),
      );
      const replies = await Promise.all(
        Array.from({ length: CLIENTS }, (_, index) => {
          const body = ask(protocol, { stream, text: `Client ${index}`, model: MODELS[protocol] });
          return post(gateway.url, PATHS[protocol], body, {
            key: index % 4 === 0 ? SECOND_CLIENT_KEY : CLIENT_KEY,
          });
        }),
      );
      const verdicts = replies.map((reply) => ({ reply, ...judge(protocol, reply) }));
      const wrong = verdicts.filter(
        ({ complete, text, problems }) => !complete || text !== TEXT || problems.length > 0,
      );
      expect(wrong.map(({ reply }) => `${reply.status} ${reply.text()}`)).toEqual([]);
      expect([first.account(credentialOf("a")).peak, second.account(credentialOf("b")).peak]).toEqual([2, 2]);
      expect([first.peak, second.peak]).toEqual([2, 2]);
      expect(first.requests.length + second.requests.length).toBe(CLIENTS);
      await expectSettled(gateway, replies);
      const waited = gateway.exchanges.filter((record) => record.waitedMs >= TAKES_MS / 2);
      expect(waited.length).toBeGreaterThan(CLIENTS / 2);
    });
  }
}
