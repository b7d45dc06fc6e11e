// One question of a conversation, shown as its answer comes, and what is told of it afterwards.

import type { Protocol } from "../core/account.ts";
import type { ExchangeRecord } from "../core/exchange.ts";
import type { Clock } from "../core/ports.ts";
import { type Answer, askStreaming, STOPPED } from "./chat-ask.ts";
import { type Turn, WIRES } from "./chat-wire.ts";
import type { Target } from "./configured.ts";
import type { Io } from "./io.ts";
import { isTerminal, paintFor } from "./style.ts";
import { count, millis } from "./units.ts";
import { printable } from "./who.ts";

interface Records {
  find(id: string, limit: number): readonly ExchangeRecord[];
  close(): void;
}

/** What stays the same while somebody talks. */
export interface Talk {
  readonly io: Io;
  readonly target: Target;
  readonly clock: Clock;
  /** Where the gateway notes who answered; undefined where that cannot be read. */
  readonly records: (() => Records | undefined) | undefined;
  readonly models: readonly string[];
  readonly json: boolean;
}

export interface Topic {
  readonly model: string;
  readonly protocol: Protocol;
  readonly turns: readonly Turn[];
}

/** The gateway writes a record down within half a second. */
const RECORD_WITHIN_MS = 1_500;
const LOOK_EVERY_MS = 50;

/** Asks, shows the answer and how it went. True when it is whole. */
export async function askOnce(talk: Talk, topic: Topic, text: string): Promise<boolean> {
  const answer = await ask(talk, topic, text, new AbortController().signal);
  return answer.problem === undefined;
}

export async function ask(talk: Talk, topic: Topic, text: string, signal: AbortSignal): Promise<Answer> {
  const { io, target, clock, json } = talk;
  const { model, protocol } = topic;
  const answer = await askStreaming(
    {
      target,
      wire: WIRES[protocol],
      model,
      turns: [...topic.turns, { role: "user", text }],
      clock,
      signal,
      onText: (piece) => !json && io.stdout.write(readable(piece)),
    },
    io,
  );
  const account = await accountOf(talk, answer);
  if (json) io.stdout.write(`${JSON.stringify(plain(answer, topic, account))}\n`);
  else tell(talk, topic, answer, account);
  return answer;
}

/** An answer may have lines, and nothing else that steers a terminal. */
function readable(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

async function accountOf({ records, clock }: Talk, { id }: Answer): Promise<string | undefined> {
  if (id === undefined || records === undefined) return undefined;
  const until = clock.now() + RECORD_WITHIN_MS;
  while (clock.now() < until) {
    const found = lookUp(records, id);
    if (found === "nowhere") return undefined;
    if (found !== undefined) return found.account;
    await new Promise<void>((resolve) => {
      clock.after(LOOK_EVERY_MS, resolve);
    });
  }
  return undefined;
}

/** `nowhere`: there are none, or none that can be read, of which `explain` says why. Undefined: not written yet. */
function lookUp(records: () => Records | undefined, id: string): ExchangeRecord | "nowhere" | undefined {
  try {
    const reader = records();
    if (reader === undefined) return "nowhere";
    const [found] = reader.find(id, 1);
    reader.close();
    return found?.id === id ? found : undefined;
  } catch {
    return "nowhere";
  }
}

function tell({ io }: Talk, topic: Topic, answer: Answer, account: string | undefined): void {
  const { text, problem, stopped } = answer;
  if (text !== "" && !text.endsWith("\n")) io.stdout.write("\n");
  const paint = paintFor(io, io.stderr);
  if (problem === STOPPED) io.stderr.write(`${paint("yellow", problem)}\n`);
  else if (problem !== undefined) io.stderr.write(`${paint("red", printable(problem))}\n`);
  else if (stopped !== undefined)
    io.stderr.write(`${paint("yellow", `It stopped early: ${printable(stopped)}.`)}\n`);
  if (isTerminal(io.stderr)) io.stderr.write(`${paint("dim", summary(topic, answer, account))}\n`);
}

function summary({ model, protocol }: Topic, answer: Answer, account: string | undefined): string {
  const { inputTokens, outputTokens, firstMs, tookMs } = answer;
  const parts = [
    `${model} over ${protocol}`,
    account === undefined ? undefined : `account ${account}`,
    inputTokens === undefined ? undefined : `${count(inputTokens)} tokens in`,
    outputTokens === undefined ? undefined : `${count(outputTokens)} out`,
    firstMs === undefined ? undefined : `first after ${millis(firstMs)}`,
    `${millis(tookMs)} in all`,
  ];
  return printable(parts.filter((each) => each !== undefined).join(", "));
}

function plain(answer: Answer, { model, protocol }: Topic, account: string | undefined) {
  const { id, text, inputTokens, outputTokens, firstMs, tookMs, stopped, problem } = answer;
  return {
    id: id ?? null,
    model,
    protocol,
    account: account ?? null,
    text,
    input_tokens: inputTokens ?? null,
    output_tokens: outputTokens ?? null,
    first_ms: firstMs === undefined ? null : Math.round(firstMs),
    took_ms: Math.round(tookMs),
    stopped: stopped ?? null,
    error: problem ?? null,
  };
}
