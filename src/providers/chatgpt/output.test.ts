import { describe, expect, test } from "bun:test";
import { type JsonObject, parseObject } from "../../core/json.ts";
import { encodeSse, SseFrame } from "../../core/sse.ts";
import { fillEnd } from "./output.ts";

function frame(data: JsonObject | string, name?: string): SseFrame {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  const type = parseObject(text)?.["type"];
  return new SseFrame(new TextEncoder().encode(encodeSse(text, name ?? (type as string))));
}

const item = (id: string, index?: number): SseFrame =>
  frame({ type: "response.output_item.done", output_index: index, item: { id, content: [] } });
const END = {
  type: "response.completed",
  response: { id: "resp_1", output: [], usage: { input_tokens: 1 } },
};

/** What comes of a stream: the data of its last frame; all others have to be the very same. */
function endOf(frames: readonly SseFrame[], maxBytes?: number): string {
  const mend = fillEnd(maxBytes);
  const last = frames.at(-1);
  for (const each of frames.slice(0, -1)) expect(mend(each)).toBe(each);
  return last === undefined ? "" : (mend(last).data ?? "");
}

describe("the end of a stream", () => {
  test("is given the items in their order, and keeps its other bytes", () => {
    const delta = frame({ type: "response.output_text.delta", delta: "x" });
    const text = '{"type":"response.completed", "response":{"big":1.50E+3,"output": [ ],"e":"\\u00e9"}}';
    expect(endOf([item("b", 1), delta, item("a", 0), frame(text)])).toBe(
      text.replace("[ ]", '[{"id":"a","content":[]},{"id":"b","content":[]}]'),
    );
  });

  test("is filled when it is incomplete too, without an event name, and by items that do not say their place", () => {
    const end = { ...END, type: "response.incomplete" };
    const unnamed = new SseFrame(new TextEncoder().encode(`data: ${JSON.stringify(end)}\n\n`));
    const mend = fillEnd();
    for (const id of ["a", "b"]) mend(item(id));
    const mended = mend(unnamed);
    expect(mended.name).toBe("");
    const response = parseObject(mended.data ?? "")?.["response"];
    expect(response).toMatchObject({ output: [{ id: "a" }, { id: "b" }], usage: { input_tokens: 1 } });
  });

  test("stays as it is when it has its items, when there were none, and when it is no response", () => {
    const whole = frame({ ...END, response: { output: [{ id: "own" }] } });
    const odd = [
      "{",
      "[]",
      '{"type":"response.completed"}',
      '{"response":{"output":null}}',
      '{"response":[]}',
    ];
    for (const end of [whole, ...odd.map((text) => frame(text, "response.completed"))]) {
      const mend = fillEnd();
      mend(item("a", 0));
      expect(mend(end)).toBe(end);
    }
    const empty = frame(END);
    expect(fillEnd()(empty)).toBe(empty);
    const failed = frame({ ...END, type: "response.failed" });
    const mend = fillEnd();
    mend(item("a", 0));
    expect(mend(failed)).toBe(failed);
  });

  test("stays as it is when the items are larger than what is remembered", () => {
    expect(endOf([item("a", 0), item("b", 1), item("c", 2), frame(END)], 50)).toBe(JSON.stringify(END));
  });

  test("survives items that are broken", () => {
    const broken = ["{", '{"type":"response.output_item.done"}', '{"item":null}', "[1]"];
    const frames = broken.map((text) => frame(text, "response.output_item.done"));
    expect(endOf([...frames, item("a", 0), frame(END)])).toContain('"output":[{"id":"a","content":[]}]');
  });
});
