import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeSse, type SseFrame, SseReader } from "./sse.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function frames(chunks: readonly Uint8Array[]): SseFrame[] {
  const reader = new SseReader();
  const all = chunks.flatMap((chunk) => reader.push(chunk));
  const last = reader.end();
  return last === undefined ? all : [...all, last];
}

const said = (list: readonly SseFrame[]): unknown[] =>
  list.filter((frame) => frame.data !== undefined).map((frame) => [frame.name, frame.data]);

/** The literal WHATWG reading of a whole stream (HTML §9.2.6), for comparison. */
function literal(text: string): unknown[] {
  const events: unknown[] = [];
  let name = "";
  let data: string[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push([name, data.join("\n")]);
      name = "";
      data = [];
      continue;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") name = value ?? "";
    if (field === "data") data.push(value ?? "");
  }
  return events;
}

const line = fc.constantFrom(
  "data: a",
  "data:b",
  "data",
  "event: x",
  "event:",
  ": comment",
  "id: 1",
  'data: {"k":"é"}',
  "",
  "retry: 5",
  "dat",
  "dara: x",
);
const ending = fc.constantFrom("\n", "\r\n", "\r");
const stream = fc.array(fc.tuple(line, ending), { maxLength: 30 }).map((parts) => parts.flat().join(""));

/** Cuts bytes at the given places. */
function cut(data: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((each) => each % (data.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => data.subarray(from, places[i] ?? data.length));
}

describe("the reader", () => {
  test("reads what a literal WHATWG reader reads, however the bytes are cut", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (text, places) => {
        const whole = `${text}\n\n`;
        expect(said(frames(cut(bytes(whole), places)))).toEqual(literal(whole));
      }),
      { numRuns: 5_000 },
    );
  });

  test("keeps every byte of complete frames, in order", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (text, places) => {
        const whole = bytes(`${text}\n\n`);
        const reader = new SseReader();
        const passed = cut(whole, places)
          .flatMap((chunk) => reader.push(chunk))
          .map((frame) => Buffer.from(frame.bytes));
        expect(Buffer.concat(passed).toString()).toBe(
          Buffer.from(whole.subarray(0, whole.length - reader.pending)).toString(),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("knows an event from what dispatches nothing", () => {
    fc.assert(
      fc.property(stream, (text) => {
        for (const frame of frames([bytes(`${text}\n\n`)]))
          expect(frame.isEvent).toBe(frame.data !== undefined);
      }),
      { numRuns: 3_000 },
    );
  });

  test("gives nothing of an unfinished event", () => {
    const reader = new SseReader();
    expect(reader.push(bytes('event: message_stop\ndata: {"type":"message_st'))).toEqual([]);
    expect(reader.end()).toBeUndefined();
  });

  test("takes whole lines without their blank line at the end of the stream", () => {
    expect(said(frames([bytes("data: [DONE]\n")]))).toEqual([["", "[DONE]"]]);
  });

  test.each([
    ["in one piece", []],
    ["parted within the blank line", [10]],
  ])("skips a byte order mark before a stream, not within it, %s", (_how, places) => {
    const text = "\ufeffdata: a\r\n\r\n\ufeffdata: b\r\n\r\ndata: c\r\n\r\n";
    expect(said(frames(cut(bytes(text), places)))).toEqual(literal(text));
    expect(literal(text)).toHaveLength(2);
  });

  test("skips a byte order mark", () => {
    expect(said(frames([bytes("\ufeffdata: a\n\n")]))).toEqual([["", "a"]]);
  });
});

test("the writer's events are read back", () => {
  expect(said(frames([bytes(encodeSse("{}", "ping") + encodeSse("x"))]))).toEqual([
    ["ping", "{}"],
    ["", "x"],
  ]);
});
