// Questions to a running gateway, and what it means when there is no good answer.

import { type JsonObject, parseObject, objectAt, stringAt } from "../core/json.ts";
import type { Target } from "./configured.ts";
import { type Io, programName } from "./io.ts";
import { printable } from "./who.ts";

const WITHIN_MS = 10_000;

/** No usable answer; the message says why and what to do. */
export class AskError extends Error {}

/** What the gateway answers to a GET. @throws AskError */
export async function askGateway(target: Target, path: string, io: Io): Promise<JsonObject> {
  const { url } = target;
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url + path, { headers: keyHeaders(target), signal: AbortSignal.timeout(WITHIN_MS) });
    text = await answer.text();
  } catch (error) {
    throw unreachable(url, error, io);
  }
  const body = parseObject(text);
  if (answer.status === 401)
    throw new AskError(
      `The gateway at ${url} refuses the client key. It runs with another config; give its config with -config, ` +
        `or a key with --key.`,
    );
  if (!answer.ok || body === undefined) {
    const why = stringAt(objectAt(body, "error"), "message") ?? "this is no sub2api_simple";
    throw new AskError(`${url}${path} answered ${answer.status}: ${printable(why)}.`);
  }
  return body;
}

export function keyHeaders({ key }: Target): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

export function unreachable(url: string, error: unknown, io: Io): AskError {
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const why = isLate ? `does not answer within ${WITHIN_MS / 1_000} s` : "cannot be reached";
  const start = `${programName(io.env)} -config FILE`;
  return new AskError(
    `The gateway at ${url} ${why}. Start it with: ${start}\nIf it runs elsewhere, say where with --url.`,
  );
}
