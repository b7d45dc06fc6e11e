// The readers of what comes from outside, each beside something that is known to be right.
import { GatewayError } from "../../src/core/errors.ts";
import {
  fillIn,
  type JsonObject,
  member,
  parseJson,
  scanObject,
  splice,
  valueAt,
} from "../../src/core/json.ts";
import { clampWait, goDurationMs, instantMs, retryAfterMs } from "../../src/core/limits.ts";
import type { Random } from "../../src/core/ports.ts";
import { SseReader } from "../../src/core/sse.ts";
import { PROTOCOLS, REQUEST_NAMES, sampleRequest, sampleStream, STREAM_NAMES } from "../support/samples.ts";
import { below, mutant, oneOf, type Target } from "./target.ts";
import { literal } from "./whatwg.ts";

const STREAMS = PROTOCOLS.flatMap((protocol) => STREAM_NAMES.map((name) => sampleStream(protocol, name)));
const LINES = [
  "data: a",
  "data:b",
  "data",
  "data:  c",
  "event: x",
  "event:",
  ": no",
  "id: 1",
  "retry: 5",
  "dat: a",
  "datas: a",
  "data : a",
  "",
  "é",
  "data: {}\0",
];

/** A recorded stream with some damage, a part of one, or lines by the grammar. */
function streamBytes(chance: Random): Buffer {
  if (chance() < 0.5) {
    const stream = oneOf(chance, STREAMS);
    const at = below(chance, stream.length);
    return mutant(chance, stream.subarray(at, at + below(chance, 1_500)));
  }
  const lines = Array.from(
    { length: below(chance, 20) },
    () => oneOf(chance, LINES) + oneOf(chance, ["\n", "\r\n", "\r"]),
  );
  return mutant(chance, Buffer.from((chance() < 0.2 ? "\ufeff" : "") + lines.join("")));
}

interface Parted {
  readonly bytes: Buffer;
  readonly places: readonly number[];
}

const sse: Target<Parted> = {
  name: "event streams",
  short: 5_000,
  make(chance) {
    const bytes = streamBytes(chance);
    const places = Array.from({ length: below(chance, 6) }, () => below(chance, bytes.length + 1));
    return { bytes, places: places.toSorted((a, b) => a - b) };
  },
  check({ bytes, places }) {
    const reader = new SseReader();
    const pieces = [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
    const frames = pieces.flatMap((piece) => reader.push(piece));
    const said = frames.flatMap((frame) => (frame.data === undefined ? [] : [[frame.name, frame.data]]));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    // A byte order mark is skipped wherever a frame begins; the standard knows it at the stream's beginning only.
    const due = text.indexOf("\ufeff", 1) > 0 ? said : literal(text);
    if (JSON.stringify(said) !== JSON.stringify(due))
      return `${JSON.stringify(said)} instead of ${JSON.stringify(due)}`;
    const passed = Buffer.concat(frames.map((frame) => frame.bytes));
    const kept = bytes.subarray(0, bytes.length - reader.pending);
    return passed.equals(kept) ? undefined : "bytes are not passed as they came";
  },
  show: ({ bytes, places }) => `${JSON.stringify(bytes.toString("latin1"))} parted at ${places.join()}`,
};

const NUMBERS = [
  "0",
  "1",
  "59",
  "3600",
  "0.5",
  "-1",
  "+1",
  "1e3",
  "NaN",
  "Infinity",
  "",
  " ",
  "5s",
  "0x10",
  "٣",
  "9".repeat(400),
  "1.5.2",
  "1,5",
  "00012",
];
const DATES = [
  "Mon, 23 Nov 2026 10:00:30 GMT",
  "Monday, 23-Nov-26 10:00:30 GMT",
  "Mon Nov 23 10:00:30 2026",
  "Mon, 99 Foo 2026",
  "2026-11-23T10:00:30Z",
  "Mon",
  "Fri, 31 Dec 9999 23:59:59 GMT",
  "Thu, 01 Jan 1970 00:00:00 GMT",
];
const DURATIONS = [
  "6m0s",
  "20ms",
  "1h2m3.5s",
  "1s",
  "-1s",
  "1",
  "s",
  "1d",
  "1s1",
  "99999999h",
  "1.5.5s",
  "0s",
];
const NOW = Date.parse("2026-11-23T10:00:00Z");
const MAX_MS = 8 * 24 * 3_600_000;
const SAFE = /^[\t\x20-\x7e\x80-\xff]*$/;

type Hints = Readonly<Record<string, string>>;

/** The order of the hints, word for word. */
function dueWait(hints: Hints): number | undefined {
  const clamp = (ms: number): number | undefined =>
    Number.isFinite(ms) ? Math.min(MAX_MS, Math.max(1_000, ms)) : undefined;
  const plain = /^\d+(\.\d+)?$/;
  const ms = hints["retry-after-ms"]?.trim();
  if (ms !== undefined && plain.test(ms)) return clamp(Number(ms));
  const after = hints["retry-after"]?.trim() ?? "";
  if (plain.test(after)) return clamp(Number(after) * 1_000);
  const date = (text: string): number => {
    const known = DATES.indexOf(text);
    return known >= 0 && known < 3
      ? NOW + 30_000
      : known === 6
        ? 253_402_300_799_000
        : known === 7
          ? 0
          : Number.NaN;
  };
  const at = date(after);
  if (Number.isNaN(at)) return undefined;
  const theirs = date(hints["date"] ?? "");
  return clamp(at - (Number.isNaN(theirs) ? NOW : theirs));
}

const waits: Target<Hints> = {
  name: "hints when to come back",
  short: 5_000,
  make(chance) {
    const hints: Record<string, string> = {};
    const values = [...NUMBERS, ...DATES, ...DURATIONS];
    for (const name of [
      "retry-after-ms",
      "retry-after",
      "date",
      "x-ratelimit-reset-tokens",
      "anthropic-ratelimit-unified-reset",
    ]) {
      if (chance() < 0.4) continue;
      const value = oneOf(chance, values);
      const text =
        name === "date" || chance() < 0.8 ? value : mutant(chance, Buffer.from(value)).toString("latin1");
      if (SAFE.test(text)) hints[name] = text;
    }
    return hints;
  },
  check(hints) {
    const headers = new Headers();
    for (const [name, value] of Object.entries(hints))
      headers.set(name, Buffer.from(value, "utf8").toString("latin1"));
    const wait = retryAfterMs(headers, NOW);
    const isPlain = Object.values(hints).every((value) =>
      [...NUMBERS, ...DATES, ...DURATIONS].includes(value),
    );
    if (isPlain && wait !== dueWait(hints)) return `${wait} instead of ${dueWait(hints)}`;
    const reset = instantMs(headers.get("anthropic-ratelimit-unified-reset"));
    const duration = goDurationMs(headers.get("x-ratelimit-reset-tokens") ?? "");
    for (const each of [wait, clampWait(duration), clampWait(reset === undefined ? undefined : reset - NOW)])
      if (each !== undefined && !(each >= 1_000 && each <= MAX_MS)) return `${each} ms to wait`;
    return undefined;
  },
  show: (hints) => JSON.stringify(hints),
};

const BODIES = REQUEST_NAMES.map((name) =>
  Buffer.from(JSON.stringify(sampleRequest(name).body)).subarray(0, 3_000),
);
const VALUES = [
  "1",
  "-0",
  "1.0E+02",
  "12345678901234567890123",
  "true",
  "null",
  '"\\ud83d"',
  '"\\u0041\\/é"',
  "[]",
  "{}",
  '[1,[2,{"a":[]}]]',
  '{"__proto__":1}',
  `"${"long ".repeat(40)}\\n"`,
  '"\x01"',
  "01",
  "1.",
  ".5",
  "+1",
  "tru",
  "'a'",
  "[1,]",
  '{"a"}',
  '{"a":1,}',
  '"\\x"',
  '"\\u12"',
  "NaN",
  `${"[".repeat(130)}${"]".repeat(130)}`,
];

function objectText(chance: Random): string {
  const space = (): string => oneOf(chance, ["", "", " ", "\n", "\t\r\n "]);
  const members = Array.from({ length: below(chance, 6) }, () => {
    const key = oneOf(chance, [
      "model",
      "stream",
      "a",
      "metadata",
      "\\u006dodel",
      "é",
      "__proto__",
      "constructor",
    ]);
    return `${space()}"${key}"${space()}:${space()}${oneOf(chance, VALUES)}${space()}`;
  });
  return `${space()}{${members.join(",")}${members.length === 0 ? space() : ""}}${space()}`;
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const json: Target<Buffer> = {
  name: "JSON bodies",
  short: 5_000,
  make: (chance) =>
    chance() < 0.3
      ? mutant(chance, oneOf(chance, BODIES))
      : chance() < 0.6
        ? Buffer.from(objectText(chance))
        : mutant(chance, Buffer.from(objectText(chance))),
  check(bytes) {
    const text = bytes.toString("utf8");
    // Bytes that are no UTF-8 are read as if they were replaced.
    const value = parseJson(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const isDeep = text.replaceAll(/[ \t\r\n]/g, "").includes("[".repeat(128));
    const isDue = isObject && !isDeep && depthOf(value) <= 128;
    let members;
    try {
      members = scanObject(bytes);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return isDue && !text.startsWith("\ufeff") ? `refused: ${error.message}` : undefined;
    }
    // Inside a long string nothing is looked at until somebody reads it.
    if (!isObject) return /"(?:[^"\\]|\\.){100,}/s.test(text) ? undefined : "taken, and it is no object";
    if (!isDue) return "taken, and it is too deep";
    for (const name of ["model", "a", "metadata"]) {
      const found = member(members, name);
      const read = found === undefined ? undefined : valueAt(bytes, found);
      if (JSON.stringify(read) !== JSON.stringify((value as JsonObject)[name]))
        return `${name} is read as ${JSON.stringify(read)}`;
    }
    return undefined;
  },
  show: (bytes) => JSON.stringify(bytes.toString("latin1")),
};

const FILLS: readonly JsonObject[] = [
  { added: 1 },
  { metadata: { x: [1] } },
  { a: { b: { c: null } }, model: "kept" },
  {},
];

interface Filled {
  readonly bytes: Buffer;
  readonly fill: JsonObject;
}

function filled(value: JsonObject, fill: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...value };
  for (const [key, more] of Object.entries(fill)) {
    const own = Object.hasOwn(value, key) ? value[key] : undefined;
    const both = [own, more].every(
      (each) => typeof each === "object" && each !== null && !Array.isArray(each),
    );
    if (!Object.hasOwn(value, key)) result[key] = more;
    else if (both) result[key] = filled(own as JsonObject, more as JsonObject);
  }
  return result as JsonObject;
}

const splices: Target<Filled> = {
  name: "edits of JSON bodies",
  short: 3_000,
  make: (chance) => ({ bytes: Buffer.from(objectText(chance)), fill: oneOf(chance, FILLS) }),
  check({ bytes, fill }) {
    const value = parseJson(bytes.toString("utf8"));
    if (typeof value !== "object" || value === null || bytes.includes("[".repeat(128))) return undefined;
    const members = scanObject(bytes);
    const keys = members.list.map(({ key }) => key);
    if (new Set(keys).size < keys.length) return undefined;
    const edited = Buffer.from(splice(bytes, fillIn(bytes, members, fill)));
    const due = filled(value as JsonObject, fill);
    if (!Bun.deepEquals(parseJson(edited.toString("utf8")), due, true))
      return `became ${edited.toString("utf8")}`;
    // What was there is still there, byte for byte and in order.
    let at = 0;
    for (const byte of bytes) {
      at = edited.indexOf(byte, at) + 1;
      if (at === 0) return "bytes are lost";
    }
    return undefined;
  },
  show: ({ bytes, fill }) => `${bytes.toString("utf8")} with ${JSON.stringify(fill)}`,
};

/** A target whose inputs are nobody else's business. */
type Any = Target<never>;

export const TARGETS: readonly Any[] = [sse, waits, json, splices] as unknown as readonly Any[];
