// One question to the gateway, and its streamed answer.

import { objectAt, parseObject, stringAt } from "../core/json.ts";
import type { Clock } from "../core/ports.ts";
import { SseReader } from "../core/sse.ts";
import { keyHeaders, unreachable } from "./asking.ts";
import type { Heard, Turn, Wire } from "./chat-wire.ts";
import type { Target } from "./configured.ts";
import type { Io } from "./io.ts";
import { duration } from "./units.ts";
import { sentence } from "./who.ts";

export interface Question {
  readonly target: Target;
  readonly wire: Wire;
  readonly model: string;
  readonly turns: readonly Turn[];
  readonly clock: Clock;
  /** Ends the answer: whoever asked has heard enough. */
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

export interface Answer {
  /** The gateway's id of the request; undefined when it was not reached. */
  readonly id: string | undefined;
  readonly text: string;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  /** To the first text. */
  readonly firstMs: number | undefined;
  readonly tookMs: number;
  /** Why it ends before it is done, by the model's or its provider's doing. */
  readonly stopped: string | undefined;
  /** Why this is no whole answer, in words; undefined for one that is. */
  readonly problem: string | undefined;
}

/** A stream that ends without its protocol's own end is no answer. */
const CUT = "The answer was cut: its stream ended before it was done.";

export async function askStreaming(question: Question, io: Io): Promise<Answer> {
  const { target, clock, signal } = question;
  const startedAt = clock.now();
  const heard = { text: "", firstMs: undefined as number | undefined, last: {} as Heard, isEnd: false };
  const done = (id: string | undefined, problem: string | undefined): Answer => ({
    id,
    text: heard.text,
    inputTokens: heard.last.inputTokens,
    outputTokens: heard.last.outputTokens,
    firstMs: heard.firstMs,
    tookMs: clock.now() - startedAt,
    stopped: heard.last.stopped,
    problem,
  });
  let response: Response;
  try {
    response = await send(question);
  } catch (error) {
    return done(undefined, signal.aborted ? STOPPED : unreachable(target.url, error, io).message);
  }
  const id = response.headers.get("x-request-id") ?? undefined;
  try {
    if (!response.ok) return done(id, await refusal(response));
    for await (const each of events(response, question.wire)) {
      heard.last = { ...heard.last, ...told(each) };
      heard.isEnd ||= each.isEnd === true;
      if (each.error !== undefined) return done(id, sentence(each.error));
      if (each.text === undefined || each.text === "") continue;
      heard.firstMs ??= clock.now() - startedAt;
      heard.text += each.text;
      question.onText(each.text);
    }
    return done(id, heard.isEnd ? undefined : CUT);
  } catch {
    return done(id, signal.aborted ? STOPPED : CUT);
  }
}

/** Whoever stops an answer knows why. */
export const STOPPED = "Stopped.";

function send({ target, wire, model, turns, signal }: Question): Promise<Response> {
  return fetch(target.url + wire.path, {
    method: "POST",
    headers: { ...keyHeaders(target), ...wire.headers, "content-type": "application/json" },
    body: JSON.stringify(wire.ask(model, turns)),
    signal,
  });
}

async function* events(response: Response, wire: Wire): AsyncGenerator<Heard> {
  const reader = new SseReader();
  for await (const chunk of response.body ?? []) {
    for (const { data } of reader.push(chunk)) if (data !== undefined) yield wire.hear(data);
  }
}

/** Only what it says: what it leaves out was said before. */
function told(heard: Heard): Heard {
  return Object.fromEntries(Object.entries(heard).filter(([, value]) => value !== undefined));
}

async function refusal(response: Response): Promise<string> {
  const body = parseObject(await response.text());
  const words = stringAt(objectAt(body, "error"), "message") ?? "no reason was given";
  const seconds = Number(response.headers.get("retry-after") ?? "none");
  const later = Number.isNaN(seconds) ? "" : ` Try again in ${duration(seconds * 1_000)}.`;
  return `${response.status}: ${sentence(words)}${later}`;
}
