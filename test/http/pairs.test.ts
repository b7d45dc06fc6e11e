// Every client protocol over every upstream protocol, as the wire shows it on both sides.
import { describe, expect, test } from "bun:test";
import { accountOf } from "../faults/row.ts";
import { post } from "../support/client.ts";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { pair } from "./pair.ts";

const SAID = "Grüße 漢 🙂, from upstream.";
const PAIRS = PROTOCOLS.flatMap((client) =>
  PROTOCOLS.flatMap((upstream) => [true, false].map((stream) => ({ client, upstream, stream }))),
);

describe("an account that has the model serves every client", () => {
  test.each(PAIRS)("$client over $upstream, streaming: $stream", async (each) => {
    await using on = await pair(provider({ text: SAID }), (url) => [accountOf(each, "first", url)]);
    const { client, upstream, stream } = each;
    const body = JSON.stringify(ask(client, { model: MODELS[upstream], stream }));
    const reply = await post(on.gateway.url, PATHS[client], body, { key: CLIENT_KEY });
    const { text, complete, problems } = judge(client, reply);
    expect([reply.status, text, complete, problems]).toEqual([200, SAID, true, []]);
    const [asked] = on.upstream.requests;
    expect(asked?.path.split("?")[0]).toEndWith(PATHS[upstream].replace("/v1", ""));
    expect(asked?.headers.some(([name]) => name.toLowerCase() === "anthropic-version")).toBe(
      upstream === "messages",
    );
  });
});
