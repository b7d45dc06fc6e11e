// Every client protocol over every upstream protocol, feature by feature, streaming and not, over real sockets: what
// the upstream is asked, what the client is told. The table of all cells is printed at the end.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CODECS } from "../../src/protocols/index.ts";
import { json, sse } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { pick, pickText } from "../support/json-pick.ts";
import { errorItems } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { PATHS } from "../support/samples.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer, Upstream } from "../support/upstream.ts";
import { pair } from "../http/pair.ts";
import { accountFor, CELLS, DIALECTS, MODELS, type Cell } from "./cells.ts";
import { linesOf, TOOL, type Said } from "./dialect.ts";
import { FEATURES, type Feature } from "./features.ts";
import { Table } from "./table.ts";
import { expectThreeTurns } from "./turns.ts";

setDefaultTimeout(20_000);

/** What cannot be carried, and so is refused with the field's name. */
function refusedField({ name }: Feature, { client }: Cell): string | undefined {
  // Responses has no stop strings: what a client sends nevertheless is refused, here or by the service itself.
  return name === "stop sequence" && client === "responses" ? "stop" : undefined;
}

/** How the client is told that the answer ended. */
function stopOf({ said }: Feature, { client, upstream }: Cell): string {
  // A safety system of the service stepped in; elsewhere a refusal is the model's own words.
  if (said.stop === "refused" && upstream === "messages" && client !== "messages") return "content_filter";
  // Chat does not tell which of its two reasons to stop it was.
  const stop = said.stop === "sequence" && upstream === "chat" ? "done" : said.stop;
  return DIALECTS[client].stops[stop];
}

const THREE_TURNS = "reasoning + tools over three turns";
const table = new Table([...FEATURES.map(({ name }) => name), THREE_TURNS], CELLS.map(columnOf));

function columnOf({ client, upstream }: Cell): string {
  return `${client} > ${upstream}`;
}

for (const feature of FEATURES)
  describe(feature.name, () => {
    test.each(CELLS)("$client over $upstream, streaming: $stream", async (cell) => {
      await using on = await pair(answering(feature, cell), (url) => [accountFor(cell, url)]);
      const asked = { ...DIALECTS[cell.client].request(feature.asked), stream: cell.stream };
      const body = { model: MODELS[cell.upstream], ...asked };
      const reply = await post(on.gateway.url, PATHS[cell.client], body, { key: CLIENT_KEY });
      const field = refusedField(feature, cell);
      if (field !== undefined) expectRefusal(reply, field);
      else expectCarried(feature, cell, reply, on.upstream);
      table.passed(feature.name, columnOf(cell), field === undefined ? "ok" : `400 ${field}`);
    });
  });

describe(THREE_TURNS, () => {
  test.each(CELLS)("$client over $upstream, streaming: $stream", async (cell) => {
    await expectThreeTurns(cell);
    table.passed(THREE_TURNS, columnOf(cell), "ok");
  });
});

afterAll(() => console.log(table.text()));

function answering({ said, fault, asked }: Feature, { upstream, client, stream }: Cell): Answer {
  const { wire } = CODECS[upstream];
  // Where the upstream knows no stop strings, it says on what the gateway has to cut.
  const cutHere = asked.stop !== undefined && upstream === "responses";
  const told: Said = cutHere ? { text: `${said.text}${asked.stop} three`, stop: "done" } : said;
  const answer = DIALECTS[upstream].answer(told) as Parameters<typeof wire.unfold>[0];
  if (upstream === "responses" && client === "responses" && asked.stop !== undefined)
    return json(400, { error: UNKNOWN_STOP });
  if (fault === undefined) return stream ? sse(wire.unfold(answer)) : json(200, answer);
  if (fault === "cut") {
    const bytes = Buffer.from(stream ? wire.unfold(answer) : JSON.stringify(answer));
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    return stream ? sse(half, { end: "fin" }) : json(200, half.toString(), {}, { end: "fin" });
  }
  if (!stream) return json(500, wire.errorBody(FAULT, "req_up"));
  const begun = wire.unfold(answer).split("\n\n").slice(0, BEFORE_ERROR[upstream]).join("\n\n");
  const error = writeSse(errorItems(upstream, { message: "it broke" })).toString();
  return sse(`${begun}\n\n${error.replaceAll("resp_made_1", "resp_up1")}`);
}

/** Events of the stream that come before its error, some of them content. */
const BEFORE_ERROR: Readonly<Record<Protocol, number>> = { messages: 3, responses: 5, chat: 2 };

const UNKNOWN_STOP = {
  message: "Unknown parameter: 'stop'.",
  type: "invalid_request_error",
  param: "stop",
  code: "unknown_parameter",
};

const FAULT = {
  status: 500,
  type: "api_error",
  code: null,
  message: "it broke",
  param: null,
  retryAfterMs: undefined,
  retry: undefined,
} as const;

function expectRefusal(reply: Reply, field: string): void {
  expect([reply.status, pickText(reply.json(), "error", "param")]).toEqual([400, field]);
}

function expectCarried(feature: Feature, cell: Cell, reply: Reply, upstream: Upstream): void {
  const sent = upstream.requests[0]?.json();
  const { client } = cell;
  expect(pick(sent, "model")).toBe(MODELS[cell.upstream]);
  if (cell.upstream !== "responses" || client === "responses" || feature.asked.stop === undefined)
    expect(DIALECTS[cell.upstream].read(sent)).toEqual(linesOf(feature.asked, DIALECTS[client].tellsFailure));
  const verdict = judge(client, reply);
  expect(verdict.problems).toEqual([]);
  if (feature.fault !== undefined) {
    expect([verdict.complete, verdict.markers]).toEqual([false, []]);
    expect(verdict.error?.message).toBeString();
    if (!cell.stream) expect(verdict.text).toBe("");
    if (!cell.stream) expect(reply.status).toBe(feature.fault === "cut" ? 502 : 500);
    return;
  }
  const { text = "", calls = [] } = { ...feature.said, ...feature.seen };
  expect([reply.status, verdict.complete, verdict.text]).toEqual([200, true, text]);
  const seen = verdict.toolCalls.map((call) => [call.name, JSON.parse(call.arguments)]);
  expect(seen).toEqual(calls.map(({ input }) => [TOOL, input]));
  expect(String(verdict.stop)).toBe(stopOf(feature, cell));
  expect(DIALECTS[client].usage(verdict.usage)).toBe("20+100+5 60/32");
}
