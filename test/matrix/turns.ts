// A tool loop of three turns in which the model thinks before each call: what it thought comes back to it every time.
import { expect } from "bun:test";
import { SseReader } from "../../src/core/sse.ts";
import { parseObject, type JsonObject } from "../../src/core/json.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { pair } from "../http/pair.ts";
import { json, sse } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { judge } from "../support/oracle.ts";
import { PATHS } from "../support/samples.ts";
import { echo } from "../vectors/translate.ts";
import type { Answer } from "../support/upstream.ts";
import { accountFor, DIALECTS, MODELS, type Cell } from "./cells.ts";
import {
  lineOfCall,
  lineOfResult,
  lineOfText,
  lineOfThought,
  SCHEMA_OF_TOOL,
  TOOL,
  toolLine,
} from "./dialect.ts";

const TURNS = [1, 2];
const thought = (turn: number, cell: Cell): { readonly text: string; readonly seal: string } => ({
  text: `I think (${turn}).`,
  seal: cell.upstream === "chat" ? "" : `SEAL+${turn}/==`,
});
const call = (turn: number): { readonly id: string; readonly input: { readonly city: string } } => ({
  id: `call_${turn}`,
  input: { city: `city ${turn}` },
});

export async function expectThreeTurns(cell: Cell): Promise<void> {
  await using on = await pair(thinking(cell), (url) => [accountFor(cell, url)]);
  const { client, upstream, stream } = cell;
  const asked = DIALECTS[client].request({
    turns: [{ user: [{ text: "Weather?" }] }],
    tools: true,
    thinks: true,
  });
  let request = { model: MODELS[upstream], ...asked, stream } as JsonObject;
  for (const turn of [...TURNS, 3]) {
    const reply = await post(on.gateway.url, PATHS[client], request, { key: CLIENT_KEY });
    const verdict = judge(client, reply);
    expect([reply.status, verdict.problems, verdict.complete]).toEqual([200, [], true]);
    expect(reply.header("x-sub2api-fidelity") ?? "").not.toMatch(
      /thinking(,|$)|input\.reasoning|reasoning_content/,
    );
    expect(verdict.text).toBe(turn === 3 ? "Done." : "");
    request = echo(client, request, wholeOf(cell, reply), `${turn} C`);
  }
  expect(DIALECTS[upstream].read(on.upstream.requests.at(-1)?.json())).toEqual([
    lineOfText("user", "Weather?"),
    ...TURNS.flatMap((turn) => [
      lineOfThought(thought(turn, cell)),
      lineOfCall(`call_${turn}`, call(turn).input),
      lineOfResult(`call_${turn}`, `${turn} C`, false),
    ]),
    toolLine(TOOL, SCHEMA_OF_TOOL),
  ]);
}

function thinking(cell: Cell): Answer {
  const { wire } = CODECS[cell.upstream];
  const dialect = DIALECTS[cell.upstream];
  return (request, connection) => {
    const turn = request.number;
    const said =
      turn === 3
        ? dialect.answer({ text: "Done.", stop: "done" })
        : dialect.answer({ thought: thought(turn, cell), calls: [call(turn)], stop: "tools" });
    const answer = said as JsonObject;
    const told = cell.stream ? sse(wire.unfold(answer)) : json(200, answer);
    return told(request, connection);
  };
}

function wholeOf({ client, stream }: Cell, reply: Reply): JsonObject {
  if (!stream) return parseObject(reply.text()) ?? {};
  const folder = CODECS[client].wire.folder();
  for (const frame of new SseReader().push(reply.body)) folder.push(frame);
  return folder.answer() ?? {};
}
