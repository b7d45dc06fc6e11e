// A request without what its upstream would not find: items by the names this gateway has given them, reasoning that
// it has carried in another upstream's name, and reasoning that another account has sealed.

import { Edits } from "../../core/edits.ts";
import { MARK, mayHoldMark } from "../../core/envelope.ts";
import { bytesOf, indexIn } from "../../core/frame-peek.ts";
import { arrayAt, member, objectAt, stringAt } from "../../core/json.ts";
import type { Json, Members, Span } from "../../core/json.ts";
import type { Edited, IsForeign } from "../../core/ports.ts";
import { reasoningField } from "../../core/reasoning.ts";

/** In the id of an item of a translated answer, behind what kind it is. */
const OURS = "_gw1_";
const OUR_ID = /^[a-z]+_gw1_/;
/** Ids by which an upstream looks up what it has stored. */
const STORED_ID = /^(rs|msg|fc|ctc)_/;
const NAMED = bytesOf(OURS);

/** @param kind `msg`, `rs`, `fc`, … @param answer what tells this answer from others */
export function itemId(kind: string, answer: string, place: number): string {
  return `${kind}${OURS}${answer}_${place}`;
}

export function leaveOut(body: Uint8Array, members: Members, isForeign: IsForeign | undefined): Edited {
  const isClean = indexIn(body, NAMED, 0) < 0 && !mayHoldMark(body);
  if (isForeign === undefined && isClean) return { body, dropped: [] };
  const edits = new Edits(body);
  const input = member(members, "input");
  const items = edits.elements(input);
  const gone = new Set<Span>();
  for (const span of items) {
    const item = edits.fields(span);
    if (item === undefined) continue;
    const id = edits.text(item, "id") ?? "";
    const type = edits.text(item, "type");
    const sealed = edits.text(item, "encrypted_content") ?? id;
    if (type === "reasoning" && (isOurs(sealed) || isForeign?.(sealed) === true)) gone.add(span);
    else if (OUR_ID.test(id) || (isForeign !== undefined && type !== "item_reference" && STORED_ID.test(id)))
      edits.removeKeys(item, ({ key }) => key === "id");
  }
  if (input !== undefined) edits.remove(input, items, gone);
  if (gone.size > 0) edits.drop(reasoningField("responses"));
  return edits.done();
}

function isOurs(sealed: string): boolean {
  return sealed.startsWith(MARK) || OUR_ID.test(sealed);
}

/** The reasoning in an event, or in a whole response. */
export function sealsIn(data: Json): readonly string[] {
  const items = [objectAt(data, "item"), ...(arrayAt(data, "output") ?? [])];
  return items
    .filter((item) => stringAt(item, "type") === "reasoning")
    .map((item) => stringAt(item, "encrypted_content") ?? stringAt(item, "id"))
    .filter((seal) => seal !== undefined);
}
