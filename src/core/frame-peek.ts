// Looks into a frame's bytes without decoding them: a relay asks of every frame of every stream what it is,
// and nearly all of them have the plain shape `event: NAME`, `data: {"type":"NAME",…}`, blank line.

import { parseObject, stringAt } from "./json.ts";
import type { SseFrame } from "./sse.ts";

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const EVENT = bytesOf("event:");
const DATA = bytesOf("data:");
const NULL = bytesOf(":null");
const FIRST_TYPE = bytesOf('{"type":"');

/** Text to look for in frames, prepared once. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function startsAt(bytes: Uint8Array, prefix: Uint8Array, at: number): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}

function skipSpace(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0x20 ? at + 1 : at;
}

/** Where the value of the only data line begins, in a frame of LF lines that holds `event` and `data` at most. */
function plainData(bytes: Uint8Array): { readonly name: string; readonly data: number } | undefined {
  let at = 0;
  let name = "";
  if (startsAt(bytes, EVENT, 0)) {
    const end = bytes.indexOf(LF);
    if (end < 0) return undefined;
    name = decoder.decode(bytes.subarray(skipSpace(bytes, EVENT.length), end));
    at = end + 1;
  }
  if (!startsAt(bytes, DATA, at)) return undefined;
  // Another line after the data line would be at least two bytes longer than the blank one.
  const end = bytes.indexOf(LF, at);
  if (end < 0 || bytes.length > end + 2 || bytes.includes(CR)) return undefined;
  return { name, data: skipSpace(bytes, at + DATA.length) };
}

/** What the frame says it is: its `event:` field, or "" and the `type` member of its data. */
export interface FrameLabel {
  readonly name: string;
  readonly type: string | undefined;
}

/**
 * The label of a frame; undefined for one that dispatches nothing. `type` is read only where `known` does not
 * hold for the name, because finding it may mean parsing the data.
 */
export function labelOf(frame: SseFrame, known: (name: string) => boolean): FrameLabel | undefined {
  const plain = plainData(frame.bytes);
  if (plain === undefined) {
    if (frame.data === undefined) return undefined;
    return { name: frame.name, type: known(frame.name) ? undefined : parsedType(frame.data) };
  }
  if (known(plain.name)) return { name: plain.name, type: undefined };
  return { name: plain.name, type: firstType(frame.bytes, plain.data) ?? parsedType(frame.data ?? "") };
}

/** The value of `type` where it is the object's first member and needs no unescaping. */
function firstType(bytes: Uint8Array, at: number): string | undefined {
  if (!startsAt(bytes, FIRST_TYPE, at)) return undefined;
  const start = at + FIRST_TYPE.length;
  const end = bytes.indexOf(QUOTE, start);
  const value = bytes.subarray(start, end);
  return end < 0 || value.includes(BACKSLASH) ? undefined : decoder.decode(value);
}

function parsedType(data: string): string | undefined {
  return stringAt(parseObject(data), "type");
}

/** A member name to look for. It cannot occur inside a JSON string: there its quotes are escaped. */
export function memberName(name: string): Uint8Array {
  return bytesOf(JSON.stringify(name));
}

/** Whether some member of that name, at any depth, may hold more than null; only plain `:null` says no. */
export function mayHold(frame: SseFrame, member: Uint8Array): boolean {
  const { bytes } = frame;
  for (let at = indexIn(bytes, member, 0); at >= 0; at = indexIn(bytes, member, at + 1))
    if (!startsAt(bytes, NULL, at + member.length)) return true;
  return false;
}

/** Where the text occurs next, from `from` on; -1 when it does not. */
export function indexIn(bytes: Uint8Array, text: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text, from);
}
