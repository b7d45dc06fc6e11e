// Every client protocol over every upstream protocol, as the wire shows it on both sides.
import { describe, expect, test } from "bun:test";
import { accountOf } from "../faults/row.ts";
import { json } from "../support/answers.ts";
import { post } from "../support/client.ts";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { pick, pickList } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS, sampleAnswer } from "../support/samples.ts";
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

describe("how true an answer is to what was asked", () => {
  const over = async (client: "messages" | "chat", body: object): Promise<readonly unknown[]> => {
    const each = { client, upstream: "messages", stream: false } as const;
    await using on = await pair(provider({ text: SAID }), (url) => [accountOf(each, "first", url)]);
    const reply = await post(on.gateway.url, PATHS[client], JSON.stringify(body), { key: CLIENT_KEY });
    return [reply.status, reply.header("x-sub2api-fidelity"), on.upstream.requests[0]?.json()];
  };

  test("names the hints that the model asked for does not take", async () => {
    const hints = { temperature: 0.3, seed: 4, verbosity: "low" };
    const told = await over("chat", { ...ask("chat", { model: "claude-opus-5", stream: false }), ...hints });
    expect(told.slice(0, 2)).toEqual([200, "lossy; dropped=seed,temperature,verbosity"]);
    const cold = { ...ask("chat", { model: "claude-haiku-4-5", stream: false }), temperature: 0.3 };
    expect((await over("chat", cold)).slice(0, 2)).toEqual([200, "lossless"]);
  });

  test("a conversation that another vendor has thought in goes on without those thoughts", async () => {
    const thought = await thoughtElsewhere();
    const turns = [
      { role: "user", content: "a" },
      { role: "assistant", content: [thought, { type: "text", text: "b" }] },
      { role: "user", content: "c" },
    ];
    const asked = { ...ask("messages", { model: "claude-opus-5", stream: false }), messages: turns };
    const [status, fidelity, sent] = await over("messages", asked);
    expect([status, fidelity]).toEqual([200, "lossy; dropped=thinking"]);
    expect(pickList(sent, "messages").map((turn) => pick(turn, "content"))).toEqual([
      "a",
      [{ type: "text", text: "b" }],
      "c",
    ]);
  });

  /** What a Messages client has seen of the reasoning of a model behind Responses. */
  async function thoughtElsewhere(): Promise<unknown> {
    const each = { client: "messages", upstream: "responses", stream: false } as const;
    const answer = json(200, sampleAnswer("responses", "tools"));
    await using on = await pair(answer, (url) => [accountOf(each, "first", url)]);
    const thinking = { thinking: { type: "adaptive", display: "summarized" } };
    const body = { ...ask("messages", { model: MODELS.responses, stream: false }), ...thinking };
    const reply = await post(on.gateway.url, PATHS.messages, JSON.stringify(body), { key: CLIENT_KEY });
    const found = pickList(reply.json(), "content").find((block) => pick(block, "type") === "thinking");
    expect(found).toBeDefined();
    return found;
  }
});
