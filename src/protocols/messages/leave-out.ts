// A request without reasoning that its upstream would not take: what this gateway has made in another upstream's name,
// since a client may change the model, and so the vendor, in the middle of a conversation; and what another account has
// signed, once the conversation had to move.

import { Edits } from "../../core/edits.ts";
import { MARK, mayHoldMark } from "../../core/envelope.ts";
import { arrayAt, member, objectAt, stringAt } from "../../core/json.ts";
import type { Json, Members, Span } from "../../core/json.ts";
import type { Edited, IsForeign } from "../../core/ports.ts";
import { reasoningField } from "../../core/reasoning.ts";

interface Work {
  readonly edits: Edits;
  readonly isForeign: IsForeign | undefined;
  /** Whether thinking has gone. */
  thinking: boolean;
}

export function leaveOut(body: Uint8Array, members: Members, isForeign: IsForeign | undefined): Edited {
  if (isForeign === undefined && !mayHoldMark(body)) return { body, dropped: [] };
  const edits = new Edits(body);
  const work: Work = { edits, isForeign, thinking: false };
  const messages = member(members, "messages");
  const list = edits.elements(messages);
  const silent = new Set(list.filter((message) => leaveOutOf(message, work)));
  if (messages !== undefined) edits.remove(messages, list, silent);
  if (work.thinking) {
    edits.drop(reasoningField("messages"));
    thinkNoMore(work, members, list);
  }
  return edits.done();
}

/** True for a message of which nothing is left. */
function leaveOutOf(message: Span, work: Work): boolean {
  const { edits, isForeign } = work;
  if (isForeign === undefined && !mayHoldMark(edits.bytes.subarray(message.start, message.end))) return false;
  const fields = edits.fields(message);
  const content = fields && member(fields, "content");
  const blocks = edits.elements(content);
  const gone = new Set(blocks.filter((block) => isGone(edits.value(block), isForeign)));
  if (gone.size > 0) work.thinking = true;
  if (content === undefined || (gone.size > 0 && gone.size === blocks.length)) return gone.size > 0;
  edits.remove(content, blocks, gone);
  for (const block of blocks) if (!gone.has(block)) withoutSources(block, edits);
  return false;
}

function sealOf(block: Json): string | undefined {
  if (stringAt(block, "type") === "thinking") return stringAt(block, "signature");
  return stringAt(block, "type") === "redacted_thinking" ? stringAt(block, "data") : undefined;
}

function isGone(block: Json, isForeign: IsForeign | undefined): boolean {
  const seal = sealOf(block);
  return seal !== undefined && (seal.startsWith(MARK) || isForeign?.(seal) === true);
}

/** What another vendor's search has found is cited without an index into the provider's own. */
function withoutSources(block: Span, edits: Edits): void {
  const fields = edits.fields(block);
  const citations = fields && member(fields, "citations");
  if (fields === undefined || citations === undefined) return;
  const list = edits.elements(citations);
  const isOurs = (each: Span): boolean =>
    stringAt(edits.value(each), "encrypted_index")?.startsWith(MARK) === true;
  const gone = new Set(list.filter(isOurs));
  if (gone.size > 0 && gone.size === list.length) edits.removeKeys(fields, (each) => each === citations);
  else edits.remove(citations, list, gone);
}

/** Models that think by budget cannot begin in the middle of a tool loop. */
function thinkNoMore({ edits, isForeign }: Work, members: Members, messages: readonly Span[]): void {
  const thinking = member(members, "thinking");
  if (thinking === undefined || stringAt(edits.value(thinking), "type") !== "enabled") return;
  const [turn, results] = messages
    .map((message) => edits.value(message))
    .filter((message) => stringAt(message, "role") !== "system")
    .slice(-2);
  if (stringAt(arrayAt(results, "content")?.[0], "type") !== "tool_result") return;
  const first = arrayAt(turn, "content")?.find((block) => !isGone(block, isForeign));
  if (sealOf(first ?? null) === undefined) edits.replace(thinking, { type: "disabled" });
}

/** The signatures of thinking in an event, or in a whole message. */
export function sealsIn(data: Json): readonly string[] {
  const signature = stringAt(objectAt(data, "delta"), "signature");
  const begun = sealOf(objectAt(data, "content_block") ?? null);
  const whole = (arrayAt(data, "content") ?? []).map(sealOf);
  return [signature, begun, ...whole].flatMap((seal) => (seal === undefined || seal === "" ? [] : [seal]));
}
