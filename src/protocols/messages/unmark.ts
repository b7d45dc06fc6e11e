// What this gateway has made in another upstream's name, taken out of a request for an upstream that would check it:
// a client may change the model, and so the vendor, in the middle of a conversation.

import { arrayAt, elementsAt, isObject, member, membersAt, stringAt, valueAt } from "../../core/json.ts";
import type { Json, JsonObject, Members, Span, Splice } from "../../core/json.ts";
import { isMarked, MARK } from "./seals.ts";

/** Nearly no request has one: the bytes are searched before anything is read. */
const MARKED = Buffer.from(`"${MARK}`);

/** The edit that leaves out marked blocks and citations; of other messages every byte stays. */
export function unmark(body: Uint8Array, members: Members): readonly Splice[] {
  const messages = member(members, "messages");
  if (messages === undefined || !holdsMark(body, { start: 0, end: body.length })) return [];
  const text = keptOf(body, messages, unmarkMessage);
  return text === undefined ? [] : [{ start: messages.start, end: messages.end, text: text || "[]" }];
}

function holdsMark(body: Uint8Array, { start, end }: Span): boolean {
  return Buffer.from(body.buffer, body.byteOffset + start, end - start).includes(MARKED);
}

/** The list with what `keep` leaves of each element; undefined when that is all, "" when it is nothing. */
function keptOf(
  body: Uint8Array,
  at: Span,
  keep: (body: Uint8Array, element: Span) => string | undefined,
): string | undefined {
  const elements = [...elementsAt(body, at.start)];
  const kept = elements.map((element) => keep(body, element));
  if (kept.every((text, index) => text === textOf(body, elements[index] ?? at))) return undefined;
  const rest = kept.filter((text) => text !== undefined);
  return rest.length === 0 ? "" : `[${rest.join(",")}]`;
}

/** Undefined for a message of which nothing is left. */
function unmarkMessage(body: Uint8Array, message: Span): string | undefined {
  const whole = textOf(body, message);
  const members = holdsMark(body, message) ? membersAt(body, message.start) : undefined;
  const content = members && member(members, "content");
  const text = content && keptOf(body, content, unmarkBlock);
  if (content === undefined || text === undefined) return whole;
  if (text === "") return undefined;
  const head = textOf(body, { start: message.start, end: content.start });
  return `${head}${text}${textOf(body, { start: content.end, end: message.end })}`;
}

function unmarkBlock(body: Uint8Array, span: Span): string | undefined {
  const block = holdsMark(body, span) ? valueAt(body, span) : undefined;
  if (!isObject(block)) return textOf(body, span);
  if (block["type"] === "thinking" && isMarked(stringAt(block, "signature"))) return undefined;
  const citations = arrayAt(block, "citations");
  const kept = citations?.filter((each) => !isMarked(stringAt(each, "encrypted_index")));
  if (kept === undefined || kept.length === citations?.length) return textOf(body, span);
  return JSON.stringify(kept.length === 0 ? without(block, "citations") : { ...block, citations: kept });
}

function without(block: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(block).filter(([each]) => each !== key)) satisfies Json;
}

function textOf(body: Uint8Array, { start, end }: Span): string {
  return Buffer.from(body.buffer, body.byteOffset + start, end - start).toString();
}
