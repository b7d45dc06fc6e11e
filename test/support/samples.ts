// Sample traffic of the three protocols: recorded-like streams, whole answers, requests and provider errors from
// `test/fixtures/`, and makers for streams whose text a test chooses.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HeaderList } from "./answers.ts";
import type { Header } from "./http-message.ts";
import { isObject, pick, pickList, pickNumber, pickText, type JsonObject } from "./json-pick.ts";
import type { Protocol } from "./oracle.ts";

export const PROTOCOLS = ["messages", "responses", "chat"] as const satisfies readonly Protocol[];

export const PATHS: Readonly<Record<Protocol, string>> = {
  messages: "/v1/messages",
  responses: "/v1/responses",
  chat: "/v1/chat/completions",
};

export const MODELS: Readonly<Record<Protocol, string>> = {
  messages: "claude-sonnet-5",
  responses: "gpt-5.1",
  chat: "gpt-5.1",
};

/** `text` is plain, `tools` has reasoning, text and parallel tool calls, `length` was cut by the token limit. */
export const STREAM_NAMES = ["text", "tools", "length"] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

export const REQUEST_NAMES = [
  "claude-code",
  "claude-code-title",
  "codex",
  "opencode",
  "anthropic-sdk",
  "openai-sdk-chat",
  "openai-sdk-responses",
] as const;
export type RequestName = (typeof REQUEST_NAMES)[number];

export interface SampleRequest {
  readonly path: string;
  readonly headers: readonly Header[];
  readonly body: JsonObject;
}

export interface ProviderError {
  readonly status: number;
  readonly headers: HeaderList;
  /** As it goes over the wire. */
  readonly body: string;
}

export type Platform = "anthropic" | "openai";

const FIXTURES = join(import.meta.dirname, "..", "fixtures");

/** The bytes of a recorded-like stream, exactly as a provider sends them. */
export function sampleStream(protocol: Protocol, name: StreamName): Buffer {
  return readFileSync(join(FIXTURES, protocol, `${name}.sse`));
}

/** The whole answer with the same content as the stream of that name. */
export function sampleAnswer(protocol: Protocol, name: StreamName): JsonObject {
  return readObject(protocol, `${name}.json`);
}

/** A request as a real client sends it; host, length and credential are left to the sender. */
export function sampleRequest(name: RequestName): SampleRequest {
  const file = readObject("requests", `${name}.json`);
  const body = pick(file, "body");
  const headers = pickList(file, "headers").map((pair): Header => [
    pickText(pair, 0) ?? "",
    pickText(pair, 1) ?? "",
  ]);
  if (!isObject(body)) throw new Error(`request sample ${name} has no body`);
  return { path: pickText(file, "path") ?? "", headers, body };
}

/** Names of the provider errors kept for a platform, e.g. `429-rate-limit`. */
export function providerErrorNames(platform: Platform | "html"): readonly string[] {
  return Object.keys(readObject("errors", `${platform}.json`));
}

export function providerError(platform: Platform | "html", name: string): ProviderError {
  const entry = pick(readObject("errors", `${platform}.json`), name);
  const body = pick(entry, "body");
  const headers = pick(entry, "headers");
  if (body === undefined) throw new Error(`no provider error ${platform} ${name}`);
  return {
    status: pickNumber(entry, "status") ?? 0,
    headers: isObject(headers)
      ? Object.entries(headers).map(([key, value]) => [key, String(value)] as const)
      : [],
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

function readObject(...path: readonly string[]): JsonObject {
  const value: unknown = JSON.parse(readFileSync(join(FIXTURES, ...path), "utf8"));
  if (!isObject(value)) throw new Error(`${path.join("/")} is no JSON object`);
  return value;
}
