// The reader of event streams beside the standard's own words, on recorded streams after accidents, on lines of the
// grammar in any order, and on noise; cut anywhere. What it does otherwise on purpose:
// - it gives frames with their bytes, comments and blank lines included; here only those that dispatch are compared;
// - ids and reconnection times are the client's business, and not read;
// - a last event that lacks only its blank line counts at a clean end, as many servers forget it (`end`).
import { labelOf } from "../../src/core/frame-peek.ts";
import { parseObject, stringAt } from "../../src/core/json.ts";
import { SseReader, type SseFrame } from "../../src/core/sse.ts";
import { PROTOCOLS, sampleStream, STREAM_NAMES } from "../support/samples.ts";
import { damaged, Dice } from "./dice.ts";
import { Wrong, type Target } from "./target.ts";
import { interpret } from "./whatwg.ts";

const RECORDED = PROTOCOLS.flatMap((protocol) => STREAM_NAMES.map((name) => sampleStream(protocol, name)));
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const ENDS = ["\n", "\r\n", "\r"];
const LINES = [
  "data",
  "data:",
  "data: ",
  "data:x",
  "data:  x",
  "data: a:b",
  'data: {"type":"ping"}',
  'data: {"type":"a\\u0062"}',
  'data: {"k":1,"type":"late"}',
  "data: [DONE]",
  "data: é😀",
  "Data: x",
  " data: x",
  "dara: x",
  "event",
  "event:",
  "event: message_stop",
  "event:  two",
  "events: x",
  "id",
  "id: 1",
  "id: \0",
  "retry: 5",
  "retry: x",
  ":",
  ": ping",
  ":data: x",
  "unknown: x",
  "unknown",
  "",
  "",
  "",
];
const CRUMBS = [
  ...[...ENDS, "\n\n", "\r\r", "\r\n\r\n", "\n\r", "\0", ":", " ", "data", "event:"].map((text) =>
    Buffer.from(text),
  ),
  ...LINES.map((line) => Buffer.from(`\n${line}\n`)),
  BOM,
  Buffer.concat([Buffer.from("\n\n"), BOM]),
  Buffer.concat([BOM, BOM]),
  Buffer.from([0xc3]),
  Buffer.from([0xf0, 0x9f]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xff]),
];
const WINDOW = 1_500;
/** Noise of bytes that mean something. */
const ALPHABET = Buffer.concat([Buffer.from("\n\n\r\r:: datevn\0"), BOM, Buffer.from([0xc3, 0xff])]);

function inputOf(dice: Dice): Buffer {
  const kind = dice.below(10);
  if (kind < 6) {
    const whole = dice.pick(RECORDED);
    const from = dice.percent(50) ? 0 : dice.below(whole.length);
    const part = Buffer.from(whole.subarray(from, from + dice.below(WINDOW)));
    const lines = dice.percent(60) ? part : Buffer.from(part.toString().replaceAll("\n", dice.pick(ENDS)));
    return damaged(dice, lines, dice.below(7), CRUMBS);
  }
  if (kind < 9) {
    const text = dice.some(12, () => dice.pick(LINES) + dice.pick(ENDS)).join("");
    const bytes = Buffer.from(text);
    return damaged(dice, dice.percent(20) ? Buffer.concat([BOM, bytes]) : bytes, dice.below(3), CRUMBS);
  }
  return Buffer.from(dice.some(80, () => ALPHABET[dice.below(ALPHABET.length)] ?? 0));
}

/** The bytes in pieces, each in memory of its own, as reads give them. */
function pieces(dice: Dice, bytes: Buffer): Buffer[] {
  if (dice.percent(5)) return [...bytes].map((byte) => Buffer.from([byte]));
  const places = dice.some(6, () => dice.below(bytes.length + 1)).toSorted((a, b) => a - b);
  return [...places, bytes.length].map((to, index) => bytes.subarray(places[index - 1] ?? 0, to));
}

export interface Read {
  readonly frames: readonly SseFrame[];
  readonly last: SseFrame | undefined;
  readonly pending: number;
}

export function read(parts: readonly Uint8Array[]): Read {
  const reader = new SseReader();
  const frames = parts.flatMap((part) => reader.push(part));
  const { pending } = reader;
  return { frames, last: reader.end(), pending };
}

export function eventsOf(frames: readonly SseFrame[]): string[] {
  return frames.flatMap(({ name, data }) => (data === undefined ? [] : [JSON.stringify([name, data])]));
}

function literally(bytes: Uint8Array): string[] {
  return interpret(bytes).events.map(({ type, data }) => JSON.stringify([type, data]));
}

function compare(what: string, ours: readonly unknown[], theirs: readonly unknown[]): void {
  if (Bun.deepEquals(ours, theirs)) return;
  throw new Wrong(`${what}: ${JSON.stringify(ours)} instead of ${JSON.stringify(theirs)}`);
}

/** @throws when the reader makes something else of these bytes than the standard, or loses one of them */
export function checkStream(bytes: Buffer, parts: readonly Uint8Array[]): void {
  const { frames, last, pending } = read(parts);
  const source = JSON.stringify(bytes.toString("latin1"));
  compare(`events of ${source}`, eventsOf(frames), literally(bytes));
  const ending = bytes.at(-1) === 0x0d ? "\r" : "\n";
  const closed = last === undefined ? bytes : Buffer.concat([bytes, Buffer.from(ending)]);
  const all = last === undefined ? frames : [...frames, last];
  compare(`events at the end of ${source}`, eventsOf(all), literally(closed));
  const passed = Buffer.concat(frames.map((frame) => frame.bytes));
  if (!passed.equals(bytes.subarray(0, bytes.length - pending)))
    throw new Wrong(`bytes of ${source} changed`);
  for (const frame of all) checkPeeks(frame);
}

/** What is said of a frame without reading all of it is what reading it says. */
function checkPeeks(frame: SseFrame): void {
  const { name, data } = frame;
  const source = JSON.stringify(Buffer.from(frame.bytes).toString("latin1"));
  if (frame.isEvent !== (data !== undefined)) throw new Wrong(`isEvent is ${frame.isEvent} for ${source}`);
  const label = labelOf(frame, () => false);
  if (data === undefined) return compare(`label of ${source}`, [label], [undefined]);
  // Of what is no JSON, or names its type twice, the first type may be told: nobody will make sense of it anyway.
  const object = parseObject(data);
  const type = stringAt(object, "type");
  const isPlain = object !== undefined && data.split('"type"').length <= 2;
  compare(`label of ${source}`, [label?.name, isPlain ? label?.type : type], [name, type]);
}

export const sse: Target = {
  name: "sse",
  inputs: 1_000_000,
  short: 10_000,
  open: () => ({
    play(seed) {
      const dice = new Dice(seed);
      const bytes = inputOf(dice);
      checkStream(bytes, pieces(dice, bytes));
    },
  }),
};
