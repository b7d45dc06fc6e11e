import { expect, test } from "bun:test";
import { answerBody, json } from "../../test/support/answers.ts";
import { account, gatewayConfig, secretsIn } from "../../test/support/gateway-config.ts";
import { type Gateway, startGateway } from "../../test/support/gateway.ts";
import { closedPort } from "../../test/support/ports.ts";
import { provider } from "../../test/support/provider.ts";
import { ioFor } from "../../test/support/target-io.ts";
import { type Answer, startUpstream } from "../../test/support/upstream.ts";
import { systemClock } from "../core/clock.ts";
import { createChatCommand } from "./chat.ts";
import { type TestIo, testIo } from "./test-io.ts";

const WORDS = "Grüße ✓.";
const NO_RECORDS = { open: () => undefined, clock: systemClock };

/** A gateway whose one account answers so, and what the command has said. */
async function chatted(
  args: string[],
  more: More = {},
): Promise<{ code: number; io: TestIo; gateway: Gateway }> {
  await using upstream = await startUpstream();
  upstream.otherwise(more.answer ?? provider({ text: WORDS }));
  const openai = { platform: "openai" as const, more: { models: ["gpt-5", "gpt-4"] } };
  await using gateway = await startGateway(
    gatewayConfig([
      account("claude", upstream.url, { more: { models: ["claude-opus-5"] } }),
      account("openai", upstream.url, openai),
    ]),
  );
  const io = await ioFor(gateway.url, more.answers === undefined ? {} : { answers: more.answers });
  const records = {
    find: (id: string) => gateway.exchanges.filter((each) => each.id === id),
    close: () => {},
  };
  const run = createChatCommand({ ...NO_RECORDS, open: () => records });
  return { code: await run(args, io), io, gateway };
}

interface More {
  readonly answer?: Answer;
  readonly answers?: readonly string[];
}

test("a prompt is answered on stdout in each protocol, and nothing else stands there", async () => {
  for (const protocol of ["messages", "responses", "chat"])
    for (const model of ["claude-opus-5", "gpt-5"]) {
      const { code, io } = await chatted(["Say", "hello", "--protocol", protocol, "--model", model]);
      expect([code, io.err(), io.out()]).toEqual([0, "", `${WORDS}\n`]);
    }
});

test("--json tells tokens, times, the account and the id of the request", async () => {
  const { code, io, gateway } = await chatted(["Hello", "--json", "--model", "claude-opus-5"]);
  expect(code).toBe(0);
  const told = JSON.parse(io.out());
  expect(told).toMatchObject({
    model: "claude-opus-5",
    protocol: "messages",
    account: "claude",
    text: WORDS,
  });
  expect(told).toMatchObject({ error: null, stopped: null, input_tokens: 10, output_tokens: 5 });
  expect(gateway.exchanges.map(({ id }) => id)).toEqual([told.id]);
  expect(told.first_ms).toBeLessThanOrEqual(told.took_ms);
});

test("what is piped to it is the prompt", async () => {
  const { code, io, gateway } = await chatted([], { answers: ["What is", "this?"] });
  expect([code, io.out()]).toEqual([0, `${WORDS}\n`]);
  expect(gateway.exchanges[0]?.model).toBe("claude-opus-5");
});

test("a cut stream is told as cut and exits 1, with what came of it", async () => {
  const half =
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Half"}\n\n';
  const headers = { "content-type": "text/event-stream" };
  await using upstream = await startUpstream();
  upstream.when({ path: "/v1/models" }, json(200, { data: [{ id: "gpt-5" }] }));
  upstream.otherwise(answerBody(Buffer.from(half), { headers, end: "clean" }));
  const io = await ioFor(upstream.url);
  expect(await createChatCommand(NO_RECORDS)(["Hello"], io)).toBe(1);
  expect(io.out()).toBe("Half\n");
  expect(io.err()).toBe("The answer was cut: its stream ended before it was done.\n");
});

test("an error, before the answer or within it, is told in its own words and exits 1", async () => {
  const limit = json(429, { error: { message: "slow down", type: "rate_limit" } }, { "retry-after": "600" });
  const { code, io } = await chatted(["Hello", "--model", "gpt-5"], { answer: limit });
  expect([code, io.out()]).toEqual([1, ""]);
  expect(io.err()).toMatch(/^429: .*\. Try again in 1\dm\.\n$/);
  expect(secretsIn(io.err())).toEqual([]);
});

test("an answer that ran into its limit is whole, and that is told", async () => {
  const chunk = { choices: [{ index: 0, delta: { content: WORDS }, finish_reason: "length" }] };
  // The end is that of a server that sends no mark of it.
  const stream = Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`);
  const answer = answerBody(stream, { headers: { "content-type": "text/event-stream" }, end: "clean" });
  const { code, io } = await chatted(["Hello", "--protocol", "chat", "--model", "gpt-5"], { answer });
  expect([code, io.out()]).toEqual([0, `${WORDS}\n`]);
  expect(io.err()).toBe("It stopped early: length.\n");
});

/** As somebody at a terminal types. */
function typed(io: TestIo): TestIo {
  const stdin = io.stdin;
  if (stdin === undefined) throw new Error("nobody types");
  return { ...io, stdin: Object.assign(stdin, { isTTY: true, setRawMode: () => {} }) };
}

test("a person goes on with one conversation, another model, another protocol, and leaves", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: WORDS }));
  const own = account("claude", upstream.url, { more: { models: ["claude-opus-5", "claude-haiku-4-5"] } });
  await using gateway = await startGateway(gatewayConfig([own]));
  const lines = [
    "first",
    "second",
    "/modle",
    "/model claude-opus-5",
    "/protocol chat",
    "/new",
    "third",
    "/quit",
  ];
  const io = await ioFor(gateway.url, { answers: lines });
  expect(await createChatCommand(NO_RECORDS)([], typed(io))).toBe(0);
  const asked = upstream.requests.map(({ body }) => JSON.parse(body.toString()));
  expect(asked.map(({ model }) => model)).toEqual(["claude-haiku-4-5", "claude-haiku-4-5", "claude-opus-5"]);
  expect(asked.map(({ messages }) => messages.length)).toEqual([1, 3, 1]);
  expect(io.out()).toContain("There is no /modle; did you mean /model?");
  expect(io.out()).toContain("claude-opus-5 over chat.");
  expect(gateway.exchanges.map(({ protocol }) => protocol)).toEqual(["messages", "messages", "chat"]);
});

test("nobody at the other end, no model and wrong words are told, with what to do", async () => {
  const none = await ioFor(`http://127.0.0.1:${await closedPort()}`);
  const run = createChatCommand(NO_RECORDS);
  expect(await run(["Hello", "--model", "gpt-5"], none)).toBe(1);
  expect(none.err()).toContain("cannot be reached. Start it with:");
  for (const [args, words] of [
    [["Hello"], "say which with --model NAME"],
    [["Hello", "--protocol", "mesages"], 'did you mean "messages"?'],
    [["", "--model", "gpt-5"], "the prompt is empty"],
  ] as const) {
    const io = await ioFor(`http://127.0.0.1:${await closedPort()}`);
    expect(await run([...args], io)).toBe(2);
    expect(io.err()).toContain(words);
  }
  const help = await testIo();
  expect(await run(["--help"], help)).toBe(0);
  expect(help.out()).toContain("Examples:");
});
