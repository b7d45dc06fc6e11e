// What a client sends on a socket: `response.create` is the body of a POST with a few members more, and its input
// may begin where the last answer ended.

import { GatewayError } from "../core/errors.ts";
import {
  elementsAt,
  type Json,
  type Member,
  type Members,
  member,
  scanObject,
  stringAt,
  valueAt,
} from "../core/json.ts";

const encoder = new TextEncoder();
const COMMA = encoder.encode(",");
const BRACKET = 0x5b;
const QUOTE = 0x22;

/** Members that belong to the socket; the POST has others in their place or none. */
const OF_THE_SOCKET = new Set(["type", "stream", "generate"]);

/** A message of the client's, checked as far as the socket has to know it. */
export interface Create {
  readonly bytes: Uint8Array;
  readonly members: Members;
  readonly model: string;
  /** The answer this request goes on from. */
  readonly previous: string | undefined;
  /** False for a request that only shows what will come, to which nothing is to be answered yet. */
  readonly generates: boolean;
  /** What Codex says of the request beside it. */
  readonly metadata: Json | undefined;
  /** The input's items as they stand in the message, without their brackets; undefined when they are not all. */
  readonly input: Uint8Array | undefined;
}

/** @throws GatewayError `invalid_request`, `unsupported_field`. Undefined for a message that wants no answer. */
export function readMessage(text: string): Create | undefined {
  const bytes = encoder.encode(text);
  const members = scanObject(bytes);
  const type = memberValue(bytes, members, "type");
  // Codex may say when it has taken an answer in.
  if (type === "response.processed") return undefined;
  if (type !== "response.create") {
    throw new GatewayError("invalid_request", "`type` must be response.create", { param: "type" });
  }
  if ((memberValue(bytes, members, "stream_id") ?? null) !== null) {
    throw new GatewayError("unsupported_field", "one socket carries one conversation: `stream_id`", {
      param: "stream_id",
    });
  }
  const model = memberValue(bytes, members, "model");
  const previous = memberValue(bytes, members, "previous_response_id");
  return {
    bytes,
    members,
    model: typeof model === "string" ? model : "",
    previous: typeof previous === "string" ? previous : undefined,
    generates: memberValue(bytes, members, "generate") !== false,
    metadata: memberValue(bytes, members, "client_metadata"),
    // What a stored conversation holds besides is its upstream's own.
    input: hasConversation(bytes, members) ? undefined : itemsOf(bytes, member(members, "input")),
  };
}

/** The POST's body: the client's own bytes, without what is the socket's, and with `input` in its place if given. */
export function bodyOf({ bytes, members }: Create, input: Uint8Array | undefined): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const { key, start, end } of members.list) {
    if (OF_THE_SOCKET.has(key)) continue;
    if (input !== undefined && (key === "input" || key === "previous_response_id")) continue;
    pieces.push(joined([encoder.encode(`${JSON.stringify(key)}:`), bytes.subarray(start, end)]));
  }
  if (input !== undefined) pieces.push(joined([encoder.encode('"input":['), input, encoder.encode("]")]));
  pieces.push(encoder.encode('"stream":true'));
  return joined([encoder.encode("{"), listed(pieces), encoder.encode("}")]);
}

/** Items one behind the other, as they stand between the brackets of a list. */
export function listed(pieces: readonly Uint8Array[]): Uint8Array {
  const full = pieces.filter((piece) => piece.length > 0);
  return joined(full.flatMap((piece, index) => (index === 0 ? [piece] : [COMMA, piece])));
}

/** How an upstream finds the place again where it has worked on a turn. Good for one turn only. */
export const TURN_STATE = "x-codex-turn-state";

/**
 * The headers with which a socket's requests go on. Those that speak of the connection or of one request are left
 * out; what Codex tells anew with each request stands in its metadata.
 */
export function headersOf(upgrade: Headers, metadata: Json | undefined): Headers {
  const headers = new Headers({ "content-type": "application/json" });
  upgrade.forEach((value, name) => {
    if (ofOneRequest(name)) return;
    const fresh = name.startsWith("x-codex-") ? stringAt(metadata, name) : undefined;
    headers.set(name, isPlain(fresh) ? fresh : value);
  });
  const betas = (headers.get("openai-beta") ?? "").split(",").map((beta) => beta.trim());
  const kept = betas.filter((beta) => beta !== "" && !beta.startsWith("responses_websockets="));
  if (kept.length > 0) headers.set("openai-beta", kept.join(","));
  else headers.delete("openai-beta");
  return headers;
}

const ONCE = new Set([
  "connection",
  "upgrade",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "idempotency-key",
  TURN_STATE,
]);

function ofOneRequest(name: string): boolean {
  return ONCE.has(name) || name.startsWith("sec-websocket-");
}

/** Whether a text may be a header's value. */
function isPlain(text: string | undefined): text is string {
  return text !== undefined && /^[\x20-\x7e]+$/.test(text);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces);
}

function memberValue(bytes: Uint8Array, members: Members, key: string): Json | undefined {
  const found = member(members, key);
  return found === undefined ? undefined : valueAt(bytes, found);
}

function hasConversation(bytes: Uint8Array, members: Members): boolean {
  return (memberValue(bytes, members, "conversation") ?? null) !== null;
}

/** A text is short for one message of the user's. */
function itemsOf(bytes: Uint8Array, input: Member | undefined): Uint8Array | undefined {
  if (input === undefined) return new Uint8Array(0);
  const value = bytes.subarray(input.start, input.end);
  if (value[0] === QUOTE) {
    return joined([encoder.encode('{"type":"message","role":"user","content":'), value, encoder.encode("}")]);
  }
  if (value[0] !== BRACKET) return undefined;
  return elementsAt(bytes, input.start).next().done === true ? new Uint8Array(0) : value.subarray(1, -1);
}
