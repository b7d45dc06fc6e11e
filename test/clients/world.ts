// The official client packages, a gateway, and a scripted upstream behind it.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { expect } from "bun:test";
import { json, sse } from "../support/answers.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import type { Protocol } from "../support/oracle.ts";
import { protocolOf, provider } from "../support/provider.ts";
import { sampleAnswer, sampleStream, type StreamName } from "../support/samples.ts";
import { startUpstream, type Answer, type Upstream } from "../support/upstream.ts";

export interface World extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly gateway: Gateway;
  openai(options?: ClientChoice): OpenAI;
  anthropic(options?: ClientChoice): Anthropic;
  /** Asserts that no slot is taken and that there is one record for each exchange. */
  settled(exchanges: number): Promise<void>;
}

export interface ClientChoice {
  readonly key?: string;
  readonly maxRetries?: number;
  /** Straight to the upstream, as if there were no gateway. */
  readonly direct?: boolean;
}

export interface WorldOptions {
  /** How many accounts there are of each platform. */
  readonly claudes?: number;
  readonly gpts?: number;
  /** What the OpenAI account speaks. */
  readonly apis?: readonly Protocol[];
  /** Further members of the config file, and of each account in it. */
  readonly config?: JsonObject;
  readonly accounts?: JsonObject;
}

const RECORDED_WITHIN_MS = 2_000;

/** One Anthropic account and one OpenAI account, unless more are asked for, all at the same upstream. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const upstream = await startUpstream();
  const apis = options.apis ?? ["responses", "chat"];
  const more = { ...options.accounts };
  const accounts = [
    ...named("claude", options.claudes).map((name) => account(name, upstream.url, { more })),
    ...named("gpt", options.gpts).map((name) =>
      account(name, upstream.url, { platform: "openai", more: { apis, ...more } }),
    ),
  ];
  const gateway = await startGateway(gatewayConfig(accounts, options.config));
  const of = ({ key = CLIENT_KEY, maxRetries, direct = false }: ClientChoice, name: string) => ({
    apiKey: direct ? credentialOf(name) : key,
    url: direct ? upstream.url : gateway.url,
    ...(maxRetries !== undefined && { maxRetries }),
  });
  return {
    upstream,
    gateway,
    openai(choice = {}) {
      const { url, ...rest } = of(choice, "gpt");
      return new OpenAI({ ...rest, baseURL: `${url}/v1` });
    },
    anthropic(choice = {}) {
      const { url, ...rest } = of(choice, "claude");
      return new Anthropic({ ...rest, baseURL: url });
    },
    async settled(exchanges) {
      await gateway.idle();
      const until = performance.now() + RECORDED_WITHIN_MS;
      while (gateway.exchanges.length < exchanges && performance.now() < until) await Bun.sleep(2);
      const ids = gateway.exchanges.map((record) => record.id);
      expect([gateway.active(), ids.length, new Set(ids).size]).toEqual([0, exchanges, exchanges]);
    },
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await upstream.close();
    },
  };
}

function named(name: string, count = 1): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}-${index + 1}`));
}

/** The recorded answer of that name, as a stream or whole, in the protocol of the path. */
export function recorded(name: StreamName): Answer {
  return (request, connection) => {
    const protocol = protocolOf(request.path) ?? "chat";
    const streamed = pick(request.json(), "stream") === true;
    const answer = streamed ? sse(sampleStream(protocol, name)) : json(200, sampleAnswer(protocol, name));
    return answer(request, connection);
  };
}

export const AFTER_TOOLS = "It is 21 degrees in Paris and 28 in São Paulo.";
const RESULTS = /"type":"tool_result"|"role":"tool"|"type":"function_call_output"/;

/** Calls three tools at once, and speaks once it has their results. */
export const toolCaller: Answer = (request, connection) => {
  const hasResults = RESULTS.test(request.body.toString());
  return (hasResults ? provider({ text: AFTER_TOOLS }) : recorded("tools"))(request, connection);
};
