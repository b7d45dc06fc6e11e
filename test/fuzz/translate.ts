// Requests, answers and streams that are not what they should be, through every pair of protocols: a GatewayError or JSON
// comes out, and the same again when it is asked again.
import fc from "fast-check";
import { createEnvelopes } from "../../src/core/envelope.ts";
import { GatewayError } from "../../src/core/errors.ts";
import { isObject, type Json, type JsonObject, parseObject, scanObject } from "../../src/core/json.ts";
import { reasoningFor } from "../../src/core/reasoning.ts";
import { SseReader, type SseFrame } from "../../src/core/sse.ts";
import { promptOf, translatedBody } from "../../src/gateway/body.ts";
import { passing, translating } from "../../src/gateway/convert.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { forBackend } from "../../src/providers/chatgpt/body.ts";
import { FIELD_SAMPLES } from "../protocols/field-samples.ts";
import { SAMPLES } from "../protocols/part-samples.ts";
import type { Protocol } from "../support/oracle.ts";
import {
  PROTOCOLS,
  REQUEST_NAMES,
  sampleAnswer,
  sampleRequest,
  sampleStream,
  STREAM_NAMES,
} from "../support/samples.ts";
import * as samples from "../vectors/samples.ts";
import { ask as smallest } from "../vectors/translate.ts";
import { mutate, mutations } from "./config-mutants.ts";
import { damaged, Dice } from "./dice.ts";
import { ASK } from "./json-edits.ts";
import { Wrong, type Target } from "./target.ts";

const ENVELOPES = createEnvelopes(() => [new Uint8Array(32).fill(1)]);
const MODELS = ["m", "claude-haiku-4-5", "claude-opus-5", "gpt-5.1"];
const PATHS: Readonly<Record<string, Protocol>> = {
  "/v1/messages": "messages",
  "/v1/responses": "responses",
  "/responses": "responses",
  "/v1/chat/completions": "chat",
};
const CONVERSATIONS = {
  messages: ["messages", samples.messagesConversation],
  responses: ["input", samples.responsesConversation],
  chat: ["messages", samples.chatConversation],
} as const;
const CRUMBS = [
  "null",
  "{",
  "}",
  "[]",
  '""',
  ",",
  "0",
  "-1",
  "1e400",
  '"type":',
  "data: ",
  "\n\n",
  "data: {}\n\n",
  "\\u0000",
].map((text) => Buffer.from(text));
/** What a client of each protocol may send, by protocol. */
const REAL: Readonly<Record<Protocol, readonly JsonObject[]>> = {
  messages: real("messages"),
  responses: real("responses"),
  chat: real("chat"),
};

function real(protocol: Protocol): JsonObject[] {
  const recorded = REQUEST_NAMES.map(sampleRequest)
    .filter(({ path }) => PATHS[path.split("?", 1)[0] ?? ""] === protocol)
    .map(({ body }) => body as JsonObject);
  const parts = Object.values(SAMPLES)
    .map((each) => each[protocol])
    .filter((each) => each !== undefined);
  const fields = Object.values(FIELD_SAMPLES[protocol]);
  return [...recorded, ...[...parts, ...fields].map((members) => smallest(protocol, members))];
}

function mutant(dice: Dice, value: Json, seed: number): Json {
  if (dice.percent(10)) return value;
  const [list = []] = fc.sample(mutations, { seed, numRuns: 1 });
  return JSON.parse(JSON.stringify(list.reduce<Json>((now, each) => mutate(each, now), value)));
}

function requestOf(dice: Dice, protocol: Protocol, seed: number): JsonObject {
  const [key, conversation] = CONVERSATIONS[protocol];
  const [talk] = dice.percent(20) ? (fc.sample(conversation, { seed, numRuns: 1 })[0] ?? []) : [];
  const base = talk === undefined ? dice.pick(REAL[protocol]) : smallest(protocol, { [key]: talk });
  const other = dice.percent(20) ? dice.pick(REAL[protocol]) : {};
  const made = mutant(dice, { ...base, ...other }, seed);
  // What the first step has made sure of.
  return { ...(isObject(made) ? made : {}), model: dice.pick(MODELS), stream: dice.percent(50) };
}

/** What comes of it: text, or the code of its refusal. @throws what is no GatewayError */
function made(work: () => string): string {
  try {
    return work();
  } catch (error) {
    if (error instanceof GatewayError && error.code !== "internal") return `${error.code} ${error.message}`;
    throw error;
  }
}

function twice(what: string, work: () => string): string {
  const once = made(work);
  if (made(work) !== once) throw new Wrong(`${what} is not the same twice`);
  return once;
}

function jsonOf(body: Uint8Array, what: string): string {
  const text = new TextDecoder().decode(body);
  if (parseObject(text) === undefined) throw new Wrong(`${what} is no JSON: ${text}`);
  return text;
}

function checkRequest(dice: Dice, seed: number): void {
  const [from, to] = [dice.pick(PROTOCOLS), dice.pick(PROTOCOLS)];
  const request = requestOf(dice, from, seed);
  const body = Buffer.from(JSON.stringify(request));
  const ask = { ...ASK, protocol: from, body, members: scanObject(body) };
  const what = `${from} for ${to} of ${body.toString()}`;
  const target = { model: String(request["model"]), stream: request["stream"] === true };
  twice(what, () => {
    const prompt = reasoningFor(promptOf(ask, CODECS[from], ENVELOPES), to, "account1");
    return jsonOf(translatedBody(prompt, CODECS[from], CODECS[to], target).body, what);
  });
  twice(what, () =>
    jsonOf(CODECS[from].wire.leaveOut(body, ask.members, () => dice.percent(50)).body, what).slice(0, 0),
  );
  const manner = { conversation: "talk", codex: dice.percent(50), nameOf: (field: string) => field };
  if (from === "responses") twice(what, () => jsonOf(forBackend(body, ask.members, manner).body, what));
}

const PROMPTS = PROTOCOLS.flatMap((protocol) =>
  [false, true].map((stream) => ({
    protocol,
    prompt: CODECS[protocol].translator?.decodeRequest(smallest(protocol, { stream })),
  })),
);

function conversionOf(dice: Dice, from: Protocol) {
  const { protocol, prompt } = dice.pick(PROMPTS);
  if (prompt === undefined) throw new Error(`${protocol} has no translator`);
  if (protocol === from) return passing(CODECS[from].wire);
  const context = {
    model: "m",
    createdAt: 1_790_000_000,
    requestId: "req1",
    prompt,
    envelopes: ENVELOPES,
    issuer: "account1",
  };
  return translating(CODECS[from], CODECS[protocol], context);
}

function checkAnswer(dice: Dice, seed: number): void {
  const from = dice.pick(PROTOCOLS);
  const answer = mutant(dice, sampleAnswer(from, dice.pick(STREAM_NAMES)) as JsonObject, seed);
  const { wire } = CODECS[from];
  if (!isObject(answer) || wire.error(answer) !== undefined || !wire.isAnswer(answer)) return;
  const what = `${from} answer ${JSON.stringify(answer)}`;
  const conversion = conversionOf(dice, from);
  wire.usage(answer);
  wire.responseId(answer);
  wire.seals(answer);
  twice(what, () => JSON.stringify(conversion.whole?.(answer) ?? answer));
  checkEvents(
    twice(what, () => conversion.unfold(answer)),
    what,
  );
}

/** Each event of a text that may be a refusal. */
function checkEvents(text: string, what: string): void {
  if (!/^(event|data|:)/.test(text)) return;
  for (const { data } of new SseReader().push(Buffer.from(text)))
    if (data !== undefined && data !== "[DONE]" && parseObject(data) === undefined)
      throw new Wrong(`${what} becomes ${data}`);
}

function streamOf(dice: Dice, from: Protocol, seed: number): Buffer {
  const recorded = sampleStream(from, dice.pick(STREAM_NAMES));
  if (dice.percent(40)) return damaged(dice, recorded, 1 + dice.below(4), CRUMBS);
  const events = recorded.toString().split("\n\n");
  const changed = events.map((event) => {
    const data = event.indexOf("{");
    if (data < 0 || !dice.percent(25)) return event;
    const value = mutant(dice, JSON.parse(event.slice(data)), seed);
    return event.slice(0, data) + JSON.stringify(value);
  });
  if (dice.percent(40)) changed.splice(dice.below(changed.length), dice.below(3));
  if (dice.percent(40)) changed.splice(dice.below(changed.length), 0, dice.pick(changed));
  return Buffer.from(changed.join("\n\n"));
}

function checkStream(dice: Dice, seed: number): void {
  const from = dice.pick(PROTOCOLS);
  const bytes = streamOf(dice, from, seed);
  const what = `${from} stream ${JSON.stringify(bytes.toString())}`;
  const { wire } = CODECS[from];
  const reader = new SseReader();
  const read = reader.push(bytes);
  const last = reader.end();
  const frames: readonly SseFrame[] = last === undefined ? read : [...read, last];
  for (const frame of frames) {
    wire.kind(frame);
    const data = parseObject(frame.data ?? "");
    if (data === undefined) continue;
    wire.error(data);
    wire.responseId(data);
    wire.seals(data);
    if (wire.usage(data) !== undefined && !wire.mayCount(frame))
      throw new Wrong(`usage is overlooked in ${what}`);
  }
  const conversion = conversionOf(dice, from);
  checkEvents(
    twice(what, () => {
      const stream = conversion.stream?.();
      if (stream === undefined) return "";
      let text = "";
      for (const frame of frames) {
        text += stream.push(frame);
        if (stream.failure !== undefined) return text;
      }
      return text + stream.end();
    }),
    what,
  );
  twice(what, () => {
    const folder = conversion.folder();
    for (const frame of frames) folder.push(frame);
    return JSON.stringify(folder.answer() ?? null);
  });
}

export const translate: Target = {
  name: "translate",
  inputs: 300_000,
  short: 2_500,
  open: () => ({
    play(seed) {
      const dice = new Dice(seed);
      const kind = dice.below(10);
      if (kind < 5) checkRequest(dice, seed);
      else if (kind < 7) checkAnswer(dice, seed);
      else checkStream(dice, seed);
    },
  }),
};
