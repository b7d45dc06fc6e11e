// What the scripted providers do wrong in a soak: one fault a second, given to whichever request comes next.
import type { Random } from "../../src/core/ports.ts";
import {
  answerBody,
  hangBeforeHeaders,
  hangUp,
  headersOnly,
  html,
  json,
  reset,
  sse,
} from "../support/answers.ts";
import { pick, pickText } from "../support/json-pick.ts";
import { errorItems, textAnswer, textFrames, textStream } from "../support/made-streams.ts";
import type { Protocol } from "../support/oracle.ts";
import { protocolOf } from "../support/provider.ts";
import { writeSse } from "../support/sse-text.ts";
import type { Answer, UpstreamRequest } from "../support/upstream.ts";

/** What a client asks for: its words come back numbered, so that whoever reads them can tell what is missing. */
export interface Order {
  readonly id: number;
  readonly words: number;
  readonly delayMs: number;
}

export function orderText({ id, words, delayMs }: Order): string {
  return `Order ${id}: ${words} words, ${delayMs} ms apart.`;
}

export function wordsOf({ id, words }: Order): readonly string[] {
  return Array.from({ length: words }, (_, index) => `${id}/${index} ✓ `);
}

interface Asked {
  readonly order: Order;
  readonly protocol: Protocol;
  readonly stream: boolean;
  readonly model: string;
}

type Fault = (asked: Asked, chance: Random) => Answer;

const STREAM = { "content-type": "text/event-stream; charset=utf-8" };

/** A good stream that ends like this somewhere in it. */
const broken =
  (end: "fin" | "rst" | "clean" | "hang" | "bad-chunk"): Fault =>
  (asked, chance) => {
    const bytes = asked.stream ? streamOf(asked) : Buffer.from(JSON.stringify(wholeOf(asked)));
    const headers = asked.stream ? STREAM : { "content-type": "application/json" };
    const cutAt = Math.floor(chance() * bytes.length);
    return answerBody(bytes, { headers, cutAt, end, chunking: "event", delayMs: asked.stream ? 200 : 0 });
  };

const refusal =
  (status: number, type: string, headers: Readonly<Record<string, string>> = {}): Fault =>
  () =>
    json(status, { type: "error", error: { type, message: "Made up." } }, headers);

export const FAULTS: Readonly<Record<string, Fault>> = {
  "429 with a time": (asked, chance) =>
    refusal(429, "rate_limit_error", { "retry-after": String(1 + Math.floor(chance() * 3)) })(asked, chance),
  "500": refusal(500, "api_error"),
  "503": refusal(503, "api_error"),
  "529": refusal(529, "overloaded_error"),
  "a page": () => html(502),
  "no answer": () => hangBeforeHeaders(),
  "head only": () => headersOnly(),
  "reset before the head": () => reset(),
  "end before the head": () => hangUp(),
  "error first": ({ protocol, stream }) => (stream ? sse(errorItems(protocol)) : reset()),
  "error after content": ({ protocol, stream }) => {
    const frames = textFrames(protocol);
    const items = [...frames.start, ...frames.open, frames.delta("0"), ...errorItems(protocol)];
    return stream ? sse(writeSse(items)) : hangUp();
  },
  "slow first byte": (asked) => answered(asked, { headDelayMs: 1_500 }),
  reset: broken("rst"),
  "end without the last chunk": broken("fin"),
  "clean end too early": broken("clean"),
  stall: broken("hang"),
  "broken chunk": broken("bad-chunk"),
};

function streamOf({ order, protocol, model }: Asked): Buffer {
  return textStream(protocol, wordsOf(order), { model });
}

function wholeOf({ order, protocol, model }: Asked): object {
  return textAnswer(protocol, wordsOf(order).join(""), { model });
}

function answered(asked: Asked, options: { readonly headDelayMs?: number } = {}): Answer {
  if (!asked.stream) return json(200, wholeOf(asked), {}, options);
  return sse(streamOf(asked), { ...options, delayMs: asked.order.delayMs });
}

/** Answers what was ordered, and whatever `next` names instead of it. */
export function faulty(next: () => string | undefined, chance: Random): Answer {
  return (request, connection) => {
    const asked = askedOf(request);
    const fault = FAULTS[next() ?? ""];
    const answer = fault === undefined ? answered(asked) : fault(asked, chance);
    return answer(request, connection);
  };
}

function askedOf(request: UpstreamRequest): Asked {
  const body = request.json();
  const found = /Order (\d+): (\d+) words, (\d+) ms apart/.exec(request.body.toString("utf8"));
  const protocol = protocolOf(request.path);
  if (found === null || protocol === undefined) throw new Error(`nothing is ordered: ${request.target}`);
  const [, id, words, delayMs] = found.map(Number);
  const order = { id: id ?? 0, words: words ?? 0, delayMs: delayMs ?? 0 };
  return {
    order,
    protocol,
    stream: pick(body, "stream") === true,
    model: pickText(body, "model") ?? "none",
  };
}
