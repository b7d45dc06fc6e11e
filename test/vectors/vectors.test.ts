// Runs every vector of this folder; README.md says what the kinds mean.

import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import type { Protocol } from "../../src/core/account.ts";
import { isObject, objectAt, parseObject, stringAt, type JsonObject } from "../../src/core/json.ts";
import { SseReader } from "../../src/core/sse.ts";
import { faultOfError } from "../../src/core/wire-error.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { checkChatStream, comparable } from "./compare.ts";
import { type Context, match, newContext } from "./match.ts";
import * as run from "./translate.ts";

interface Case {
  readonly name?: string;
  readonly from?: Protocol;
  /** `codex`: the ChatGPT backend, which takes a subset of Responses. */
  readonly to?: Protocol | "codex";
  readonly upstream?: Protocol;
  readonly client?: Protocol;
  readonly in: JsonObject;
  readonly request?: JsonObject;
  readonly expect: JsonObject;
  readonly repeat_same_bytes?: boolean;
}

interface Vector extends Case {
  readonly id: string;
  readonly kind: "request" | "reject" | "response" | "stream" | "stream_to_json" | "error" | "roundtrip";
  readonly cases?: readonly Case[];
  readonly upstream_events: readonly run.SseEvent[];
  readonly client_events?: readonly run.SseEvent[];
  readonly compare?: "events" | "fold" | "per_client";
  readonly expect_final?: JsonObject;
  readonly invariants?: readonly string[];
  readonly per_client?: JsonObject;
  readonly steps: readonly {
    readonly kind: "request" | "answer" | "echo";
    readonly in: JsonObject;
    /** What the client's tools answer, in an echo. */
    readonly result?: string;
    readonly expect: JsonObject;
  }[];
}

const vectors: Vector[] = await Promise.all(
  [...new Glob("*.json").scanSync(import.meta.dir)]
    .toSorted()
    .map((file) => Bun.file(`${import.meta.dir}/${file}`).json()),
);

for (const vector of vectors)
  describe(vector.id, () => {
    const cases: readonly Case[] = vector.cases ?? [vector];
    for (const each of cases)
      test(each.name ?? vector.kind, () => RUNNERS[vector.kind]({ ...vector, ...each }));
  });

const RUNNERS: Readonly<Record<Vector["kind"], (vector: Vector) => void>> = {
  request: runRequest,
  reject: runReject,
  response: runResponse,
  stream: runStream,
  stream_to_json: runStreamToJson,
  error: runError,
  roundtrip: runRoundtrip,
};

function sides(vector: Vector): { readonly from: Protocol; readonly to: Protocol } {
  const { from = "chat", to = "responses" } = vector;
  return { from, to: to === "codex" ? "responses" : to };
}

function sentFor(vector: Vector, body: JsonObject): JsonObject {
  const { from, to } = sides(vector);
  return vector.to === "codex" ? run.requestForChatgpt(from, body) : run.translateRequest(from, to, body);
}

function runRequest(vector: Vector): void {
  const body = sentFor(vector, vector.in);
  expect(match(vector.expect["body"], body)).toEqual([]);
  expect(JSON.stringify(sentFor(vector, run.asSent(vector.in)))).toBe(JSON.stringify(body));
}

function runReject(vector: Vector): void {
  const { from, to } = sides(vector);
  expect(match(vector.expect, run.refusalOf(from, to, vector.in))).toEqual([]);
}

function runResponse(vector: Vector): void {
  const { upstream = "responses", client = "chat" } = vector;
  const answer = run.translateAnswer(upstream, client, vector.in, run.ask(client, vector.request));
  expect(match(vector.expect, answer)).toEqual([]);
}

function clientsOf(vector: Vector): Protocol[] {
  return [vector.client ?? "chat"].flat();
}

function runStream(vector: Vector): void {
  for (const client of clientsOf(vector)) {
    const request = run.ask(client, { stream: true, ...vector.request });
    const pieces = (newline: string): Uint8Array[] => [run.render(vector.upstream_events, newline)];
    const translated = (chunks: readonly Uint8Array[]): string =>
      run.encodeStream(client, run.decodeStream(vector.upstream ?? "chat", chunks), request);
    const text = translated(pieces("\n"));
    // However the bytes come, the client gets the same.
    expect(translated(pieces("\r\n"))).toBe(text);
    expect(translated([...(pieces("\n")[0] ?? [])].map((byte) => Uint8Array.of(byte)))).toBe(text);
    expect(translated([new TextEncoder().encode(": comment\n\n"), ...pieces("\n")])).toBe(text);
    compareStream(vector, client, run.parseEvents(text));
  }
}

function compareStream(vector: Vector, client: Protocol, events: readonly run.SseEvent[]): void {
  const context = newContext();
  if (vector.compare === "per_client") return comparePerClient(objectAt(vector.per_client, client), events);
  if (vector.client_events !== undefined && vector.compare === "events")
    expect(match(vector.client_events, comparable(events), context)).toEqual([]);
  if (client === "chat") expect(checkChatStream(events, vector.invariants ?? [])).toEqual([]);
  if (vector.expect_final === undefined) return;
  const folder = CODECS[client].wire.folder();
  for (const frame of new SseReader().push(run.render(events))) folder.push(frame);
  expect(match(vector.expect_final, folder.answer(), context)).toEqual([]);
}

function comparePerClient(wanted: JsonObject | undefined, events: readonly run.SseEvent[]): void {
  const last = events.at(-1);
  if (wanted?.["last_event"] !== undefined) expect(last?.event).toBe(String(wanted["last_event"]));
  if (wanted?.["last_data_has_error"] === true) expect(last?.data).toHaveProperty("error.message");
  if (wanted?.["message"] !== undefined) expect(match(wanted["message"], messageOf(last?.data))).toEqual([]);
  for (const word of Array.isArray(wanted?.["forbidden"]) ? wanted["forbidden"] : []) {
    if (word === "finish_reason_non_null") expect(JSON.stringify(events)).not.toMatch(/"finish_reason":"/);
    else expect(JSON.stringify(events)).not.toContain(String(word));
  }
}

function messageOf(data: unknown): string | undefined {
  const object = parseObject(JSON.stringify(data ?? null));
  return stringAt(objectAt(object, "error") ?? objectAt(object?.["response"], "error"), "message");
}

function runStreamToJson(vector: Vector): void {
  const { upstream = "responses" } = vector;
  for (const client of clientsOf(vector)) {
    const bytes = run.render(vector.upstream_events);
    const prompt = run.translator(client).decodeRequest(run.ask(client, vector.request));
    const direct = run
      .translator(client)
      .encodeAnswer(run.decodeStream(upstream, [bytes]), prompt, run.CONTEXT);
    expect(match(vector.expect, run.asSent(direct))).toEqual([]);
    const folder = CODECS[upstream].wire.folder();
    for (const frame of new SseReader().push(bytes)) folder.push(frame);
    const answer = folder.answer();
    expect(answer && run.translateAnswer(upstream, client, answer, run.ask(client, vector.request))).toEqual(
      run.asSent(direct),
    );
  }
}

function runError(vector: Vector): void {
  const { upstream = "responses", client = "chat" } = vector;
  const error = CODECS[upstream].wire.error(objectAt(vector.in, "body") ?? {});
  if (error === undefined) throw new Error("no error was read");
  const fault = faultOfError({ ...error, status: Number(vector.in["status"]) }, CODECS[client].wire.family);
  const body = CODECS[client].wire.errorBody(fault, "req1");
  expect(match(vector.expect, { status: fault.status, body })).toEqual([]);
}

/** Steps share one context, so that what is bound in an answer is known in the next request. */
function runRoundtrip(vector: Vector): void {
  const { from, to } = sides(vector);
  const context: Context = newContext();
  let request: JsonObject = {};
  let answer: JsonObject = {};
  for (const step of vector.steps) {
    if (step.kind === "echo") {
      request = run.echo(from, request, answer, step.result ?? "");
      const body = run.translateRequest(from, to, request);
      for (const [key, wanted] of Object.entries(step.expect))
        expect(match(wanted, body[key], { ...context, root: undefined })).toEqual([]);
    } else if (step.kind === "request") {
      request = step.in;
      const body = run.translateRequest(from, to, request);
      expect(match(step.expect, body, { ...context, root: undefined })).toEqual([]);
    } else {
      answer = run.translateAnswer(to, from, step.in, request);
      expect(isObject(answer)).toBe(true);
      expect(match(step.expect, answer, context)).toEqual([]);
    }
  }
}
