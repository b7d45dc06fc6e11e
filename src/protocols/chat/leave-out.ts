// A request without the sealed reasoning that this gateway has carried in another upstream's name.

import { Edits } from "../../core/edits.ts";
import { MARK, mayHoldMark } from "../../core/envelope.ts";
import { member, type Members, stringAt } from "../../core/json.ts";
import type { Edited } from "../../core/ports.ts";
import { reasoningField } from "../../core/reasoning.ts";
import { DETAILS } from "./reasoning.ts";

export function leaveOut(body: Uint8Array, members: Members): Edited {
  if (!mayHoldMark(body)) return { body, dropped: [] };
  const edits = new Edits(body);
  for (const span of edits.elements(member(members, "messages"))) {
    const message = edits.fields(span);
    const details = message && member(message, DETAILS);
    if (message === undefined || details === undefined) continue;
    const list = edits.elements(details);
    const gone = new Set(
      list.filter((each) => stringAt(edits.value(each), "signature")?.startsWith(MARK) === true),
    );
    if (gone.size === 0) continue;
    edits.drop(reasoningField("chat"));
    if (gone.size === list.length) edits.removeKeys(message, (each) => each === details);
    else edits.remove(details, list, gone);
  }
  return edits.done();
}
