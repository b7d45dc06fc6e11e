// Many things at once, and waiting for them.

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
