// What reaches a provider through the gateway is what would have reached it without.
import { expect } from "bun:test";
import type { UpstreamRequest } from "../support/upstream.ts";
import type { World } from "./world.ts";

/** These belong to the hop. */
const OF_THE_HOP = new Set(["host", "connection", "accept-encoding"]);
/** A key may come in either; which, is the account's business and not the client's. */
const OF_THE_ACCOUNT = new Set(["authorization", "x-api-key"]);

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credential: string | undefined;
}

export function askedBy(request: UpstreamRequest | undefined): Asked {
  const headers = (request?.headers ?? [])
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !OF_THE_HOP.has(name) && !OF_THE_ACCOUNT.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const { method = "", target = "", credential } = request ?? {};
  const body = request?.body.toString() ?? "";
  return { method, target, body, headers: Object.fromEntries(headers), credential };
}

/** Does it once without the gateway and once through it, and compares what arrived. */
export async function expectSameRequest(
  world: World,
  act: (direct: boolean) => Promise<unknown>,
): Promise<Asked> {
  const before = world.upstream.requests.length;
  await act(true);
  await act(false);
  const [direct, through, ...more] = world.upstream.requests.slice(before);
  expect(more).toEqual([]);
  expect(askedBy(through)).toEqual(askedBy(direct));
  expect(through?.header("accept-encoding")).toBe("identity");
  return askedBy(through);
}
