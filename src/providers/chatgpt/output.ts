// The backend ends a stream with a response whose `output` is empty: it has told each item when it was done. Clients
// that take the whole answer from the end (the SDKs' final response) would find nothing, so the end is given the items.

import { labelOf } from "../../core/frame-peek.ts";
import { elementsAt, member, type Members, membersAt, scanObject, splice, valueAt } from "../../core/json.ts";
import { encodeSse, SseFrame } from "../../core/sse.ts";

/** Of one answer; a larger one keeps its empty end. */
const MAX_BYTES = 16 << 20;
const DONE = "response.output_item.done";
const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete"]);
const LIST = 0x5b;
const OBJECT = 0x7b;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A fresh machine for one stream. Every frame but the end is handed on as it is. */
export function fillEnd(maxBytes = MAX_BYTES): (frame: SseFrame) => SseFrame {
  const items = new Map<number, string>();
  let left = maxBytes;
  const keep = (frame: SseFrame): void => {
    const done = read(frame);
    const item = done && member(done.members, "item");
    if (done === undefined || item === undefined || done.bytes[item.start] !== OBJECT || left < 0) return;
    left -= item.end - item.start;
    if (left < 0) return items.clear();
    const index = member(done.members, "output_index");
    const place = index === undefined ? items.size : valueAt(done.bytes, index);
    items.set(typeof place === "number" ? place : items.size, textOf(done.bytes, item));
  };
  return (frame) => {
    const label = labelOf(frame, isOwn);
    const type = label?.name === "" ? label.type : label?.name;
    if (type === DONE) keep(frame);
    if (type === undefined || !ENDS.has(type) || items.size === 0) return frame;
    const output = [...items].toSorted(([a], [b]) => a - b).map(([, text]) => text);
    return filled(frame, output);
  };
}

const isOwn = (name: string): boolean => name !== "";

interface Data {
  readonly bytes: Uint8Array;
  readonly members: Members;
}

/** Undefined when the data is no JSON object. */
function read({ data = "" }: SseFrame): Data | undefined {
  const bytes = encoder.encode(data);
  try {
    return { bytes, members: scanObject(bytes) };
  } catch {
    return undefined;
  }
}

/** The same frame when its output is there, or is no list at all. */
function filled(frame: SseFrame, output: readonly string[]): SseFrame {
  const end = read(frame);
  const response = end && member(end.members, "response");
  const fields = response && membersAt(end.bytes, response.start);
  const list = fields && member(fields, "output");
  if (end === undefined || list === undefined || end.bytes[list.start] !== LIST) return frame;
  if (elementsAt(end.bytes, list.start).next().done !== true) return frame;
  const text = `[${output.join(",")}]`;
  const whole = splice(end.bytes, [{ start: list.start, end: list.end, text }]);
  return new SseFrame(encoder.encode(encodeSse(oneLine(decoder.decode(whole)), frame.name || undefined)));
}

function textOf(bytes: Uint8Array, { start, end }: { readonly start: number; readonly end: number }): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** Between JSON's tokens a line break is a space, and inside them there is none. */
function oneLine(json: string): string {
  return json.replaceAll(/[\r\n]/g, " ");
}
