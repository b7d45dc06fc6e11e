// The first step of the line: the client's body, bounded and checked, and what has to be known of it.

import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { GatewayError } from "../core/errors.ts";
import type { Ask, ClientKey } from "../core/exchange.ts";
import { bytesOf, indexIn } from "../core/frame-peek.ts";
import {
  elementsAt,
  isObject,
  type Json,
  type Members,
  member,
  scanObject,
  stringAt,
  valueAt,
} from "../core/json.ts";
import type { Clock } from "../core/ports.ts";
import { sessionOf } from "../core/session.ts";
import type { Deps, Settings } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** Of what is passed on as it is: asked twice, nothing is there twice. */
const HARMLESS: ReadonlySet<string> = new Set(["/v1/embeddings", "/v1/moderations", "/v1/rerank"]);
const COMPACTION = bytesOf('"compaction"');

export type Arrived = Pick<Exchange, "request" | "protocol" | "errand">;

/** @throws GatewayError `invalid_request`, `body_too_large`, `body_timeout` */
export async function read(
  { request, protocol, errand }: Arrived,
  key: ClientKey,
  { settings: current, clock }: Pick<Deps, "settings" | "clock">,
): Promise<Ask> {
  const settings = current();
  const body = await inflated(
    request.headers,
    await bounded({ request, settings, clock }),
    settings.maxBodyBytes,
  );
  const members = scanObject(body);
  for (const name of ["model", "stream"]) refuseTwice(members, name);
  const model = memberValue(body, members, "model");
  if (typeof model !== "string" || model === "") {
    throw new GatewayError("invalid_request", "`model` must be a non-empty string", { param: "model" });
  }
  const stream = errand === undefined ? (memberValue(body, members, "stream") ?? false) : false;
  if (typeof stream !== "boolean") {
    throw new GatewayError("invalid_request", "`stream` must be true or false", { param: "stream" });
  }
  const previous = previousId(body, members);
  const { headers } = request;
  const isTalk = errand?.platform === undefined;
  return {
    protocol,
    errand,
    key,
    model,
    models: settings.aliases[model] ?? [model],
    stream,
    body,
    members,
    headers,
    query: queryOf(request.url),
    session: isTalk ? sessionOf({ protocol, headers, body, members, model }, key.name) : "",
    previousResponse: previous === undefined ? undefined : ownResponse(key, previous),
    pinned: protocol === "responses" && hasCompaction(body, members),
    continuable: protocol === "messages" ? hasThread(body, members) : isStored(body, members),
    replayable: isTalk ? previous === undefined && !hasEffects(body, members) : HARMLESS.has(errand.path),
  };
}

/** Without building a URL object for every request. */
function queryOf(url: string): string {
  const at = url.indexOf("?");
  return at < 0 || at === url.length - 1 ? "" : url.slice(at);
}

/** Whoever knows another key's response id is not led to that key's account by it. */
export function ownResponse(key: ClientKey, id: string): string {
  return `${key.name}/${id}`;
}

/** `previous_response_id`, or in Messages the thread's `previous_message_id`. */
function previousId(body: Uint8Array, members: Members): string | undefined {
  const response = memberValue(body, members, "previous_response_id");
  if (typeof response === "string") return response;
  return stringAt(memberValue(body, members, "thread"), "previous_message_id");
}

/** Looked for in the bytes first: nearly no request has one. */
function hasCompaction(body: Uint8Array, members: Members): boolean {
  const input = member(members, "input");
  if (input === undefined || indexIn(body, COMPACTION, 0) < 0) return false;
  for (const item of elementsAt(body, input.start))
    if (stringAt(valueAt(body, item), "type") === "compaction") return true;
  return false;
}

function hasThread(body: Uint8Array, members: Members): boolean {
  return isObject(memberValue(body, members, "thread"));
}

function isStored(body: Uint8Array, members: Members): boolean {
  return memberValue(body, members, "store") !== false;
}

function memberValue(body: Uint8Array, members: Members, key: string): Json | undefined {
  const found = member(members, key);
  return found === undefined ? undefined : valueAt(body, found);
}

function refuseTwice(members: Members, name: string): void {
  if (members.list.filter((each) => each.key === name).length > 1) {
    throw new GatewayError("invalid_request", `\`${name}\` stands in the body twice`, { param: name });
  }
}

/** Stored and background responses exist upstream once they were sent; doing them again makes two. */
function hasEffects(body: Uint8Array, members: Members): boolean {
  return (
    memberValue(body, members, "store") === true ||
    memberValue(body, members, "background") === true ||
    (memberValue(body, members, "conversation") ?? null) !== null
  );
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError("body_too_large", `the body is larger than ${limit} bytes`);
}

/** The body's bytes, refused as soon as it is known to be too large. */
interface Reading {
  readonly request: Request;
  readonly settings: Settings;
  readonly clock: Clock;
}

function bounded({ request, settings, clock }: Reading): Promise<Uint8Array> {
  const limit = settings.maxBodyBytes;
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announced > limit) throw tooLarge(limit);
  return new Promise((resolve, reject) => {
    const cancel = clock.after(settings.bodyTimeoutMs, () =>
      reject(new GatewayError("body_timeout", "the body did not arrive in time")),
    );
    // A body that says its length is not made a stream first, which would cost more than all its reading.
    const whole = announced >= 0 ? request.bytes() : gathered(request.body, limit);
    whole.then(resolve, reject).finally(cancel);
  });
}

async function gathered(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  if (body === null) throw new GatewayError("invalid_request", "the request has no body");
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

type Inflated = (error: Error | null, result: Buffer) => void;
type Inflate = (body: Uint8Array, options: { maxOutputLength: number }, done: Inflated) => void;

const INFLATE: Readonly<Record<string, Inflate>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
  br: brotliDecompress,
  zstd: zstdDecompress,
};

/** One layer of `content-encoding`, inflated to at most `limit` bytes. */
function inflated(headers: Headers, body: Uint8Array, limit: number): Promise<Uint8Array> | Uint8Array {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity") return body;
  const work = Object.hasOwn(INFLATE, encoding) ? INFLATE[encoding] : undefined;
  if (work === undefined) {
    throw new GatewayError("invalid_request", "this content-encoding is not supported; use gzip or zstd");
  }
  return new Promise((resolve, reject) => {
    work(body, { maxOutputLength: limit }, (error, result) => {
      if (error === null) return resolve(result);
      const large = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      const cause = { cause: error };
      reject(
        large ? tooLarge(limit) : new GatewayError("invalid_request", `the body is not ${encoding}`, cause),
      );
    });
  });
}
