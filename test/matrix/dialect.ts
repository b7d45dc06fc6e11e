// What the matrix says in every protocol: conversations and answers in words of its own, which each protocol's dialect
// writes down and reads back without the gateway's help.
import { isObject, pickText, type JsonObject } from "../support/json-pick.ts";

export interface Call {
  readonly id: string;
  readonly input: JsonObject;
}

/** An answer of a model. */
export interface Said {
  readonly thought?: Thought;
  readonly text?: string;
  readonly refusal?: string;
  readonly calls?: readonly Call[];
  readonly stop: "done" | "tools" | "length" | "sequence" | "refused";
  /** The stop string that was met. */
  readonly met?: string;
}

export interface Thought {
  readonly text: string;
  /** What only its issuer can read; protocols without such a thing leave it out. */
  readonly seal: string;
}

/** Base64. */
export type Part = { readonly text: string } | { readonly image: string } | { readonly pdf: string };

export interface Result {
  readonly id: string;
  readonly text: string;
  readonly failed?: boolean;
}

export type Turn =
  | { readonly user: readonly Part[] }
  | { readonly calls: readonly Call[] }
  | { readonly results: readonly Result[] };

export interface Asked {
  readonly turns: readonly Turn[];
  readonly tools?: boolean;
  readonly schema?: JsonObject;
  readonly stop?: string;
  readonly thinks?: boolean;
}

export interface Dialect {
  /** Without the model's name and `stream`. */
  request(asked: Asked): JsonObject;
  /** What a request says, a line for each thing; see `linesOf`. */
  read(body: unknown): readonly string[];
  answer(said: Said): JsonObject;
  /** Fresh, read from the cache, written to it; output, and reasoning within it. */
  usage(counted: unknown): string;
  /** The words by which a client knows that an answer ended so. */
  readonly stops: Readonly<Record<Said["stop"], string>>;
  /** Whether it can say that a tool has failed, other than in words. */
  readonly tellsFailure: boolean;
}

export const TOOL = "get_weather";
export const SCHEMA_OF_TOOL: JsonObject = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const IMAGE = "image/png";
export const PDF = "application/pdf";
export const PDF_NAME = "paper.pdf";

/** What each request of the matrix says, in the notation of `Dialect.read`. */
export function linesOf(asked: Asked, tellsFailure: boolean): readonly string[] {
  const lines = asked.turns.flatMap((turn) => {
    if ("user" in turn) return turn.user.map(lineOfPart);
    if ("calls" in turn) return turn.calls.map((call) => lineOfCall(call.id, call.input));
    return turn.results.map(({ id, text, failed }) =>
      lineOfResult(id, text, failed === true && tellsFailure),
    );
  });
  if (asked.tools === true) lines.push(`tool ${TOOL} ${sorted(SCHEMA_OF_TOOL)}`);
  if (asked.schema !== undefined) lines.push(`schema ${sorted(asked.schema)}`);
  if (asked.stop !== undefined) lines.push(`stop ${asked.stop}`);
  return lines;
}

function lineOfPart(part: Part): string {
  if ("text" in part) return lineOfText("user", part.text);
  return "image" in part ? `image ${part.image}` : `file ${part.pdf}`;
}

export function lineOfText(role: string, text: string): string {
  return `${role}: ${text}`;
}

export function lineOfCall(id: string, input: unknown): string {
  return `call ${id} ${sorted(input)}`;
}

export function lineOfResult(id: string, text: string, failed: boolean): string {
  return failed ? `failed result ${id}` : `result ${id} ${text}`;
}

export function lineOfThought({ text, seal }: Thought): string {
  return `thought ${text} ${seal}`.trimEnd();
}

/** JSON with its keys in order. */
export function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The text of a content that is a string or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return (Array.isArray(content) ? content : []).map((part) => pickText(part, "text") ?? "").join("");
}

/** A result whose failure is told in words: by anything before what the tool itself has said. */
export function readResult(id: unknown, text: string, failed: boolean): string {
  const told = /^\W*(tool )?(error|fail)/i.test(text);
  return lineOfResult(String(id), text, failed || told);
}

export function toolLine(name: unknown, schema: unknown): string {
  return `tool ${String(name)} ${sorted(schema)}`;
}

/** What follows the comma of a data URL. */
export function dataOf(url: unknown): string {
  return String(url).split(",")[1] ?? "";
}

export function optional(key: string, value: unknown): JsonObject {
  return value === undefined ? {} : { [key]: value };
}
