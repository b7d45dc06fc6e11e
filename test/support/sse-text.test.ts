import { describe, expect, test } from "bun:test";
import { readSse, splitEvents, withLineEnds, writeSse } from "./sse-text.ts";

const read = (text: string): ReturnType<typeof readSse> => readSse(Buffer.from(text));

describe("reading an event stream", () => {
  test("joins data lines, drops one space and keeps the event name", () => {
    expect(read("event: a\ndata: one\ndata:two\ndata:  three\n\n").events).toEqual([
      { event: "a", data: "one\ntwo\n three" },
    ]);
  });

  test("takes LF, CRLF and CR alike", () => {
    const bytes = writeSse([{ event: "a", data: { x: 1 } }, { data: "y" }]);
    for (const end of ["\n", "\r\n", "\r"] as const)
      expect(readSse(withLineEnds(bytes, end)).events).toEqual(readSse(bytes).events);
  });

  test("does not deliver an event without its blank line, and shows it as the tail", () => {
    const cut = read("data: one\n\ndata: [DONE]\n");
    expect(cut.events).toEqual([{ event: "", data: "one" }]);
    expect(cut.tail).toBe("data: [DONE]\n");
  });

  test("skips comments, unknown fields, a byte order mark and events without data", () => {
    const stream = read("\ufeff: hello\nid: 7\nretry: 9\nevent: nothing\n\ndata\n\n");
    expect(stream.comments).toEqual(["hello"]);
    expect(stream.events).toEqual([{ event: "", data: "" }]);
  });

  test("splits into pieces that are one event each and give the same bytes again", () => {
    const bytes = writeSse([{ event: "a", data: "x" }, { comment: "c" }, { data: "y" }]);
    const pieces = splitEvents(Buffer.concat([bytes, Buffer.from("data: tail")]));
    expect(pieces.map(String)).toEqual(["event: a\ndata: x\n\n", ": c\n\n", "data: y\n\n", "data: tail"]);
  });
});
