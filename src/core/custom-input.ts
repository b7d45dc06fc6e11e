// A freeform tool that an upstream knows only as a function with one text, `{"input":"…"}`: its input is
// decoded while the JSON is still arriving.

import { parseJson, parseObject, stringAt } from "./json.ts";

const OPENING = /^\s*\{\s*"input"\s*:\s*"/;
/** What may still become the opening. */
const MAY_OPEN = /^\s*(\{\s*("(i(n(p(u(t("\s*(:\s*)?)?)?)?)?)?)?)?)?$/;
/** Whole characters of a JSON string; a surrogate pair is one, so that no half of it goes out alone. */
const WHOLE =
  /^(?:[^"\\]|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89abAB])[0-9a-fA-F]{4})+/;

export class InputUnwrapper {
  #state: "opening" | "inside" | "closed" | "foreign" = "opening";
  #rest = "";

  /** The part of the input that this piece completes. */
  push(piece: string): string {
    this.#rest += piece;
    if (this.#state === "opening") this.#open();
    return this.#state === "inside" ? this.#inside() : "";
  }

  /** What is left when the arguments are whole: everything, for arguments of another shape. */
  end(): string {
    if (this.#state !== "foreign" && this.#state !== "opening") return "";
    const whole = parseObject(this.#rest);
    if (whole !== undefined && Object.keys(whole).length === 0) return "";
    return stringAt(whole, "input") ?? this.#rest;
  }

  #open(): void {
    const opening = OPENING.exec(this.#rest);
    if (opening !== null) {
      this.#state = "inside";
      this.#rest = this.#rest.slice(opening[0].length);
    } else if (!MAY_OPEN.test(this.#rest)) this.#state = "foreign";
  }

  #inside(): string {
    const whole = WHOLE.exec(this.#rest)?.[0] ?? "";
    this.#rest = this.#rest.slice(whole.length);
    if (this.#rest.startsWith('"')) this.#state = "closed";
    return decoded(whole);
  }
}

/** The text of string contents; servers that leave line breaks raw are understood. */
function decoded(contents: string): string {
  // oxlint-disable-next-line no-control-regex -- raw control characters are what is looked for
  const escaped = contents.replace(/[\u0000-\u001f]/g, (raw) => JSON.stringify(raw).slice(1, -1));
  return String(parseJson(`"${escaped}"`) ?? "");
}
