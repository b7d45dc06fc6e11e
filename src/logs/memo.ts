// What was found of a short text is kept: most lines say the same few words, and each is looked at closely.

/** Longer texts, and what comes once, are not worth keeping. */
const SHORT = 32;
const MAX_KEPT = 1_000;

/** `work` with a bounded memory; `stamp` tells when what is kept no longer holds. */
export function remembering(
  work: (text: string) => string,
  stamp: () => number = () => 0,
): (text: string) => string {
  const kept = new Map<string, string>();
  let keptFor = stamp();
  return (text) => {
    if (text.length > SHORT) return work(text);
    const now = stamp();
    if (now !== keptFor || kept.size >= MAX_KEPT) kept.clear();
    keptFor = now;
    let found = kept.get(text);
    if (found === undefined) kept.set(text, (found = work(text)));
    return found;
  };
}
