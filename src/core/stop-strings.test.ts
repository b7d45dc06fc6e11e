import { expect, test } from "bun:test";
import fc from "fast-check";
import type { StreamEvent } from "./hub.ts";
import { StopCutter } from "./stop-strings.ts";

const END: StreamEvent = { type: "end", stop: { reason: "done" }, usage: undefined };

function answer(pieces: readonly string[]): StreamEvent[] {
  return [
    { type: "block_open", block: { type: "text" } },
    ...pieces.map((text): StreamEvent => ({ type: "delta", text })),
    { type: "block_close", whole: true },
    END,
  ];
}

function cut(stops: readonly string[], events: readonly StreamEvent[]): StreamEvent[] {
  const cutter = new StopCutter(stops);
  return events.flatMap((event) => cutter.step(event));
}

function textOf(events: readonly StreamEvent[]): string {
  return events.map((event) => (event.type === "delta" ? event.text : "")).join("");
}

test("the text ends before the stop string that is complete first, however it comes in pieces", () => {
  const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  });
  const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c", "d"), maxLength: 4 }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(stops, pieces, (stops, pieces) => {
      const whole = pieces.join("");
      const ends = stops
        .filter((stop) => whole.includes(stop))
        .map((stop) => whole.indexOf(stop) + stop.length);
      const said = whole.slice(0, Math.min(...ends));
      const found = stops.filter((stop) => said.endsWith(stop)).map((stop) => said.length - stop.length);
      const events = cut(stops, answer(pieces));
      const met = ends.length > 0;
      expect(textOf(events)).toBe(met ? whole.slice(0, Math.min(...found)) : whole);
      const end = events.at(-1);
      expect(end?.type === "end" && end.stop.reason).toBe(met ? "stop_string" : "done");
      const opened = events.filter((event) => event.type === "block_open").length;
      expect(opened).toBe(textOf(events) === "" ? 0 : 1);
      expect(events.filter((event) => event.type === "block_close").length).toBe(opened);
    }),
  );
});

test("text that cannot become a stop string goes out at once", () => {
  const cutter = new StopCutter(["END"]);
  cutter.step({ type: "block_open", block: { type: "text" } });
  expect(textOf(cutter.step({ type: "delta", text: "abc" }))).toBe("abc");
  expect(textOf(cutter.step({ type: "delta", text: "xE" }))).toBe("x");
  expect(textOf(cutter.step({ type: "delta", text: "N" }))).toBe("");
  expect(textOf(cutter.step({ type: "delta", text: "N" }))).toBe("ENN");
});

test("what comes after the stop string is gone, and an error after it is no error", () => {
  const error: StreamEvent = {
    type: "error",
    error: { status: 500, type: "server_error", code: undefined, message: "m", param: undefined },
  };
  const call: StreamEvent[] = [
    { type: "block_open", block: { type: "call", kind: "function", id: "c", name: "f" } },
    { type: "delta", text: "{}" },
    { type: "block_close", whole: true },
  ];
  const events = cut(["X"], [...answer(["oneX two"]).slice(0, -1), ...call, error]);
  expect(events).toEqual([
    { type: "block_open", block: { type: "text" } },
    { type: "delta", text: "one" },
    { type: "block_close", whole: true },
    { type: "end", stop: { reason: "stop_string", sequence: "X" }, usage: undefined },
  ]);
});

test("reasoning and calls are not searched", () => {
  const call: StreamEvent[] = [
    { type: "block_open", block: { type: "call", kind: "function", id: "c", name: "f" } },
    { type: "delta", text: '{"a":"X"}' },
    { type: "block_close", whole: true },
    END,
  ];
  expect(cut(["X"], call)).toEqual(call);
});

test("log probabilities go out with the text they are about, and no further", () => {
  const tokens = ["one ", "two", "X"].map((token) => ({ token, logprob: -1 }));
  const events = cut(
    ["X"],
    [
      { type: "block_open", block: { type: "text" } },
      ...tokens.map((token): StreamEvent => ({ type: "delta", text: token.token, logprobs: [token] })),
      { type: "block_close", whole: true },
      END,
    ],
  );
  const out = events.flatMap((event) => (event.type === "delta" ? (event.logprobs ?? []) : []));
  expect(out).toEqual(tokens.slice(0, 2));
});

test("a log probability whose token is no text goes out with whatever text comes", () => {
  const cutter = new StopCutter(["END"]);
  cutter.step({ type: "block_open", block: { type: "text" } });
  const events = cutter.step({ type: "delta", text: "abc", logprobs: [{ token: { toString: 1 } }] });
  expect(events.at(-1)).toMatchObject({ type: "delta", text: "abc", logprobs: [{ token: { toString: 1 } }] });
});
