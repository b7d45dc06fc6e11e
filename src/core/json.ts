// The only checked reads and byte splices of JSON. Request bodies are scanned where they lie and edited in
// place, because re-serialising changes big integers, escapes and key order, and with them prompt caches.

import { GatewayError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json | undefined };

/** One member of an object: offsets into the scanned bytes; `start`/`end` span the value. */
export interface Member {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** An object's span `[start, end)` including its braces, and its members in order. */
export interface Members {
  readonly start: number;
  readonly end: number;
  readonly list: readonly Member[];
}

const MAX_DEPTH = 128;

/** So far a string is checked byte by byte; of a longer one only the end is looked for, and upstream checks the rest. */
const STRICT_BYTES = 128;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Escapes that may follow a backslash, besides `u` (RFC 8259 §7). */
const SHORT_ESCAPES = new Set([...'"\\/bfnrt'].map((c) => c.charCodeAt(0)));

function bad(what: string, at: number): GatewayError {
  return new GatewayError("invalid_request", `the body is not valid JSON: ${what} at byte ${at}`);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

/** A strict RFC 8259 reader that builds nothing: it checks, and remembers where members lie. */
class Scanner {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  space(): number | undefined {
    const { bytes } = this;
    let byte = bytes[this.at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.at];
    return byte;
  }

  value(depth: number): void {
    const byte = this.space();
    if (byte === QUOTE) this.string();
    else if (byte === 0x7b) this.object(depth, undefined);
    else if (byte === 0x5b) this.array(depth);
    else if (byte === 0x74) this.word("true");
    else if (byte === 0x66) this.word("false");
    else if (byte === 0x6e) this.word("null");
    else this.number();
  }

  object(depth: number, members: Member[] | undefined): void {
    this.enter(depth);
    if (this.space() === 0x7d) return void this.at++;
    for (;;) {
      if (this.space() !== QUOTE) throw bad("a member name was expected", this.at);
      const keyStart = this.at;
      this.string();
      const keyEnd = this.at;
      if (this.space() !== 0x3a) throw bad("a colon was expected", this.at);
      this.at++;
      this.space();
      const start = this.at;
      this.value(depth + 1);
      members?.push({ key: this.key(keyStart, keyEnd), start, end: this.at });
      if (this.next(0x7d)) return;
    }
  }

  array(depth: number): void {
    this.enter(depth);
    if (this.space() === 0x5d) return void this.at++;
    for (;;) {
      this.value(depth + 1);
      if (this.next(0x5d)) return;
    }
  }

  private enter(depth: number): void {
    if (depth > MAX_DEPTH)
      throw new GatewayError("invalid_request", `the body is nested deeper than ${MAX_DEPTH}`);
    this.at++;
  }

  /** After a value: true at the closing byte, false after a comma. */
  next(closing: number): boolean {
    const byte = this.space();
    if (byte !== closing && byte !== 0x2c) throw bad("a comma or a closing bracket was expected", this.at);
    this.at++;
    return byte === closing;
  }

  string(): void {
    const { bytes } = this;
    const patience = this.at + STRICT_BYTES;
    let at = this.at + 1;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) throw bad("a string without end", this.at);
      if (byte === QUOTE) break;
      if (byte < 0x20) throw bad("a raw control character in a string", at);
      at = byte === BACKSLASH ? this.escape(at + 1) : at + 1;
      if (at > patience) {
        at = this.hop(at);
        break;
      }
    }
    this.at = at + 1;
  }

  /** The closing quote of a long string, by the platform's own search: a byte loop over a prompt costs more than sending it. */
  private hop(from: number): number {
    const { bytes } = this;
    for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
      let escapes = 0;
      while (at - escapes > from && bytes[at - escapes - 1] === BACKSLASH) escapes++;
      if (escapes % 2 === 0) return at;
    }
    throw bad("a string without end", this.at);
  }

  private escape(at: number): number {
    const byte = this.bytes[at];
    if (byte === 0x75) {
      for (let i = 1; i <= 4; i++) if (!isHex(this.bytes[at + i])) throw bad("a broken \\u escape", at);
      return at + 5;
    }
    if (byte === undefined || !SHORT_ESCAPES.has(byte)) throw bad("an unknown escape", at);
    return at + 1;
  }

  private key(start: number, end: number): string {
    const text = textOf(this.bytes, { start, end });
    return text.includes("\\") ? String(parseJson(text) ?? text) : text.slice(1, -1);
  }

  private word(word: string): void {
    for (let i = 0; i < word.length; i++)
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw bad("an unknown word", this.at);
    this.at += word.length;
  }

  private digits(): void {
    if (!isDigit(this.bytes[this.at])) throw bad("a value was expected", this.at);
    while (isDigit(this.bytes[this.at])) this.at++;
  }

  private number(): void {
    const { bytes } = this;
    if (bytes[this.at] === 0x2d) this.at++;
    if (bytes[this.at] === 0x30) this.at++;
    else this.digits();
    if (bytes[this.at] === 0x2e) {
      this.at++;
      this.digits();
    }
    const exponent = bytes[this.at];
    if (exponent === 0x65 || exponent === 0x45) {
      this.at++;
      if (bytes[this.at] === 0x2b || bytes[this.at] === 0x2d) this.at++;
      this.digits();
    }
  }
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Checks that `bytes` are one JSON object, nested at most 128 deep, and says where its members lie.
 * @throws GatewayError `invalid_request`
 */
export function scanObject(bytes: Uint8Array): Members {
  const scanner = new Scanner(bytes);
  if (scanner.space() !== 0x7b) throw bad("an object was expected", scanner.at);
  const start = scanner.at;
  const list: Member[] = [];
  scanner.object(1, list);
  const end = scanner.at;
  if (scanner.space() !== undefined) throw bad("something follows the object", scanner.at);
  return { start, end, list };
}

/** The members of the object that begins at `start`, in bytes that `scanObject` has checked before. */
export function membersAt(bytes: Uint8Array, start: number): Members | undefined {
  if (bytes[start] !== 0x7b) return undefined;
  const scanner = new Scanner(bytes);
  scanner.at = start;
  const list: Member[] = [];
  scanner.object(1, list);
  return { start, end: scanner.at, list };
}

/** The spans of the elements of the array that begins at `start`, in checked bytes, as they are asked for. */
export function* elementsAt(bytes: Uint8Array, start: number): Generator<Span> {
  if (bytes[start] !== 0x5b) return;
  const scanner = new Scanner(bytes);
  scanner.at = start + 1;
  if (scanner.space() === 0x5d) return;
  do {
    scanner.space();
    const from = scanner.at;
    scanner.value(1);
    yield { start: from, end: scanner.at };
  } while (!scanner.next(0x5d));
}

/** The member of that name; the last one when the body repeats it, as JSON.parse would read it. */
export function member(members: Members, key: string): Member | undefined {
  return members.list.findLast((each) => each.key === key);
}

/** The JSON text of a span, parsed. @throws GatewayError `invalid_request` */
export function valueAt(bytes: Uint8Array, span: Span): Json {
  const value = parseJson(textOf(bytes, span));
  // The inside of a long string has not been looked at before.
  if (value === undefined)
    throw bad("a string with a raw control character or an unknown escape", span.start);
  return value;
}

export function textOf(bytes: Uint8Array, { start, end }: Span): string {
  return decoder.decode(bytes.subarray(start, end));
}

export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A copy of `bytes` with each span replaced by its text; spans must not overlap. */
export function splice(bytes: Uint8Array, splices: readonly Splice[]): Uint8Array {
  if (splices.length === 0) return bytes;
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const each of splices.toSorted((a, b) => a.start - b.start)) {
    pieces.push(bytes.subarray(from, each.start), encoder.encode(each.text));
    from = each.end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/**
 * The splices that put `extra` into an object without touching what is there: a missing member is added
 * behind the last one, an object member is filled in the same way, anything else stays.
 */
export function fillIn(bytes: Uint8Array, members: Members, extra: JsonObject): Splice[] {
  const splices: Splice[] = [];
  const added: string[] = [];
  for (const [key, value] of Object.entries(extra)) {
    if (value === undefined) continue;
    const present = member(members, key);
    if (present === undefined) added.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
    else if (isObject(value)) {
      const inner = membersAt(bytes, present.start);
      if (inner !== undefined) splices.push(...fillIn(bytes, inner, value));
    }
  }
  if (added.length > 0) {
    const at = members.end - 1;
    const text = (members.list.length > 0 ? "," : "") + added.join(",");
    splices.push({ start: at, end: at, text });
  }
  return splices;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses text that came from outside; undefined when it is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseObject(text: string): JsonObject | undefined {
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

/** What the engine knows of JSON and the library's types do not yet: a value's own text, read and written. */
interface ExactJson {
  parse(text: string, revive: (key: string, value: Json, own: { readonly source?: string }) => Json): Json;
  rawJSON(text: string): Json;
}

const exactJson = JSON as unknown as ExactJson;

/**
 * An object that is only written again: its numbers keep the digits they came with, which as numbers they lose
 * beyond 2^53, as `1.0` loses its point. Not for reading: such a number is none to the readers below.
 */
export function parseExactly(text: string): JsonObject | undefined {
  try {
    const value = exactJson.parse(text, (_key, each, { source }) => {
      const changes = typeof each === "number" && source !== undefined && String(each) !== source;
      return changes ? exactJson.rawJSON(source) : each;
    });
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function objectAt(value: Json | undefined, key: string): JsonObject | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : undefined;
}

export function arrayAt(value: Json | undefined, key: string): readonly Json[] | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return Array.isArray(inner) ? inner : undefined;
}

export function stringAt(value: Json | undefined, key: string): string | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return typeof inner === "string" ? inner : undefined;
}

/** A finite number at `key`. */
export function numberAt(value: Json | undefined, key: string): number | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return typeof inner === "number" && Number.isFinite(inner) ? inner : undefined;
}

export function booleanAt(value: Json | undefined, key: string): boolean | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return typeof inner === "boolean" ? inner : undefined;
}
