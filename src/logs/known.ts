// Finds secrets that are known word for word (keys of the configuration). Thousands may be known, so a text is
// not searched for each of them: a table of their first characters passes over nearly every position at once.

import { hide, type Span } from "./spans.ts";

/** What is shorter is no secret but a word such as `none`, and would be hidden everywhere. */
const HEAD = 8;
const SLOTS = 1 << 16;

interface Family {
  /** Secrets with this head, by length. */
  readonly byLength: Map<number, Set<string>>;
}

export class KnownSecrets {
  #families = new Map<string, Family>();
  #mayBegin = new Uint8Array(SLOTS);
  #indexed = 0;
  readonly #secrets: ReadonlySet<string>;

  /** @param secrets a live set, which may grow */
  constructor(secrets: ReadonlySet<string>) {
    this.#secrets = secrets;
  }

  hide(text: string): string {
    if (this.#secrets.size !== this.#indexed) this.#index();
    return this.#families.size === 0 || text.length < HEAD ? text : hide(text, this.#spans(text));
  }

  #index(): void {
    this.#families = new Map();
    this.#mayBegin = new Uint8Array(SLOTS);
    for (const secret of this.#secrets) for (const form of formsOf(secret)) this.#add(form);
    this.#indexed = this.#secrets.size;
  }

  #add(form: string): void {
    if (form.length < HEAD) return;
    const head = form.slice(0, HEAD);
    const family = this.#families.get(head) ?? { byLength: new Map<number, Set<string>>() };
    const same = family.byLength.get(form.length) ?? new Set<string>();
    this.#families.set(head, family);
    family.byLength.set(form.length, same.add(form));
    this.#mayBegin[slotAt(form, 0)] = 1;
  }

  *#spans(text: string): Generator<Span> {
    const last = text.length - HEAD;
    for (let at = 0; at <= last; at++) {
      if (this.#mayBegin[slotAt(text, at)] === 0) continue;
      const length = this.#lengthAt(text, at);
      if (length > 0) yield [at, at + length];
    }
  }

  /** How much of the text from `at` is a secret; a secret that the end of the text cuts short counts too. */
  #lengthAt(text: string, at: number): number {
    const family = this.#families.get(text.slice(at, at + HEAD));
    if (family === undefined) return 0;
    const left = text.length - at;
    let longest = 0;
    for (const [length, secrets] of family.byLength) {
      if (length <= left) {
        if (length > longest && secrets.has(text.slice(at, at + length))) longest = length;
      } else {
        const rest = text.slice(at);
        for (const secret of secrets) if (secret.startsWith(rest)) return left;
      }
    }
    return longest;
  }
}

/** A secret as it is, inside JSON, and inside a URL. */
function formsOf(secret: string): Set<string> {
  const whole = secret.toWellFormed();
  return new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(whole)]);
}

function slotAt(text: string, at: number): number {
  return (
    (text.charCodeAt(at) ^ (text.charCodeAt(at + 1) << 5) ^ (text.charCodeAt(at + 2) << 10)) & (SLOTS - 1)
  );
}
