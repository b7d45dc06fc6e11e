// A socket lives for a whole day's work: nothing of its requests may stay behind.
import { expect, setDefaultTimeout, test } from "bun:test";
import { residentBytes } from "../scenarios/kernel.ts";
import { account, gatewayConfig } from "../support/gateway-config.ts";
import { spawnGateway } from "../support/gateway.ts";
import { provider } from "../support/provider.ts";
import { startUpstream } from "../support/upstream.ts";
import { create, openSocket } from "./socket-client.ts";

setDefaultTimeout(60_000);

const WARM_UP = 40;
const TURNS = 120;
const BODY_BYTES = 2 << 20;
/** Were each request kept, it would be 240 MB and their copies. */
const GROWTH_BYTES = 120 << 20;

test("a hundred large requests on one socket leave no memory taken", async () => {
  await using upstream = await startUpstream();
  await using gateway = await spawnGateway(
    gatewayConfig([account("first", upstream.url, { platform: "openai" })], { first_event_timeout: "20s" }),
  );
  using socket = await openSocket(gateway.url);
  const request = create("x".repeat(BODY_BYTES));
  const ask = async (turns: number): Promise<number> => {
    for (let turn = 0; turn < turns; turn++) {
      // What it has been asked, the upstream remembers otherwise.
      upstream.clear();
      upstream.otherwise(provider());
      socket.send(request);
      await socket.answer();
    }
    return residentBytes(gateway.pid);
  };
  const before = await ask(WARM_UP);
  expect((await ask(TURNS)) - before).toBeLessThan(GROWTH_BYTES);
});
