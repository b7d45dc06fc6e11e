// Collects what has to change in a request's body: splices into its bytes, so that everything else stays as the
// client wrote it, and the names of the hints that went.

import {
  elementsAt,
  type Json,
  type Member,
  type Members,
  member,
  membersAt,
  type Span,
  type Splice,
  splice,
  valueAt,
} from "./json.ts";

const COMMA = 0x2c;
const LIST = 0x5b;
const QUOTE = 0x22;

export class Edits {
  readonly bytes: Uint8Array;
  readonly #splices: Splice[] = [];
  readonly #dropped = new Set<string>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  value(span: Span): Json {
    return valueAt(this.bytes, span);
  }

  /** The members of an object; undefined for any other value, and for none. */
  fields(span: Span | undefined): Members | undefined {
    return span && membersAt(this.bytes, span.start);
  }

  /** The elements of a list; none for any other value. */
  elements(span: Span | undefined): readonly Span[] {
    return span !== undefined && this.bytes[span.start] === LIST
      ? [...elementsAt(this.bytes, span.start)]
      : [];
  }

  /** The string a member holds; undefined for any other value. */
  text(members: Members, key: string): string | undefined {
    const found = member(members, key);
    if (found === undefined || this.bytes[found.start] !== QUOTE) return undefined;
    const value = this.value(found);
    return typeof value === "string" ? value : undefined;
  }

  replace(span: Span, value: Json): void {
    this.#splices.push({ start: span.start, end: span.end, text: JSON.stringify(value) });
  }

  insert(at: number, text: string): void {
    this.#splices.push({ start: at, end: at, text });
  }

  /** A hint that goes; `name` is told to the client. */
  drop(name: string): void {
    this.#dropped.add(name);
  }

  /** Takes some of an object's members, or of a list's elements, out with their commas. `list` is in order. */
  remove(container: Span, list: readonly Span[], gone: ReadonlySet<Span>): void {
    for (let first = 0; first < list.length; first++) {
      let next = first;
      for (let each = list[next]; each !== undefined && gone.has(each); each = list[next]) next++;
      const last = list[next - 1];
      if (next === first || last === undefined) continue;
      const before = list[first - 1];
      const start = before?.end ?? container.start + 1;
      let { end } = last;
      if (before === undefined) {
        end = next === list.length ? container.end - 1 : this.bytes.indexOf(COMMA, end) + 1;
      }
      this.#splices.push({ start, end, text: "" });
      first = next;
    }
  }

  /** Adds to the end of an object or a list of which `kept` members or elements stay. */
  append(container: Span, kept: number, texts: readonly string[]): void {
    if (texts.length > 0) this.insert(container.end - 1, (kept > 0 ? "," : "") + texts.join(","));
  }

  /** Takes every member of these names out of an object; true if there was one. */
  removeKeys(members: Members, isGone: (each: Member) => boolean): boolean {
    const gone = new Set(members.list.filter(isGone));
    this.remove(members, members.list, gone);
    return gone.size > 0;
  }

  done(): { readonly body: Uint8Array; readonly dropped: readonly string[] } {
    return { body: splice(this.bytes, this.#splices), dropped: [...this.#dropped].toSorted() };
  }
}
