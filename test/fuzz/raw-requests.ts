// Requests as bytes, each wrong in a way that has a name, and requests that hide in the bodies of others. `fzNx` stands in the
// target and in the body, so that whoever sees it knows the input.
import type { Dice } from "./dice.ts";
import { bodyOf, type Draft, draftOf, textOf } from "./raw-drafts.ts";
import { TWISTS } from "./raw-twists.ts";

export interface RawInput {
  readonly bytes: Buffer;
  readonly twists: readonly string[];
  /** The bodies of all the requests in it, hidden ones included. */
  readonly bodies: readonly string[];
}

const NAMES = Object.keys(TWISTS);

function twisted(dice: Dice, draft: Draft, twists: readonly string[]): string {
  for (const name of twists) TWISTS[name]?.(draft, dice);
  return textOf(draft);
}

/** A request behind the first, or in its body's place, or a part of its body. */
function withAnother(dice: Dice, id: number, twists: readonly string[]): RawInput {
  const outer = draftOf(id, "outer");
  const inner = textOf(draftOf(id, "inner"));
  const bodies = [outer.body, bodyOf(id, "inner")];
  const kind = dice.below(4);
  if (kind === 0) outer.method = dice.pick(["GET", "HEAD", "OPTIONS"]);
  if (kind === 1) outer.headers = outer.headers.filter((line) => !line.startsWith("Authorization"));
  if (kind === 2) outer.target = `/health/live?fz${id}x`;
  const bytes = Buffer.from(twisted(dice, outer, twists) + inner, "latin1");
  return { bytes, twists: ["a request behind", ...twists], bodies };
}

/** A byte of the head is another, or one more, or gone. */
function noisy(dice: Dice, text: string): { readonly text: string; readonly twist: string } {
  const at = dice.below(Math.max(1, text.indexOf("{")));
  const char = dice.pick([
    "\r",
    "\n",
    " ",
    ":",
    "\0",
    "\t",
    ",",
    ";",
    String.fromCharCode(dice.below(256)),
    "",
  ]);
  const twist = char === "," ? "a comma put in" : "noise";
  return { text: text.slice(0, at) + char + text.slice(at + dice.below(2)), twist };
}

/** @param id stands in the bytes; the same seed may be sent again under another */
export function rawInput(dice: Dice, seed: number, id: number): RawInput {
  // Each twist alone first, then together.
  const alone = NAMES[seed % NAMES.length];
  const twists = dice.percent(60) && alone !== undefined ? [alone] : [dice.pick(NAMES), dice.pick(NAMES)];
  const kind = dice.below(10);
  if (kind < 2) return withAnother(dice, id, twists.slice(0, 1));
  const draft = draftOf(id, "outer");
  const bodies = [draft.body];
  if (kind > 2) return { bytes: Buffer.from(twisted(dice, draft, twists), "latin1"), twists, bodies };
  const { text, twist } = noisy(dice, twisted(dice, draft, dice.percent(50) ? ["chunked"] : []));
  return { bytes: Buffer.from(text, "latin1"), twists: [twist], bodies };
}
