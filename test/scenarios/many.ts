// Many things at once, waiting for them, and chance that can be had again.

/** Does `work` for each of them, at most `atOnce` at a time; the results are in order. */
export async function inParallel<T, R>(
  them: readonly T[],
  atOnce: number,
  work: (each: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = them.entries();
  const worker = async (): Promise<void> => {
    for (const [index, each] of left) results[index] = await work(each, index);
  };
  await Promise.all(Array.from({ length: Math.min(them.length, atOnce) }, worker));
  return results;
}

/** Waits until something is so; the time limit of the test is the limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
